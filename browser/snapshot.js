/**
 * Take a copy of a call's arguments, before the call changes them.
 */

import { MAX_MEMBERS, MAX_SAVE_CHARACTERS } from './constants.js';
import { refuseLarge } from './history.js';
import { window } from './natives.js';
import { isObject, isRecord, record } from './values.js';

/**
 * Return a copy of a call's payload, and what else the call says.
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
  const copy = copyOf(payload, room);
  if (!isRecord(copy)) throw Error('no object');
  const size = MAX_SAVE_CHARACTERS - room.characters;
  return { copy, size, user: kind === 'dashboard' && JSON.stringify(user) };
};

/**
 * Copy what JSON can hold of a value, as JSON.stringify reads it. Texts cannot change, so a large
 * one costs nothing here.
 *
 * @param room what is left of the limits of one save. A copy that would freeze the page ends: of
 *   holes, bytes, cycles.
 */
export const copyOf = (given, room) => {
  const value = typeof given?.toJSON === 'function' ? given.toJSON() : given;
  const type = typeof value;
  // Reading some members of window and of elements prints warnings in the console.
  if (value instanceof Node || value === window || type === 'function' || type === 'symbol') {
    return undefined;
  }
  if (type === 'bigint') throw Error('no JSON');
  if (type === 'string') room.characters -= value.length;
  const length = Array.isArray(value) ? value.length : value?.byteLength;
  if (room.members-- < 0 || room.characters < 0 || length > MAX_MEMBERS) refuseLarge(room.kind);
  if (!isObject(value)) return type === 'number' && !isFinite(value) ? null : value;
  if (Array.isArray(value)) return Array.from(value, (one) => copyOf(one, room));
  const copy = record();
  for (const key of Object.keys(value)) {
    const member = copyOf(value[key], room);
    room.characters -= key.length;
    if (member !== undefined) copy[key] = member;
  }
  return copy;
};
