import assert from 'node:assert/strict';
import { test } from 'node:test';

import { mask } from '../mask.js';

const masked = (value) => JSON.parse(JSON.stringify(mask(JSON.stringify(value))));
const maskedText = (text) => masked({ note: text }).note;

test('members with a secret name are masked at all depths', () => {
  const secrets = {
    password: 'x', password2: 'x', password_confirmation: 'x', cardCVC: 123, 'security-code': 'x',
    pin: 1234, accessToken: 'x', API_KEY: { pem: 'x' }, seed_phrase: ['x'],
  };
  const result = masked({ ...secrets, inner: [secrets] });
  for (const one of [result, result.inner[0]]) {
    for (const name of Object.keys(secrets)) assert.equal(one[name], '[redacted]', name);
  }
});

test('similar names, switches and empty values are not masked', () => {
  const innocent = {
    spin: 2, pinned: 'yes', tokens_used: 5, secretary: 'Ann', showPassword: true, password: '',
  };
  assert.deepEqual(masked(innocent), innocent);
});

test('a card number in any grouping keeps only its last four digits', () => {
  for (const number of ['4242424242424242', '4242 4242 4242 4242', '4242-4242-4242-4242']) {
    assert.equal(maskedText('card ' + number + ' 12/30'), 'card [card ****4242] 12/30');
  }
  assert.equal(maskedText('3782 822463 10005'), '[card ****0005]');
  assert.equal(masked({ amount: 378282246310005 }).amount, '[card ****0005]');
});

test('times, phone numbers and numbers with a wrong check digit are no card numbers', () => {
  const numbers = {
    wrong: '4242424242424243',
    time: 1705312200000,
    phone: '+4915112345678',
    other: '9999999999999995',
  };
  assert.deepEqual(masked(numbers), numbers);
});

test('a JSON Web Token is masked with all its parts, anywhere in a text', () => {
  const token = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl';
  assert.equal(maskedText('a ' + token + ' b'), 'a [redacted] b');
  assert.equal(maskedText(token + '.more'), '[redacted].more');
  assert.equal(maskedText('/path-' + token), '/path-[redacted]');
  assert.equal(maskedText('eyJhbGciOiJIUzI1NiJ9.only-two'), 'eyJhbGciOiJIUzI1NiJ9.only-two');
});

test('secrets in a text are masked up to their end', () => {
  assert.equal(maskedText('token=abc&plan=Pro'), 'token=[redacted]&plan=Pro');
  assert.equal(maskedText('Authorization: Bearer abc, ok'), 'Authorization: [redacted], ok');
  assert.equal(maskedText('password: "a b" c'), 'password: [redacted] c');
});

test('a private key is masked, even without its end', () => {
  const key = '-----BEGIN RSA PRIVATE KEY-----\nabc\n';
  assert.equal(maskedText(key + '-----END RSA PRIVATE KEY-----.'), '[redacted].');
  assert.equal(maskedText(key), '[redacted]');
});

test('JSON in a text is masked as JSON, and is unchanged without secrets', () => {
  assert.equal(maskedText('{"token":"x", "plan":"Pro"}'), '{"token":"[redacted]","plan":"Pro"}');
  assert.equal(maskedText('{ "plan": "Pro" }'), '{ "plan": "Pro" }');
});

test('the innermost of too many layers of JSON is masked as a whole', () => {
  const nested = (layers) => (layers ? JSON.stringify([nested(layers - 1)]) : '[1]');
  assert.equal(maskedText(nested(3)), nested(3));
  assert.match(maskedText(nested(5)), /\[redacted\]/);
});

test('a picture is kept, and a text too long to search is masked as a whole', () => {
  const picture = 'data:image/png;base64,iVBORw0KGgo' + '/4242424242424242'.repeat(1000);
  assert.equal(maskedText(picture), picture);
  assert.equal(maskedText('a: ' + 'x'.repeat(1024 * 1024)), '[redacted]');
});
