/**
 * Take a copy of a call's arguments as JSON, before the call changes them.
 */

import { MAX_MEMBERS, MAX_SAVE_CHARACTERS } from './constants.js';
import { refuseLarge } from './history.js';
import { window } from './natives.js';
import { hasOwn, isObject, isPlainObject, isText, record } from './values.js';

/** What one save may hold: `size` in members, `length` in characters of texts. */
export const newBudget = () => ({ size: MAX_MEMBERS, length: MAX_SAVE_CHARACTERS });

/** Take a value from a budget, and return whether it sufficed. */
const spend = (budget, value) => {
  budget.size--;
  if (isText(value)) budget.length -= value.length;
  return budget.size >= 0 && budget.length >= 0;
};

/**
 * Return the JSON of a call's payload and what else it says.
 *
 * @throws if the payload is no object, or too large.
 */
export const snapshot = (kind, [first, second, theme, user]) => {
  let payload = first;
  if (kind === 'activity') payload = record({ activity_type: first, activity_data: second });
  if (kind === 'dashboard') {
    payload = (first || second) && record({ dashboardData: first, tradingState: second, theme });
  }
  const guard = isPlainData(payload, newBudget()) ? null : withinBounds(kind);
  const text = JSON.stringify(payload, guard);
  if (!/^{/.test(text)) throw Error('no object');
  return [text, { user: kind === 'dashboard' && user }];
};

/**
 * Whether a value is small, with no getter and no toJSON.
 *
 * Then JSON.stringify needs no replacer, with which it takes 50 times as long.
 */
export const isPlainData = (value, budget) => {
  if (!spend(budget, value)) return false;
  if (!isObject(value)) return typeof value !== 'function';
  if ('toJSON' in value) return false;
  if (Array.isArray(value)) {
    for (let n = 0; n < value.length; n++) if (!isPlainData(value[n], budget)) return false;
    return true;
  }
  return isPlainObject(value) && Object.keys(value).every((key) => {
    const found = Object.getOwnPropertyDescriptor(value, key);
    return hasOwn(found, 'value') && isPlainData(found.value, budget);
  });
};

/** Return a replacer that ends a snapshot that would freeze the page: holes, bytes, cycles. */
const withinBounds = (kind) => {
  const budget = newBudget();
  return (key, value) => {
    // Reading some members of window and of elements prints warnings in the console.
    if (value instanceof Node || value === window) return undefined;
    const bytes = ArrayBuffer.isView(value) && value.byteLength;
    const length = Array.isArray(value) ? value.length : bytes;
    if (length > MAX_MEMBERS || !spend(budget, value)) refuseLarge(kind);
    return value;
  };
};
