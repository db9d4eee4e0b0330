import assert from 'node:assert/strict';
import { test } from 'node:test';

import { config } from '../config.js';
import { emailIn, mergeUsers, readUser } from '../user.js';

test('an address is trimmed, and a placeholder is no address', () => {
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

test('a user is read from an address, an object, or an object in a session', () => {
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

test('a value without an address is no user', () => {
  for (const given of [undefined, null, 5, 'ann', [], {}, { user: { user: { email: 'a@b' } } }]) {
    assert.equal(readUser(given), undefined);
  }
});

test('members of Object.prototype are no user', () => {
  Object.prototype.email = 'evil@x.com';
  try {
    assert.equal(readUser({}), undefined);
  } finally {
    delete Object.prototype.email;
  }
});

const keyOf = (...given) => mergeUsers(...given)?.key;

test('the user is the payload, a user in it, the argument, or the signed-in user', () => {
  const signedIn = [undefined, readUser('here@x')];
  assert.equal(keyOf({ email: 'own@x', user: { email: 'in@x' } }, 'arg@x', signedIn), 'own@x');
  assert.equal(keyOf({ user: { email: 'in@x' } }, 'arg@x', signedIn), 'in@x');
  const nested = { dashboardData: { userProfile: { email: 'in@x' } } };
  assert.equal(keyOf(nested, 'arg@x', signedIn), 'in@x');
  assert.equal(keyOf({}, 'arg@x', signedIn), 'arg@x');
  assert.equal(keyOf({}, undefined, signedIn), 'here@x');
  assert.equal(keyOf({}, undefined, []), undefined);
});

test('only sources with the same address add a name or an id', () => {
  const signedIn = [readUser({ email: 'A@x', name: 'Ann' }), readUser({ email: 'b@x', id: 7 })];
  const user = mergeUsers({ email: 'a@x' }, undefined, signedIn);
  assert.deepEqual([user.email, user.name, user.id, user.own], ['a@x', 'Ann', undefined, true]);
  assert.equal(mergeUsers({}, undefined, signedIn).own, false);
});

test('an address of a payer in the payload counts before the signed-in user', () => {
  const payloads = [
    { customer: { email: 'payer@x' } }, { customer_details: { email: 'payer@x', name: 'Ann' } },
    { customerDetails: { email: 'payer@x' } }, { billing_details: { email: 'payer@x' } },
    { billingDetails: { Email: 'payer@x' } }, { receipt_email: 'payer@x' },
    { receiptEmail: 'payer@x' }, { RECEIPT_EMAIL: 'payer@x' },
    { payer: { email_address: 'payer@x' } }, { Payer: { emailAddress: 'payer@x' } },
    { billing_email: 'payer@x' }, { billingEmail: 'payer@x' }, { customer_email: 'payer@x' },
    { 'customer-email': 'payer@x' }, { User_Email: 'payer@x' }, { Email: 'payer@x' },
  ];
  const signedIn = [undefined, readUser('here@x')];
  for (const payload of payloads) {
    assert.equal(keyOf(payload, undefined, signedIn), 'payer@x', JSON.stringify(payload));
    assert.equal(keyOf({ ...payload, user_email: 'own@x' }, undefined, signedIn), 'own@x');
  }
});

test('a member that is no payer\'s address leaves the save to the signed-in user', () => {
  const signedIn = [readUser('here@x')];
  const payloads = [
    { receipt_email: true }, { customer: 'cus_1' }, { customer: null }, { payer: [] },
    { support_email: 'help@x' }, { billing_details: { email: '' } }, { customer: { id: 'a@x' } },
    { receipt_email: 'unknown@example.com' }, { merchant: { email: 'shop@x' } }, { emails: 'a@x' },
  ];
  for (const payload of payloads) {
    assert.equal(keyOf(payload, undefined, signedIn), 'here@x', JSON.stringify(payload));
  }
});
