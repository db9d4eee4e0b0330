import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  isPlainObject, own, parseJson, record, withoutSlashes,
} from '../values.js';

test('a polluted Object.prototype adds no members', () => {
  Object.prototype.polluted = true;
  try {
    assert.equal(record({ a: 1 }).polluted, undefined);
    assert.equal(own({}, 'polluted'), undefined);
    assert.equal(parseJson('{"a":{}}').a.polluted, undefined);
  } finally {
    delete Object.prototype.polluted;
  }
});

test('own reads only own members', () => {
  assert.equal(own(undefined, 'a'), undefined);
  assert.equal(own(null, 'a'), undefined);
  assert.equal(own(Object.create({ a: 1 }), 'a'), undefined);
});

test('only literals and records are plain objects', () => {
  for (const value of [{}, record()]) assert.ok(isPlainObject(value));
  const others = [null, [], new Date(), 'x', Object.create({})];
  for (const value of others) assert.ok(!isPlainObject(value));
});

test('parseJson replaces values at all depths, and does not visit replaced ones', () => {
  const seen = [];
  const parsed = parseJson('{"a":[1,{"b":2}],"c":{"d":3}}', (key, value) => {
    seen.push(key);
    return key === 'c' ? 'replaced' : value;
  });
  assert.equal(JSON.stringify(parsed), '{"a":[1,{"b":2}],"c":"replaced"}');
  assert.deepEqual(seen.sort(), ['', '0', '1', 'a', 'b', 'c']);
});

test('slashes are removed only from the end', () => {
  assert.deepEqual(['/a/b//', '//', 'a', ''].map(withoutSlashes), ['/a/b', '', 'a', '']);
});
