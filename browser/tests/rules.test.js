import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { config } from '../config.js';
import { NEVER, findRule, loadRules, readRule } from '../rules.js';

beforeEach(() => {
  delete config.rules;
  delete config.without;
  loadRules();
});

const kindOf = (type, text) => findRule(type, text)?.kind;

test('requests to the tables and paths of the three kinds are saves', () => {
  const site = 'https://x.supabase.co/rest/v1';
  const kinds = {
    '/payments': 'payment',
    '/user_payment_records': 'payment',
    '/payment/process': 'payment',
    '/questionnaire/submit': 'questionnaire',
    '/dashboards/equity': 'dashboard',
  };
  for (const path of Object.keys(kinds)) assert.equal(kindOf('url', site + path), kinds[path]);
});

test('requests to other URLs are no saves', () => {
  for (const path of ['/repayments', '/payments/7', '/payment-methods', '/users']) {
    assert.equal(kindOf('url', 'https://x' + path), undefined, path);
  }
  const never = [
    '/api/data-capture/payment', '/invoice/payment', '/payment_intents', '/payment/capture/',
  ];
  for (const path of never) assert.ok(NEVER.test(path), path);
});

test("the group in a storage key's pattern is the user's address", () => {
  const [, address] = findRule('key', 'trading_state_a@b.c').key.exec('trading_state_a@b.c');
  assert.equal(address, 'a@b.c');
  assert.equal(kindOf('key', 'payment_draft'), undefined);
});

test('a form is recognised by its opening tag', () => {
  assert.equal(kindOf('form', '<form id="my-Payment-form">'), 'payment');
  assert.equal(kindOf('form', '<form action="/payment">'), undefined);
});

test('a long text is not matched, because patterns of sites may be slow', () => {
  assert.equal(kindOf('url', '/' + 'a'.repeat(2000) + '_payments'), undefined);
});

test('a site adds rules as objects or JSON, and excludes rules', () => {
  const rule = { kind: 'activity', url: '/trades$' };
  for (const rules of [rule, [rule], JSON.stringify([rule])]) {
    config.rules = rules;
    loadRules();
    assert.equal(kindOf('url', 'https://x/trades'), 'activity');
  }
  config.without = 'crypto, dashboard';
  loadRules();
  assert.equal(kindOf('key', 'crypto_verification'), undefined);
  assert.equal(kindOf('url', 'https://x/dashboard'), undefined);
  assert.equal(kindOf('key', 'trading_state_a@b'), 'dashboard');
});

test('an unusable rule is ignored, and the others apply', () => {
  const unusable = [{ kind: 'nothing' }, { kind: 'payment', url: '(' }, null];
  for (const rules of ['no JSON', '7', unusable]) {
    config.rules = rules;
    loadRules();
    assert.equal(kindOf('url', 'https://x/payments'), 'payment');
  }
});

test('a rule that is no plain object is ignored', () => {
  class Rule {
    kind = 'payment';

    url = '/trades$';
  }
  config.rules = [new Rule()];
  loadRules();
  assert.equal(kindOf('url', 'https://x/trades'), undefined);
});

test('a rule renames members, and always `type`, which is the kind in a batch', () => {
  const { as } = readRule({ kind: 'payment', as: { amount: 'price' } });
  assert.deepEqual({ ...as }, { type: 'payload_type', amount: 'price' });
});
