import assert from 'node:assert/strict';
import { test } from 'node:test';

import { config } from '../config.js';
import { emailIn, mergeUsers, readUser } from '../user.js';

const read = (value) => readUser(JSON.stringify(value));
const base64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const token = (claims) => `${base64({ alg: 'HS256' })}.${base64(claims)}.c2lnbmF0dXJl`;

test('an address is trimmed, and a placeholder is no address', () => {
  assert.equal(emailIn(' Ann@Example.com '), 'Ann@Example.com');
  const others = [
    'ann', 'a b@c', '@', 5, null, undefined, 'Unknown@example.com',
    'user_1795950058949@example.com',
    '{"email":"a@b.c"}',
  ];
  for (const value of others) assert.equal(emailIn(value), '', String(value));
});

test('a site adds placeholders, and patterns of them', () => {
  config.placeholders = 'guest@x.com, /^anon\\d*@/, /(/';
  for (const email of ['Guest@x.com', 'anon@x.com', 'Anon17@y.com']) {
    assert.equal(emailIn(email), '');
  }
  assert.equal(emailIn('canon@x.com'), 'canon@x.com');
  delete config.placeholders;
  assert.equal(emailIn('Guest@x.com'), 'Guest@x.com');
});

test('a user is read from an address, or from JSON in any envelope', () => {
  const texts = [
    'Ann@b.c', '"Ann@b.c"', '{"userEmail": "Ann@b.c"}', '{ "user" : { "email" : "Ann@b.c" } }',
    JSON.stringify({ state: { user: { email: 'Ann@b.c' } }, version: 0 }),
    JSON.stringify({ auth: JSON.stringify({ user: { email: 'Ann@b.c' } }) }),
    'base64-' + base64({ user: { email: 'Ann@b.c' } }),
    JSON.stringify({ access_token: token({ email: 'Ann@b.c' }) }),
    'Bearer ' + token({ email: 'Ann@b.c' }),
  ];
  for (const text of texts) {
    const { email, key } = readUser(text) || {};
    assert.deepEqual([email, key], ['Ann@b.c', 'ann@b.c'], text);
  }
});

test('names and ids are read in their usual spellings', () => {
  for (const name of ['name', 'full_name', 'fullName', 'displayName', 'userName']) {
    assert.equal(read({ email: 'a@b', [name]: 'Jürgen Müller' }).name, 'Jürgen Müller');
  }
  const idOf = (more) => read({ email: 'a@b', ...more }).id;
  assert.equal(idOf({ user_id: 7 }), 7);
  assert.equal(idOf({ uid: 'x-7' }), 'x-7');
  assert.equal(idOf({ id: '12345678901234567890' }), '12345678901234567890');
  assert.equal(idOf({ id: 'not an id' }), undefined);
  assert.equal(readUser('x ' + token({ email: 'ü@b', sub: 'u-1' })).id, 'u-1');
});

test('a session says whether it is over', () => {
  assert.ok(read({ email: 'a@b', expires_at: 1700000000 }).isOver);
  for (const more of [{}, { expires_at: 4e9 }]) assert.ok(!read({ email: 'a@b', ...more }).isOver);
});

test('a text without an address is no user', () => {
  const nobody = { email: 'unknown@example.com' };
  const values = [undefined, null, 5, 'ann', [], {}, nobody, { id: 'a@b' }];
  for (const value of values) assert.equal(read(value), undefined);
  assert.equal(readUser('Bearer ' + token({ role: 'anon' })), undefined);
});

const keyOf = (body, argument, around) =>
  mergeUsers([read(body), readUser(argument)], around)?.key;

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
  const signedIn = [read({ email: 'A@x', name: 'Ann' }), read({ email: 'b@x', id: 7 })];
  const user = mergeUsers([read({ email: 'a@x' })], signedIn);
  assert.deepEqual([user.email, user.name, user.id, user.own], ['a@x', 'Ann', undefined, 'a@x']);
  assert.equal(mergeUsers([], signedIn).own, false);
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
    { contact: { email: 'payer@x' } }, { variables: { input: { buyerEmail: 'payer@x' } } },
    { merchant: { email: 'shop@x' }, customer: { email: 'payer@x' } },
    { created_by: { email: 'admin@x' }, email: 'payer@x' },
    { admin_email: 'a@x', email: 'payer@x' }, { shopper: { email: 'payer@x' } },
    { 'order[billing][email]': 'payer@x', 'order[seller][email]': 'shop@x' },
  ];
  const signedIn = [undefined, readUser('here@x')];
  for (const payload of payloads) {
    assert.equal(keyOf(payload, undefined, signedIn), 'payer@x', JSON.stringify(payload));
    const more = { ...payload, user_email: 'own@x' };
    if (!payload.User_Email) assert.equal(keyOf(more, undefined, signedIn), 'own@x');
  }
});

test('a member that is no payer\'s address leaves the save to the signed-in user', () => {
  const signedIn = [readUser('here@x')];
  const payloads = [
    { receipt_email: true }, { customer: 'cus_1' }, { customer: null }, { payer: [] },
    { support_email: 'help@x' }, { billing_details: { email: '' } }, { customer: { id: 'a@x' } },
    { receipt_email: 'unknown@example.com' }, { merchant: { email: 'shop@x' } }, { emails: 'a@x' },
    { email: 'user_1795950058949@example.com' }, { agent: { email: 'a@x' } },
    { 'order[vendor][email]': 'a@x' }, { vendor: { contact: { email: 'a@x' }, name: 'V' } },
  ];
  for (const payload of payloads) {
    assert.equal(keyOf(payload, undefined, signedIn), 'here@x', JSON.stringify(payload));
  }
});
