import assert from 'node:assert/strict';
import { test } from 'node:test';

import { dueItems, retryAfterMs, retryDelay, takeBatch } from '../retry.js';

const withRandom = (value, work) => {
  const { random } = Math;
  Math.random = () => value;
  try {
    return work();
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

test('Retry-After has seconds or a date, and counts for at most an hour', () => {
  assert.equal(retryAfterMs('120'), 120000);
  assert.equal(retryAfterMs('86400'), 3600000);
  const inTenSeconds = retryAfterMs(new Date(Date.now() + 10000).toUTCString());
  assert.ok(inTenSeconds > 8000 && inTenSeconds <= 10000);
});

test('without a usable Retry-After there is no wait', () => {
  for (const header of [undefined, null, '', '0', '-5', 'soon', 'Thu, 01 Jan 2015 00:00:00 GMT']) {
    assert.equal(retryAfterMs(header), 0, String(header));
  }
});

const item = (more) => ({ kind: 'payment', email: 'a@b', dueAt: 0, parts: null, ...more });
const dueOf = (items, pausedUntil = 0) => dueItems(items, 100, pausedUntil).map(({ id }) => id);

test('what is due is sent in its order, and nothing of a pause', () => {
  const items = [item({ id: 1 }), item({ id: 2, dueAt: 100 }), item({ id: 3, dueAt: 101 })];
  assert.deepEqual(dueOf(items), [1, 2]);
  assert.deepEqual(dueOf(items, 101), []);
});

test('a capture that has to wait holds back those of its user and kind behind it', () => {
  const others = [
    item({ id: 2 }), item({ id: 3, email: 'c@d' }), item({ id: 4, kind: 'activity' }),
  ];
  for (const reason of [{ dueAt: 200 }, { parts: new Map() }, { out: true }]) {
    assert.deepEqual(dueOf([item({ id: 1, ...reason }), ...others]), [3, 4]);
  }
});

test('a blocked capture holds nothing back, and one without a user is not sent', () => {
  const items = [item({ id: 1, blocked: {} }), item({ id: 2, email: '' }), item({ id: 3 })];
  assert.deepEqual(dueOf(items), [3]);
});

test('a batch is limited in captures and in bytes, and a large capture goes alone', () => {
  const sizes = (items, most) => takeBatch(items.map((bytes) => ({ bytes })), most).length;
  assert.equal(sizes(Array(150).fill(1), 1000), 100);
  assert.equal(sizes([40, 40, 40], 100), 2);
  assert.equal(sizes([40, 60, 1], 100), 1);
  assert.equal(sizes([500, 1], 100), 1);
  assert.equal(sizes([], 100), 0);
});
