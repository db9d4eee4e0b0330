import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { mask } from '../mask.js';

const NAMES = new URL('../../data_capture/redaction/secret_names.json', import.meta.url);
const { cases: CASES, cases_left_to_the_service: LEFT } = JSON.parse(readFileSync(NAMES, 'utf8'));

const masked = (value) => JSON.parse(JSON.stringify(mask(JSON.stringify(value))));
const isMasked = (value) => /^\[(redacted|card )/.test(value);
const maskedText = (text) => masked({ note: text }).note;

test('members with a secret name are masked at all depths', () => {
  const secrets = {
    password: 'x', password2: 'x', password_confirmation: 'x', cardCVC: 123, 'security-code': 'x',
    pin: 1234, jwt: 'x', accessToken: 'abcdef', API_KEY: { pem: 'x' }, seed_phrase: ['x'],
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

const CARDS = [
  '4242424242424242', '5555555555554444', '378282246310005', '6555900000604105',
  '6200000000000005', '4000056655665556', '5200828282828210', '371449635398431',
  '341111111111111', '4111111111111111',
];

test('a file in base64 stays, however large; another large text is masked as a whole', () => {
  const base64 = 'iVBORw0KGgo4242424242424242/pin=+Ab'.replace('=', '+');
  for (const start of ['', 'data:image/png;base64,', 'data:text/plain;charset=utf-8;base64,']) {
    const file = start + base64.repeat(19e6 / base64.length) + '==';
    assert.ok(maskedText(file) === file);
    assert.ok(maskedText(file.slice(0, 20000)) === file.slice(0, 20000));
  }
  assert.equal(maskedText(base64.repeat(5e4) + ' password: x'), '[redacted]');
});

test('a secret beside a time is masked, and a time alone stays', () => {
  const times = ['2024-01-15T10:30:00.000Z', '2024-01-15 10:30', '2024-01-15T10:30:00+01:00'];
  for (const time of times) {
    assert.equal(maskedText(time), time);
    assert.equal(maskedText(time + ' pin: 1234'), time + ' pin: [redacted]');
    const card = '378282246310005';
    assert.equal(maskedText(time + ' ' + card), time + ' [card ****0005]');
  }
  assert.equal(maskedText('2024-01-15 378282246310005'), '2024-01-15 [card ****0005]');
});

test('a name is looked at once for all its values, and the list of names is limited', () => {
  for (let n = 0; n < 1500; n++) {
    assert.deepEqual(masked({ ['field' + n]: 'x', ['token' + n]: 'abcdef', payToken: 'USDT' }),
      { ['field' + n]: 'x', ['token' + n]: '[redacted]', payToken: 'USDT' });
    assert.deepEqual(masked({ payToken: 'abcdefgh' }), { payToken: '[redacted]' });
  }
});

test('card numbers in printed groups keep only their last four digits', () => {
  for (const number of CARDS) {
    const mask = '[card ****' + number.slice(-4) + ']';
    const groups = number.length === 15
      ? [number.slice(0, 4), number.slice(4, 10), number.slice(10)]
      : number.match(/..../g);
    for (const written of [number, groups.join(' '), groups.join('-')]) {
      assert.equal(maskedText('card ' + written + ' 12/30'), 'card ' + mask + ' 12/30');
    }
    assert.equal(masked({ amount: Number(number) }).amount, mask);
  }
});

test('times, phones, ids of other lengths and wrong check digits are no card numbers', () => {
  const numbers = {
    wrong: '4242424242424243', time: 1705312200000, phone: '+4915112345678',
    phoneOf15: '+378282246310005', other: '9999999999999995', fraction: '0.4242424242424242',
    payment: '403993715563177565', chat: '456226577798135801', snowflake: '1100000000000000009',
    imei: '352846111222337', ean: '4006381333931', order: 4006381333931,
    tracking: '92612902014560553144610071', ups: '1Z4242424242424242', fifteen: '424242424242422',
    fourteen: '42424242424242', diners: '30569309025904', visa19: '4000000000000000006',
    hash: 'a4242424242424242', uuid: '42424242-4242-4242-8242-424242424242a',
  };
  assert.deepEqual(masked(numbers), numbers);
});

test('names that the service knows as harmless are not masked', () => {
  for (const [name, value] of Object.entries(CASES.not_secret)) {
    assert.deepEqual(masked({ [name]: value }), { [name]: value });
  }
});

test('names of secrets and cards are masked, but those that are left to the service', () => {
  const names = Object.entries({ ...CASES.secret, ...CASES.card });
  const kept = names.filter(([name, value]) => !isMasked(masked({ [name]: value })[name]));
  assert.deepEqual(kept.map(([name]) => name).sort(), [...LEFT].sort());
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
  assert.equal(maskedText('Authorization: Bearer abc\nok'), 'Authorization: [redacted]\nok');
  assert.equal(maskedText('seed phrase: abandon ability able'), 'seed phrase: [redacted]');
  assert.equal(maskedText('password: correct horse plan=Pro'), 'password: [redacted] plan=Pro');
  assert.equal(maskedText('api key = abc def\r\nnext line'), 'api key = [redacted]\r\nnext line');
  assert.equal(maskedText('password: "a b" c'), 'password: "[redacted]" c');
  assert.equal(maskedText('mot de passe : a b'), 'mot de passe : [redacted]');
  assert.equal(maskedText('cookie: accepted'), 'cookie: accepted');
});

test('a private key is masked, even without its end', () => {
  const key = '-----BEGIN RSA PRIVATE KEY-----\nabc\n';
  assert.equal(maskedText(key + '-----END RSA PRIVATE KEY-----.'), '[redacted].');
  assert.equal(maskedText(key), '[redacted]');
});

test('JSON in a text stays JSON, and is unchanged without secrets', () => {
  const text = '{"token":"abcdef", "plan":"Pro", "user_pass2":"x", "пароль":"x"}';
  const masked = { token: '[redacted]', plan: 'Pro' };
  Object.assign(masked, { user_pass2: '[redacted]', пароль: '[redacted]' });
  assert.equal(maskedText(text), JSON.stringify(masked));
  assert.equal(maskedText('{ "plan": "Pro" }'), '{ "plan": "Pro" }');
});

test('secrets are masked in JSON in JSON in JSON', () => {
  const nested = (layers, value) => (
    layers ? JSON.stringify({ a: nested(layers - 1, value) }) : value
  );
  const secrets = JSON.stringify({ password: 'hunter2', pin: '1234', card: '4242424242424242' });
  for (const layers of [0, 1, 2, 3]) {
    let text = maskedText(nested(layers, secrets));
    for (let layer = 0; layer < layers; layer++) text = JSON.parse(text).a;
    const { password, pin, card } = JSON.parse(text);
    assert.deepEqual([password, pin, card], ['[redacted]', '[redacted]', '[card ****4242]']);
  }
});

test('a name that has more after the secret word is masked', () => {
  const names = ['passwordNew', 'new_password_old', 'user_pass', 'seedWords', 'privateKeyHex',
    'minhaSenha', 'cvv2', 'password_confirmation', 'password-again', 'newPasswordValue',
    'apiKeyV2', 'accessTokenValue', 'cvv_number', 'secretKeyBase64', 'mnemonicWords'];
  for (const name of names) assert.ok(isMasked(masked({ [name]: 'x' })[name]), name);
});

test('a picture is kept, and a text too long to search is masked as a whole', () => {
  const picture = 'data:image/png;base64,iVBORw0KGgo' + '/4242424242424242'.repeat(1000);
  assert.equal(maskedText(picture), picture);
  assert.equal(maskedText('a: ' + 'x'.repeat(1024 * 1024)), '[redacted]');
});
