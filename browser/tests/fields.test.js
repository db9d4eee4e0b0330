import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bodyToJson, fieldsToJson } from '../fields.js';

test('fields become members, repeated ones an array', () => {
  const fields = [['a', '1'], ['b', '2'], ['a', '3'], ['a', '4']];
  assert.equal(fieldsToJson(fields), '{"a":["1","3","4"],"b":"2"}');
});

test('fields without a name are left out, and of a file only its name is kept', () => {
  assert.equal(fieldsToJson([['', 'x'], ['f', { name: 'a.png' }]]), '{"f":"a.png"}');
});

test('a name of a member of every object is a name like any other', () => {
  const fields = [['toString', '1'], ['__proto__', '2']];
  assert.equal(fieldsToJson(fields), '{"toString":"1","__proto__":"2"}');
});

test('a body is JSON, or fields, or nothing', () => {
  assert.equal(bodyToJson(' {"a":1}'), ' {"a":1}');
  assert.equal(bodyToJson('a=1&b=x%20y'), '{"a":"1","b":"x y"}');
  for (const text of ['', 'a plain text', '=x', '<xml a="1"/>']) {
    assert.equal(bodyToJson(text), '{}');
  }
});
