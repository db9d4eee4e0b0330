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
import { isEmpty, isObject, parseJson } from './values.js';

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
  // A file in base64, in which secrets would be found by chance.
  const isLong = text.length > MIN_PICTURE_CHARACTERS;
  if (isLong && /^(data:[^,]{9,80},)?[\w+/=\r\n]+$/.test(text)) return text;
  if (text.length > MAX_TEXT_CHARACTERS) return '[redacted]';
  return text
    // Card numbers, in the groups in which they are written; after a plus it is a phone number.
    .replace(/\+?\b((\d{4}[ -]?){3}\d{4}|\d{4}[ -]?\d{6}[ -]?\d{4,5}|\d{13,19})\b/g, maskCard)
    // JSON Web Tokens (RFC 7519): a header begins with {" and so, in base64, with eyJ. Its length
    // is limited, so that the time is linear.
    .replace(/eyJ[\w-]{8,400}\.[\w-]{8,9999}\.[\w-]*/g, '[redacted]')
    .replace(
      /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^]*?(-----END [A-Z ]{9,40}-----|$)/g,
      '[redacted]',
    )
    .replace(SECRET_IN_TEXT, '$1[redacted]');
};

/**
 * Mask a card number, and keep its last four digits. Other numbers of that length stay.
 *
 * The last digit is a Luhn check digit: every second one from there is doubled, the digits of the
 * results are added, and the sum ends with 0.
 */
const maskCard = (text) => {
  const digits = text.replace(/\D/g, '');
  const sum = [...digits].reverse()
    .reduce((before, digit, n) => before + Number(n % 2 ? '0246813579'[digit] : digit), 0);
  const isCard = sum % 10 === 0 && /^(2[2-7]|[3-6])/.test(text);
  return isCard ? '[card ****' + digits.slice(-4) + ']' : text;
};
