import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bodyToJson, fieldsToJson } from '../fields.js';

test('fields become members, and repeated fields become an array', () => {
  const fields = [['a', '1'], ['b', '2'], ['a', '3'], ['a', '4']];
  assert.equal(fieldsToJson(fields), '{"a":["1","3","4"],"b":"2"}');
});

test('fields without a name are left out, and a file is reduced to its name', () => {
  assert.equal(fieldsToJson([['', 'x'], ['f', { name: 'a.png' }]]), '{"f":"a.png"}');
});

test('a field named like a member of every object is an ordinary field', () => {
  const fields = [['toString', '1'], ['__proto__', '2']];
  assert.equal(fieldsToJson(fields), '{"toString":"1","__proto__":"2"}');
});

test('a body is read as JSON or as fields, and is empty otherwise', () => {
  assert.equal(bodyToJson('\ufeff {"a":1}\n'), '{"a":1}');
  assert.equal(bodyToJson('a=1&b=x%20y'), '{"a":"1","b":"x y"}');
  assert.equal(bodyToJson('a=1 2&b=x y'), '{"a":"1 2","b":"x y"}');
  const others = ['', 'a plain text', '=x', '<xml a="1"/>', 'a=some words of a text', 'A=1\nB=2\n'];
  for (const text of others) assert.equal(bodyToJson(text), '{}');
});
