/**
 * Mask secrets before anything is kept: passwords, tokens, keys, card numbers. Pure functions.
 *
 * The texts may be a stranger's, so each pattern takes linear time.
 */

import { plainKey } from './canonical.js';
import { MAX_NAMES, MAX_TEXT_CHARACTERS, MIN_CARD_NUMBER } from './constants.js';
import { quietly } from './errors.js';
import { isJsonText } from './fields.js';
import { isEmpty, isObject, parseJson, startWalking } from './values.js';

const WORDS =
  'pass(e|w?.r[dt]|wd|phrase|code)|kennwort|contrase.?a|pwd?|csc(.?code)?|cv[cdnv]|secret|' +
  'token|otp|mnemonic|credentials?|authorization|basic.?auth|' +
  '(access|api|auth\\w{0,9}|backup|card|cv[cdnv]|factor|login|mfa|onetime|otp|private|recovery|' +
  'reset|secret|security|seed|sms|[2t]fa|verification).?(answer|code|key|phrase|word)s?';

/** Words that are a name of their own; at the end of `spin` or `japan` they mean nothing. */
const SHORT_WORDS = '(card)?(pin|pan)|((user|account|db|smtp).?)?pass|jwt|seed|clave|mdp';

/**
 * A secret's name ends with such a word (accessToken, API_KEY), perhaps numbered or confirming, or
 * has a password's name in another language. A short part of that name will do, if it is in no
 * other word: `chosenOrder` has `senord`.
 */
const SECRET = new RegExp('^(?!has|show|forgot)' +
  '(.*(' + WORDS + '|cookie|(card|cc)n(o|um(ber)?))|' + SHORT_WORDS + ')' +
  '(\\d|v\\d|confirm.*|wiederhol.*|again|repeat|new|nueva|old|hash|salt|hex|base|pem)*$|' +
  '(password|secret|cv[cv]|sstoken|seedwords|mnemonic)(value|number|list|words)$|' +
  '^(nova|minha|confirmar)?senha|code(de)?s.curit|' +
  'chtwoo|l.senord|gangskode|kodeord|salas.na|slapta|lozink|zapor|jelsz|' +
  'parool|parol[aeă]$|h[ae]s[lł]o$|geslo$|[sş]ifre|fhocal|паро|^κωδ.κ.ς($|πρ.σ)|' +
  '密[码碼]|口令|パスワ|暗証');

/**
 * The secrets in a text: JSON Web Tokens (RFC 7519), private keys, and what follows such a word, up
 * to the line's end or the next name: `password: x`, `token="x"&a=b`.
 *
 * A token's header begins with {" and so, in base64, with eyJ. Its length is limited, so that the
 * time is linear.
 */
const SECRET_IN_TEXT = new RegExp('eyJ[\\w-]{8,400}\\.[\\w-]{8,9999}\\.[\\w-]*|' +
  '-----BEGIN [A-Z ]*PRIVATE KEY[^]*?(?:-END[A-Z -]*|$)|' +
  '((?:' + WORDS + '|\\b(?:' + SHORT_WORDS + '))\\\\*["\']?\\s*[=:]\\s*)' +
  '(?:(?<quote>\\\\*["\'])(?:(?!\\k<quote>)[^])*|(?:(?!\\s[\\w-]+[=:])[^\\r\\n&;"\'},])+)', 'gi');

/** Visa, Mastercard, American Express, Discover, UnionPay. The service knows all issuers. */
const CARD = /^((4\d|5[1-5]|6[25])\d{14}|3[47]\d{13})$/;

/** Names of the page's fields for passwords and cards: their values are secrets, too. */
export const secretNames = new Set();

/** Names of members, and whether they are a secret's: large saves repeat a few names. */
const namesSeen = new Map();

const spell = (key) => plainKey(key).slice(-99);

const isSecretName = (key) => {
  if (!namesSeen.has(key)) {
    if (namesSeen.size >= MAX_NAMES) namesSeen.clear();
    namesSeen.set(key, SECRET.test(spell(key)));
  }
  return namesSeen.get(key);
};

const isSecret = (key, value) => {
  if (key >= 0 || !isSecretName(key)) return false; // a number is an index
  // A token may be a coin: {"payToken": "USDT"}, {"baseToken": {"symbol": "SOL"}}.
  return !(/token$/.test(spell(key)) && (isObject(value) || value.length < 6));
};

const maskMember = (key, value) => {
  if (isEmpty(value) || typeof value === 'boolean') return value; // showPassword
  if (isSecret(key, value) || secretNames.has(key)) return '[redacted]';
  if (isObject(value) || Math.abs(value) < MIN_CARD_NUMBER) return value;
  const text = String(value);
  const masked = maskText(text);
  return masked === text ? value : masked; // a number stays a number
};

/** Begin to mask the secrets in a tree, as `startWalking` does. */
export const startMasking = (tree) => startWalking(tree, maskMember);

/** Parse JSON and mask the secrets in it. */
export const mask = (json) => parseJson(json, maskMember);

/** A time. With a point or colon at least every 14 digits, no card number is in it. */
const TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.]{0,12}(Z|[+-]\d\d:?\d\d)?$/;

/** Whether a text is a file in base64, in which secrets would be found by chance. */
const isFile = (text) =>
  text.length > 9999 && !/[^\w+/=\r\n]/.test(text.replace(/^data:[^,]{9,80},/, ''));

/** Mask the secrets in a text. Most texts hold nothing like one, and are left at once. */
export const maskText = (text) => {
  if (isFile(text) || !/[=:{[-]|\d{4}|eyJ/.test(text) || TIME.test(text)) return text;
  if (text.length > MAX_TEXT_CHARACTERS) return '[redacted]';
  if (isJsonText(text)) {
    const masked = quietly(() => JSON.stringify(mask(text)));
    // Without a secret it stays as it was written.
    if (masked) return masked === JSON.stringify(JSON.parse(text)) ? text : masked;
  }
  return text
    // Card numbers, in the groups in which they are written.
    .replace(/[+.]?\b((\d{4}[ -]?){3}\d{4}|\d{4}[ -]?\d{6}[ -]?\d{5})\b(?!-)/g, maskCard)
    .replace(SECRET_IN_TEXT, '$1$<quote>[redacted]');
};

/**
 * Mask a card number, and keep its last four digits. Other numbers of that length stay, also those
 * after a plus (phones) or a point (fractions).
 *
 * The last digit is a Luhn check digit: every second one from there is doubled, the digits of the
 * results are added, and the sum ends with 0.
 */
const maskCard = (text) => {
  const digits = text.replace(/[ -]/g, '');
  const sum = [...digits].reverse()
    .reduce((before, digit, n) => before + (n % 2 && digit < 9 ? digit * 2 % 9 : +digit), 0);
  return sum % 10 || !CARD.test(digits) ? text : '[card ****' + digits.slice(-4) + ']';
};
