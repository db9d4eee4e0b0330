/**
 * Turn what the page sends, stores and submits into signals, where a rule matches.
 */

import {
  FORM, MAX_BINARY_BYTES, MAX_MATCHED_CHARACTERS, REQUEST, STORAGE_KEY,
} from './constants.js';
import { attempt, log, quietly } from './errors.js';
import { fieldsToJson, isJsonText } from './fields.js';
import { currentUser, forgetCurrentUser } from './identity.js';
import { maskText } from './mask.js';
import { baseAddress } from './natives.js';
import { NEVER, findRule } from './rules.js';
import { addSignal } from './signals.js';
import { readUser } from './user.js';
import { isText, withoutSlashes } from './values.js';

/**
 * Return what a body's text can be read from later, or nothing.
 *
 * A Request is cloned: reading its body would take it from the page.
 */
const readableCopy = (body) => {
  if (body instanceof Blob) return body.size <= MAX_BINARY_BYTES && body;
  const type = body instanceof Request && body.headers.get('content-type');
  return /json|form-u|text/.test(type) && body.clone();
};

/**
 * Observe a request of fetch, XMLHttpRequest or sendBeacon. Its response is never read.
 *
 * @param readToken returns its Authorization header
 */
export const observeRequest = (body, method, given, readToken) => {
  if (!body || !/^(post|put|patch)$/i.test(method)) return;
  let url = new URL(given, baseAddress());
  const proxied = url.searchParams.get('url');
  if (/^https?:/.test(proxied)) url = new URL(proxied);
  const { origin, pathname, search } = url;
  const address = withoutSlashes(decodeURIComponent(origin + pathname));
  const rule = !NEVER.test(pathname) && findRule('url', address);
  if (!rule) return;
  const partial = /^pu|pa/i.test(method); // they change a part of what was saved before
  const moment = { // also of a body that is read later
    at: Date.now(),
    by: currentUser(),
    token: attempt(() => readUser(readToken())),
    partial,
    target: partial && maskText(pathname + search),
  };
  const add = (text) => quietly(() => addSignal(rule, REQUEST, address, text, moment));
  const { byteLength } = body;
  if (body instanceof FormData) add(fieldsToJson(body));
  else if (isText(body) || body instanceof URLSearchParams) add(String(body));
  else if (byteLength <= MAX_BINARY_BYTES) add(new TextDecoder().decode(body));
  else readableCopy(body)?.text?.().then(add, log);
};

/** Observe a write to localStorage or sessionStorage; without a value, the removal of a key. */
export const observeWrite = (name, value) => {
  const key = String(name);
  const rule = isText(value) && isJsonText(value) && findRule('key', key);
  if (rule) {
    addSignal(rule, STORAGE_KEY, key, value, { user: rule.key.exec(key)[1] });
  } else if (/user|auth|session|profile/i.test(key)) {
    forgetCurrentUser();
  }
};

/**
 * Observe a form that is submitted.
 *
 * Its opening tag is read from a clone without children: a field that is named "id" would hide
 * the form's own `id`.
 */
export const observeForm = (form) => {
  const openingTag = Node.prototype.cloneNode.call(form).outerHTML;
  const rule = !NEVER.test(openingTag) &&
    findRule('form', openingTag.slice(0, MAX_MATCHED_CHARACTERS));
  if (!rule) return;
  // No password, no card field, and of choices only the checked ones.
  const inputs = [...Element.prototype.querySelectorAll.call(
    form,
    'input:not([type=password],[type=submit],[autocomplete*=cc- i],' +
      ':is([type=radio],[type=checkbox]):not(:checked)),select,textarea',
  )];
  const fields = inputs.map((input) => [input.name, input.value]);
  addSignal(rule, FORM, 'form', fieldsToJson(fields));
};
