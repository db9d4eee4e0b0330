import assert from 'node:assert/strict';
import { test } from 'node:test';

import { config } from '../config.js';
import { emailIn, mergeUsers, readUser } from '../user.js';

test('an address is read without spaces around it, a placeholder is none', () => {
  assert.equal(emailIn(' Ann@Example.com '), 'Ann@Example.com');
  for (const value of ['ann', 'a b@c', '@', 5, null, undefined, 'Unknown@example.com']) {
    assert.equal(emailIn(value), '', String(value));
  }
});

test('a site adds placeholders', () => {
  config.placeholders = 'guest@x.com, demo@x.com';
  assert.equal(emailIn('Demo@x.com'), '');
  delete config.placeholders;
  assert.equal(emailIn('Demo@x.com'), 'Demo@x.com');
});

test('a user is an address, an object, or an object in a session', () => {
  const expected = { email: 'Ann@b.c', key: 'ann@b.c', name: undefined, id: undefined };
  for (const given of ['Ann@b.c', { userEmail: 'Ann@b.c' }, { user: { email: 'Ann@b.c' } }]) {
    assert.deepEqual({ ...readUser(given) }, expected);
  }
});

test('names and ids are read in their usual spellings', () => {
  const user = readUser({ email: 'a@b', full_name: ' Ann B ', user_id: 7 });
  assert.deepEqual([user.name, user.id], ['Ann B', 7]);
  assert.equal(readUser({ email: 'a@b', id: 'not an id' }).id, undefined);
});

test('what names no one is no user', () => {
  for (const given of [undefined, null, 5, 'ann', [], {}, { user: { user: { email: 'a@b' } } }]) {
    assert.equal(readUser(given), undefined);
  }
});

test('members of Object.prototype name no one', () => {
  Object.prototype.email = 'evil@x.com';
  try {
    assert.equal(readUser({}), undefined);
  } finally {
    delete Object.prototype.email;
  }
});

const keyOf = (...given) => mergeUsers(...given)?.key;

test('a payload counts first, then users within it, the argument, and who is here', () => {
  const here = [undefined, readUser('here@x')];
  assert.equal(keyOf({ email: 'own@x', user: { email: 'in@x' } }, 'arg@x', here), 'own@x');
  assert.equal(keyOf({ user: { email: 'in@x' } }, 'arg@x', here), 'in@x');
  assert.equal(keyOf({ dashboardData: { userProfile: { email: 'in@x' } } }, 'arg@x', here), 'in@x');
  assert.equal(keyOf({}, 'arg@x', here), 'arg@x');
  assert.equal(keyOf({}, undefined, here), 'here@x');
  assert.equal(keyOf({}, undefined, []), undefined);
});

test('only sources that name the same user complete it', () => {
  const here = [readUser({ email: 'A@x', name: 'Ann' }), readUser({ email: 'b@x', id: 7 })];
  const user = mergeUsers({ email: 'a@x' }, undefined, here);
  assert.deepEqual([user.email, user.name, user.id, user.own], ['a@x', 'Ann', undefined, true]);
  assert.equal(mergeUsers({}, undefined, here).own, false);
});
