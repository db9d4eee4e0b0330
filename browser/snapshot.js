/**
 * Take a copy of a call's arguments as JSON, before the call changes them.
 */

import { MAX_MEMBERS, MAX_SAVE_CHARACTERS } from './constants.js';
import { refuseLarge } from './history.js';
import { window } from './natives.js';
import { isObject, isText, record } from './values.js';

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
  const room = { kind, members: MAX_MEMBERS, characters: MAX_SAVE_CHARACTERS };
  const text = JSON.stringify(copyOf(payload, room));
  if (!/^{/.test(text)) throw Error('no object');
  return [text, { user: kind === 'dashboard' && JSON.stringify(user) }];
};

/**
 * Copy what JSON can hold of a value.
 *
 * A replacer of JSON.stringify takes 50 times as long.
 *
 * @param room what is left of the limits of one save. A copy that would freeze the page ends: of
 *   holes, bytes, cycles.
 */
export const copyOf = (given, room) => {
  const value = typeof given?.toJSON === 'function' ? given.toJSON() : given;
  // Reading some members of window and of elements prints warnings in the console.
  if (value instanceof Node || value === window) return undefined;
  if (isText(value)) room.characters -= value.length;
  const length = Array.isArray(value) ? value.length : value?.byteLength;
  if (room.members-- < 0 || room.characters < 0 || length > MAX_MEMBERS) refuseLarge(room.kind);
  if (!isObject(value)) return value;
  if (Array.isArray(value)) return Array.from(value, (one) => copyOf(one, room));
  const copy = record();
  for (const key of Object.keys(value)) copy[key] = copyOf(value[key], room);
  return copy;
};
