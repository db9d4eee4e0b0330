/**
 * Mask secrets before anything is kept: passwords, tokens, keys, card numbers. Pure functions.
 *
 * The texts may be a stranger's, so each pattern takes linear time.
 */

import { plainKey } from './canonical.js';
import {
  MAX_TEXT_CHARACTERS, MAX_TEXT_LAYERS, MIN_CARD_NUMBER, MIN_PICTURE_CHARACTERS,
} from './constants.js';
import { isJsonText } from './fields.js';
import { isEmpty, isObject, isText, parseJson } from './values.js';

const WORDS = 'pass(word|wd|phrase|code)|pwd|csc|cv[cdnv]2?|security.?code|card.?number|token|' +
  'secret|(api|access|secret|private).?key|(seed|recovery).?phrase|mnemonic|authorization';

/** A secret's name ends with such a word (accessToken, API_KEY), perhaps numbered or confirming. */
const SECRET = new RegExp('(' + WORDS + ')(\\d|code|confirm.*)?$|^((card)?pin|pass|jwt)$');

/** The same in a text: `password: x`, `token="x"`, also within escaped JSON. */
const SECRET_IN_TEXT = new RegExp('((?:' + WORDS + ')\\\\*["\']?\\s*[=:]\\s*)' +
  '(?:\\\\*"[^"]*"?|\\\\*\'[^\']*\'?|(?:(?:bearer|basic|token)\\s+)?[^\\s&,;"\'}]+)', 'gi');

/** Parse JSON and mask the secrets in it. */
export const mask = (json, layers = MAX_TEXT_LAYERS) => parseJson(json, (key, value) => {
  if (isEmpty(value) || typeof value === 'boolean') return value; // showPassword
  if (key && SECRET.test(plainKey(key))) return '[redacted]';
  if (isObject(value) || Math.abs(value) < MIN_CARD_NUMBER) return value;
  const text = maskText(String(value), layers);
  return text === String(value) ? value : text; // a number stays a number
});

/** Mask the secrets in a text. Most texts hold nothing like one, and are left at once. */
export const maskText = (text, layers) => {
  if (!/[=:{[]|\d[\d -]{11}|eyJ|-BEGIN/i.test(text)) return text;
  if (text.length > MIN_PICTURE_CHARACTERS && isPicture(text)) return text;
  if (text.length > MAX_TEXT_CHARACTERS) return '[redacted]';
  if (isJsonText(text)) {
    if (!layers) return '[redacted]';
    try {
      const inner = JSON.stringify(mask(text, layers - 1));
      return /\[(redacted|card )/.test(inner) ? inner : text;
    } catch (reason) {
      // Not a SyntaxError: it is JSON, but too deep to be walked.
      if (!(reason instanceof SyntaxError)) return '[redacted]';
    }
  }
  return text
    // Card numbers, in the groups in which they are written; after a plus it is a phone number.
    .replace(/\+?\b((\d{4}[ -]?){3}\d{4}|\d{4}[ -]?\d{6}[ -]?\d{4,5}|\d{13,19})\b/g, maskCard)
    // Whole runs: a pattern from each "eyJ" to its end would take quadratic time.
    .replace(/[\w.-]+/g, maskWebTokens)
    .replace(
      /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^]*?(-----END [A-Z ]{0,30}PRIVATE KEY-----|$)/g,
      '[redacted]',
    )
    .replace(SECRET_IN_TEXT, '$1[redacted]');
};

/** Whether a text is a PNG, JPEG or WebP in base64, in which secrets would be found by chance. */
const isPicture = (text) => {
  const start =
    /^(data:[a-z]{1,20}\/[a-z.+-]{1,50};base64,)?(?=iVBORw0KGg|\/9j\/|UklGR)/i.exec(text);
  return start && !/[^A-Za-z0-9+/=\r\n]/.test(text.slice(start[0].length));
};

/**
 * Mask JSON Web Tokens (RFC 7519): header, payload and signature, with points between them.
 *
 * A header begins with {" and so, in base64, with eyJ.
 */
const maskWebTokens = (run) => {
  if (!run.includes('eyJ')) return run;
  const parts = run.split('.');
  for (let n = 0; n + 2 < parts.length; n++) {
    const start = parts[n].indexOf('eyJ');
    if (start < 0 || parts[n].length < start + 11 || parts[n + 1].length < 8) continue;
    parts[n] = parts[n].slice(0, start) + '[redacted]';
    parts[n + 1] = null;
    parts[n + 2] = null;
    n += 2;
  }
  return parts.filter(isText).join('.');
};

/**
 * Mask a card number, and keep its last four digits. Other numbers of that length stay.
 *
 * The last digit is a Luhn check digit: every second one from there is doubled, the digits of the
 * results are added, and the sum ends with 0.
 */
const maskCard = (text) => {
  const digits = text.replace(/\D/g, '');
  let sum = 0;
  for (let n = 0; n < digits.length; n++) {
    sum += Number((digits.length - n) % 2 ? digits[n] : '0246813579'[digits[n]]);
  }
  const isCard = sum % 10 === 0 && /^(2[2-7]|[3-6])/.test(text);
  return isCard ? '[card ****' + digits.slice(-4) + ']' : text;
};
