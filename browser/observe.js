/**
 * Turn what the page sends, stores and submits into signals, where a rule matches.
 */

import { MAX_BINARY_BYTES, MAX_MATCHED_CHARACTERS, REQUEST, STORAGE_KEY } from './constants.js';
import { log, quietly } from './errors.js';
import { fieldsToJson, isJsonText } from './fields.js';
import { confirmForm } from './forms.js';
import { currentUser, forgetCurrentUser } from './identity.js';
import { maskText } from './mask.js';
import { baseAddress } from './natives.js';
import { noteUnmatched } from './report.js';
import { findRule } from './rules.js';
import { addSignal } from './signals.js';
import { readUser } from './user.js';
import { isText, withoutSlashes } from './values.js';

/** What a body says that addresses say elsewhere: a table, or the field of a GraphQL mutation. */
const NAMED_IN_BODY =
  /"(?:table|collection)":\s*"(\w+)|[}"\\n]\s*mutation\b[^{}]{0,999}{[\s\\n]*(\w+)/;

/** What a body says that saves nothing, at an address for reads and writes. */
const READS = /"(operation|action|method)":"(select|get|read|list)/i;

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
 * @param outcome returns what is known of its response: a payment's status, or nothing
 */
export const observeRequest = (body, method, given, readToken, outcome) => {
  if (!body || !/^(post|put|patch)$/i.test(method)) return;
  let url = given instanceof URL ? given : new URL(given, baseAddress());
  const query = quietly(() => decodeURIComponent(url.search));
  const [, , proxied] = /([?&]url=|^\?)(https?:.*)/i.exec(query) || [];
  if (proxied) url = new URL(proxied);
  const { origin, pathname, search } = url;
  const path = withoutSlashes(decodeURIComponent(pathname));
  // A tRPC batch names several procedures in its path, and numbers their inputs in its body.
  const [, folder, procedures] = /^(.*\/)([^/]*,[^/]*)$/.exec(path) || [];
  const paths = procedures?.split(',').map((name) => folder + name) || [path];
  let seen;
  /** Return what is known of the request now, also for a body that is read later. */
  const momentOf = () => seen ||= {
    at: Date.now(),
    by: currentUser(),
    token: quietly(() => readUser(readToken())),
    partial: /^pu|pa/i.test(method), // they change a part of what was saved before
    target: maskText(pathname + search),
    outcome,
  };
  const find = (one, text) => findRule('url', origin + one, text, origin.length);
  const add = (text) => quietly(() => {
    confirmForm(text);
    const start = text.slice(0, MAX_MATCHED_CHARACTERS);
    const findByBody = (one) => {
      const [, table, field] = NAMED_IN_BODY.exec(start) || [];
      const name = table || field;
      return name && !READS.test(start) && find(one + '/' + name, start);
    };
    paths.forEach((one, n) => {
      const rule = find(one, start) || findByBody(one);
      const member = procedures && n;
      if (rule) addSignal(rule, REQUEST, origin + one, text, { ...momentOf(), member });
      else noteUnmatched(method, one, start);
    });
  });
  const { byteLength } = body;
  if (body instanceof FormData) add(fieldsToJson(body));
  else if (isText(body) || body instanceof URLSearchParams || body instanceof String) {
    add(String(body));
  } else if (!paths.some((one) => find(one))) return;
  else if (byteLength <= MAX_BINARY_BYTES) add(new TextDecoder().decode(body));
  else if (momentOf()) readableCopy(body)?.text?.().then(add, log);
};

/** Observe a write to localStorage or sessionStorage; without a value, the removal of a key. */
export const observeWrite = (name, value) => {
  const key = String(name);
  if (isText(value)) confirmForm(value);
  const rule = isText(value) && isJsonText(value) && findRule('key', key);
  if (rule) {
    addSignal(rule, STORAGE_KEY, key, value, { user: rule.key.exec(key)[1] });
  } else if (/user|auth|session|profile/i.test(key)) {
    forgetCurrentUser();
  }
};
