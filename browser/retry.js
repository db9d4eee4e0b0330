/**
 * Decide when captures are sent, and how many. Pure functions.
 */

import { MAX_BATCH_COUNT, MAX_DELAY_MS, MAX_RETRY_AFTER_MS, MIN_DELAY_MS } from './constants.js';

/**
 * Return how many milliseconds to wait: "full jitter", so that the pages of many visitors do not
 * return together. `tries` have failed before.
 *
 * | tries | 0   | 1   | 2   | 3   | …   | 8     | 9 and more |
 * | ----- | --- | --- | --- | --- | --- | ----- | ---------- |
 * | up to | 1 s | 2 s | 4 s | 8 s | …   | 256 s | 300 s      |
 */
export const retryDelay = (tries) =>
  Math.random() * Math.min(MAX_DELAY_MS, MIN_DELAY_MS * 2 ** tries);

/** Read a Retry-After header, which has seconds or a date: milliseconds, at most an hour. */
export const retryAfterMs = (header) => {
  const wait = header * 1000 || Date.parse(header) - Date.now();
  return wait > 0 ? Math.min(wait, MAX_RETRY_AFTER_MS) : 0;
};

/**
 * Return the captures that can be sent now, in their order.
 *
 * A user's captures of one kind are sent in the order of time. So one that has to wait holds back
 * those behind it; one that is blocked does not, as it would hold them back for ever.
 */
export const dueItems = (items, now, pausedUntil) => {
  const held = new Set();
  return items.filter((item) => {
    if (item.blocked) return false;
    const lane = item.kind + item.email;
    const isReady = item.email && !item.parts && !item.out;
    const isDue = isReady && !held.has(lane) && Math.max(item.dueAt, pausedUntil) <= now;
    if (!isDue) held.add(lane);
    return isDue;
  });
};

/** Return the first captures, as many as fit in one request; a large one goes alone. */
export const takeBatch = (items, maxBytes) => {
  let bytes = 0;
  return items.slice(0, MAX_BATCH_COUNT).filter((item, index) => {
    bytes += item.bytes;
    return index === 0 || bytes < maxBytes;
  });
};
