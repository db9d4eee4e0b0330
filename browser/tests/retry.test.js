import assert from 'node:assert/strict';
import { test } from 'node:test';

import { dueItems, retryAfterMs, retryDelay, takeBatch } from '../retry.js';

const withRandom = (value, run) => {
  const { random } = Math;
  Math.random = () => value;
  try {
    return run();
  } finally {
    Math.random = random;
  }
};

test('the longest delay doubles with each try, up to five minutes', () => {
  const longest = [0, 1, 2, 3, 8, 9, 50].map((tries) => withRandom(1, () => retryDelay(tries)));
  assert.deepEqual(longest, [1000, 2000, 4000, 8000, 256000, 300000, 300000]);
});

test('a delay is any time up to the longest, so that pages do not return together', () => {
  assert.equal(withRandom(0, () => retryDelay(5)), 0);
  assert.equal(withRandom(0.25, () => retryDelay(2)), 1000);
});

test('Retry-After is in seconds or a date, and limited to an hour', () => {
  assert.equal(retryAfterMs('120'), 120000);
  assert.equal(retryAfterMs('86400'), 3600000);
  const date = new Date(Date.now() + 600000);
  date.setMilliseconds(0); // HTTP dates have whole seconds
  const earliest = Date.now();
  const wait = retryAfterMs(date.toUTCString());
  assert.ok(wait >= date - Date.now() && wait <= date - earliest);
});

test('without a usable Retry-After there is no wait', () => {
  for (const header of [undefined, null, '', '0', '-5', 'soon', 'Thu, 01 Jan 2015 00:00:00 GMT']) {
    assert.equal(retryAfterMs(header), 0, String(header));
  }
});

const item = (more) => ({ kind: 'payment', email: 'a@b', dueAt: 0, parts: null, ...more });
const dueOf = (items, pausedUntil = 0) => dueItems(items, 100, pausedUntil).map(({ id }) => id);

test('due captures are sent in order, and none during a pause', () => {
  const items = [item({ id: 1 }), item({ id: 2, dueAt: 100 }), item({ id: 3, dueAt: 101 })];
  assert.deepEqual(dueOf(items), [1, 2]);
  assert.deepEqual(dueOf(items, 101), []);
});

test('a waiting capture delays later captures of its user and kind', () => {
  const others = [
    item({ id: 2 }), item({ id: 3, email: 'c@d' }), item({ id: 4, kind: 'activity' }),
  ];
  for (const reason of [{ dueAt: 200 }, { parts: new Map() }, { out: true }]) {
    assert.deepEqual(dueOf([item({ id: 1, ...reason }), ...others]), [3, 4]);
  }
});

test('a blocked capture delays no other, and one without a user is not sent', () => {
  const items = [item({ id: 1, blocked: {} }), item({ id: 2, email: '' }), item({ id: 3 })];
  assert.deepEqual(dueOf(items), [3]);
});

test('a batch is limited in captures and bytes, and a large capture is sent alone', () => {
  const sizes = (items, most) => takeBatch(items.map((bytes) => ({ bytes })), most).length;
  assert.equal(sizes(Array(150).fill(1), 1000), 100);
  assert.equal(sizes([40, 40, 40], 100), 2);
  assert.equal(sizes([40, 60, 1], 100), 1);
  assert.equal(sizes([500, 1], 100), 1);
  assert.equal(sizes([], 100), 0);
});
