/**
 * Compare and merge what two sources say of one save. Pure functions.
 */

import { MAX_NUMBERS, MAX_PARTS, MAX_TEXT_CHARACTERS, STORAGE_KEY } from './constants.js';
import { isRecord, isText, patternOf, record, saysNothing } from './values.js';

/**
 * Spell a member's name so that all spellings are equal: userEmail, user_email: `useremail`.
 *
 * Accents that are characters of their own are left out, as in decomposed text. The vowels that
 * other scripts write as marks are kept.
 */
export const plainKey = (key) =>
  key.toLowerCase().replace(/[\u0300-\u036f\p{P}\p{Z}\p{C}]+/gu, '');

/** Members that differ at each save of the same: times, and numbers that pages make up. */
const VOLATILE = RegExp(
  '"(timestamp|\\w{0,20}(at|sav|submitt)ed_?at|last_?(upd|sav|mod|act|see|sync)\\w{0,20})":' +
    '("[^"]*"|[\\d.]+|null),?|"\\w{1,99}":"NON-CRYPTO-\\d*",?',
  'gi',
);

/** Return what tells a large text from others: its length and a thousand characters. */
const sampleOf = (text) => text.length +
  Array.from(Array(1000), (_, n) => text[Math.floor(n * text.length / 1000)]).join('');

/**
 * Make JSON in which two saves of the same content are equal. Large texts are sampled; in other
 * large content, times count.
 */
export const canonicalJson = (body) => {
  const brief = record(body);
  for (const key in brief) {
    const isLarge = isText(brief[key]) && brief[key].length > MAX_TEXT_CHARACTERS;
    if (isLarge) brief[key] = sampleOf(brief[key]);
  }
  const text = JSON.stringify(brief);
  return text.length > MAX_TEXT_CHARACTERS
    ? text
    : text.replace(VOLATILE, '').replace(/,(?=[}\]])/g, '');
};

/** Return the beginning and the end of a large text, which are searched instead of all. */
export const edgesOf = (text, most = MAX_TEXT_CHARACTERS) => (
  text.length > most ? text.slice(0, most / 2) + '\n' + text.slice(-most / 2) : text
);

/** Merge two bodies. Of a member that both have, in whatever spelling, the first one's counts. */
export const mergePreferFirst = (first, second) => {
  const merged = record(first);
  const names = record();
  for (const key in first) names[plainKey(key)] = key;
  for (const key in second) {
    const name = names[plainKey(key)] || key;
    if (saysNothing(merged[name])) merged[name] = second[key];
    else if (isRecord(merged[name]) && isRecord(second[key])) {
      merged[name] = mergePreferFirst(merged[name], second[key]);
    }
  }
  return merged;
};

/** Whether one JSON object is the other with more at its end, which is where pages add members. */
export const isExtended = (text, before) =>
  text.startsWith(before.slice(0, -1)) && /^[,}]/.test(text.slice(before.length - 1));

/**
 * Find the values that a JSON text, or JSON in a text of it, has under a name, each once.
 *
 * The name is a pattern. Names of form fields can be paths: order[email], order.email.
 */
export const valuesIn = (text, name) => {
  const value = '\\s*:\\s*(?:\\\\*"([^"\\\\\n]{1,200})(?=\\\\*")|([^\\s",}[{]{1,99}))';
  const pattern = patternOf(`["[.](?:${name})\\]?\\\\*"` + value, 'gi');
  const values = new Set();
  for (const [, quoted, bare] of edgesOf(text).matchAll(pattern)) {
    if (values.size < MAX_NUMBERS && !saysNothing(quoted || bare)) values.add(quoted || bare);
  }
  return [...values];
};

/** What the parts of one capture have in common, if they have it. */
export const IN_COMMON = ['kind', 'own', 'number', 'here'];

/** Whether a part belongs to an open capture, because one action caused all parts. */
export const belongsTo = (part, item) => {
  const differs = (name) => part[name] && item[name] && part[name] !== item[name];
  if (IN_COMMON.some(differs) || part.row !== item.row) return false;
  const earlier = item.parts.get(part.from);
  if (!earlier) return item.parts.size < MAX_PARTS;
  if (part.rank >= STORAGE_KEY) {
    return !part.ids[0] || !earlier.ids[0] || part.ids.some((id) => earlier.ids.includes(id));
  }
  return isExtended(part.text, earlier.text) || isExtended(earlier.text, part.text);
};
