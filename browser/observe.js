/**
 * Turn what the page sends, stores and submits into signals, where a rule matches.
 */

import {
  FORM, MAX_MATCHED_CHARACTERS, MAX_SAVE_CHARACTERS, REQUEST, STORAGE_KEY,
} from './constants.js';
import { log, quietly } from './errors.js';
import { fieldsToJson, isJsonText } from './fields.js';
import { currentUser, forgetCurrentUser } from './identity.js';
import { baseAddress } from './natives.js';
import { NEVER, findRule } from './rules.js';
import { addSignal } from './signals.js';
import { isText, withoutSlashes } from './values.js';

/**
 * Return what a body's text can be read from later, or null.
 *
 * A Request is cloned: reading its body would take it from the page.
 */
const readableCopy = (body) => {
  if (body instanceof Request) return body.clone();
  const isBinary = body instanceof ArrayBuffer || ArrayBuffer.isView(body);
  const blob = isBinary ? new Blob([body]) : body;
  return blob instanceof Blob && blob.size <= MAX_SAVE_CHARACTERS ? blob : null;
};

/** Observe a request of fetch, XMLHttpRequest or sendBeacon. Its response is never read. */
export const observeRequest = (body, method, url) => {
  if (!body || !/^(post|put|patch)$/i.test(method)) return;
  const { origin, pathname } = new URL(url, baseAddress());
  const address = withoutSlashes(decodeURIComponent(origin + pathname));
  const rule = !NEVER.test(pathname) && findRule('url', address);
  if (!rule) return;
  // Also of a body that is read later. PUT and PATCH change a part of what was saved before.
  const moment = { at: Date.now(), by: currentUser(), partial: /^pu|pa/i.test(method) };
  const add = (text) => quietly(() => addSignal(rule, REQUEST, address, text, moment));
  if (body instanceof FormData) add(fieldsToJson(body));
  else if (isText(body) || body instanceof URLSearchParams) add(String(body));
  else readableCopy(body)?.text().then(add, log);
};

/** Observe a write to localStorage or sessionStorage; without a value, the removal of a key. */
export const observeWrite = (name, value) => {
  const key = String(name);
  const rule = isText(value) && isJsonText(value) && findRule('key', key);
  if (rule) {
    addSignal(rule, STORAGE_KEY, key, value, { user: rule.key.exec(key)[1] });
  } else if (/user|-token$/i.test(key)) {
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
