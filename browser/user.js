/**
 * Find users in texts: what pages save, what they store, and tokens.
 *
 * Texts are searched, not trees: the address is found in whatever envelope it comes.
 */

import { edgesOf, mergePreferFirst, valuesIn } from './canonical.js';
import { config, wordsIn } from './config.js';
import { MAX_USER_CHARACTERS } from './constants.js';
import { quietly } from './errors.js';
import { isText, record } from './values.js';

/** Members with the address of whom an object is about, the most telling ones first. */
const ADDRESSES = ['user_?email', 'e?mail', '[a-z_-]{0,9}e?mail(?:_?address)?', 'sub'];

/** Objects of people who are not the user, and members of them. */
const OTHERS = RegExp(
  '"[\\w.[\\]]{0,40}(admin|affil|agent|benefic|broker|creat|invit|manager|merch|owner|partner|' +
    'payee|receiver|referr|sell|shop(?!per)|sponsor|support|vendor)[\\w.[\\]]{0,40}":' +
    '({[^{}]{0,999}({[^{}]{0,999}}[^{}]{0,999}){0,3}}|"[^"]*")',
  'gi',
);

/** Whether an address stands for nobody: a usual one, or one of the site's, in part patterns. */
const isPlaceholder = (email) => /^(unknown@example\.com|user_\d+@.*)$/.test(email) ||
  wordsIn(config.placeholders).some((word) => quietly(() => (
    word[0] === '/' ? RegExp(word.split('/')[1], 'i').test(email) : word.toLowerCase() === email
  )));

/** Return an email address without spaces around it; empty if it is none or a placeholder. */
export const emailIn = (value) => {
  const email = isText(value) ? value.trim() : '';
  return /^[^\s@{]+@[^\s@}]+$/.test(email) && !isPlaceholder(email.toLowerCase()) ? email : '';
};

/** Decode base64url. escape() writes each byte as %XX, so that they are read as UTF-8. */
const fromBase64 = (text) =>
  decodeURIComponent(escape(atob(text.replace(/-/g, '+').replace(/_/g, '/'))));

/** Return the user that a text names: an address, or JSON. Of tokens, the claims count. */
export const readUser = (given) => {
  const named = edgesOf(String(given || ''), MAX_USER_CHARACTERS)
    .replace(/^base64-(.*)/, (_, json) => fromBase64(json))
    .replace(/eyJ[\w-]{8,200}\.(eyJ[\w-]{8,9999})\.[\w-]*/g, (_, claims) => fromBase64(claims));
  if (!named.includes('@')) return undefined; // most texts name nobody
  const text = named.replace(OTHERS, '');
  const ids = valuesIn(text, 'id|user_?id|uid|sub').filter((one) => /^[\w-]{1,36}$/.test(one));
  const [id] = ids;
  const email = [text.replace(/"/g, ''), ...ADDRESSES.flatMap((name) => valuesIn(text, name))]
    .map(emailIn)
    .find(Boolean);
  return email && record({
    email,
    key: email.toLowerCase(),
    name: valuesIn(text, '(?:full|user|display)?_?name')[0],
    id: String(+id) === id ? +id : id,
    ids,
    isOver: valuesIn(text, 'expires_?at')[0] * 1000 < Date.now(),
  });
};

/**
 * Return a function that says whether a user who is here can be a save's user.
 *
 * An id of another user excludes it; so does the filter of an update, which only names a row. Ids
 * of unlike kinds (7 and a UUID) may be one user's. Without a user it says whether one can be.
 *
 * @param text the save as JSON
 * @param target the path and query of its request
 * @param partial whether it is an update
 */
export const userFilter = (text, target = '', partial) => {
  const inTarget = /(?:user_?id=(?:eq\.)?|\/users?\/)([\w-]+)/gi;
  const owners = valuesIn(text, 'user_?id')
    .concat([...target.matchAll(inTarget)].map(([, id]) => id));
  const isRow = partial && /\bid=|=(eq|in)\.|^[^?]*\/[\w-]*\d[\w-]*\/?(\?|$)/.test(target);
  const isAlike = (id) => isNaN(id) === isNaN(owners[0]);
  return (user) => (owners[0]
    ? !user?.ids.some(isAlike) || user.ids.some((id) => owners.includes(id))
    : !isRow);
};

/**
 * Return the user of a save, with what all sources say of the same user.
 *
 * @param said the users whom the save itself names
 * @param around those of the moment: whom the request's token names, who was identified, and who
 *   was signed in
 */
export const mergeUsers = (said, around) => {
  const all = said.concat(around).filter(Boolean);
  if (!all[0]) return undefined;
  const same = all.filter((user) => user.key === all[0].key);
  return record(same.reduce(mergePreferFirst), { own: said.some(Boolean) && all[0].key });
};
