import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { config } from '../config.js';
import { findRule, loadRules, readRule } from '../rules.js';

beforeEach(() => {
  delete config.rules;
  delete config.without;
  loadRules();
});

const kindOf = (type, text, body) => findRule(type, text, body)?.kind;

const ORIGIN = 'https://get.example.com'; // the name of a host says nothing
const kindOfAddress = (path) => findRule('url', ORIGIN + path, undefined, ORIGIN.length)?.kind;

const SAVES = {
  payment: '/payment /api/v2/payments /user_payment_records /payment/process /payments/42 ' +
    '/payments/create /save-payment /api/savePayment /payment.php /process_payment.php ' +
    '/payments.json /payment/verify-payment /payment/complete /payment/confirm /payment/success ' +
    '/crypto-payment/verify /checkout /checkout/complete /orders /create-order /orders/42 ' +
    '/rest/v1/rpc/record_user_payment /functions/v1/create-payment /trpc/payment.create ' +
    '/api/collections/payments/records/abcdef /v1/databases/x/collections/payments/documents ' +
    '/payments/6e1c1d39-3fa5-4f1a-9c6e-0f3a2b1c4d5e /proxy/https://x.example/payments',
  questionnaire: '/questionnaire/save /questionnaires/7 /api/users/u-1/questionnaire ' +
    '/onboarding /onboarding/complete /saveQuestionnaire /questionnaire_answers',
  dashboard: '/dashboard/save /user-dashboard /dashboards/equity /rest/v1/rpc/update_dashboard',
  activity: '/api/activity /activities /trading_activity_log /rpc/log_activity /activity/log',
};

test('addresses of tables, functions and steps are saves', () => {
  for (const [kind, paths] of Object.entries(SAVES)) {
    for (const path of paths.split(' ')) assert.equal(kindOfAddress(path), kind, path);
  }
});

test('reads, settings and other addresses are no saves', () => {
  const paths = '/repayments /payment-methods /paymentMethods /agent_payment_methods /users ' +
    '/payment_settings /payments/settings /dashboard_layout /dashboardLayout /rpc/get_payments ' +
    '/rpc/get_dashboard_stats /getPayments /payments/list /orders/search /payments/validate ' +
    '/validate_payment /fetch-payments /api/data-capture/payment /invoice/payment /borders ' +
    '/payment_intents /payment/capture /checkout/session /dashboard/login /payments/42/notes';
  for (const path of paths.split(' ')) assert.equal(kindOfAddress(path), undefined, path);
});

test('a rule of a site can name what the script takes for a read, and a body', () => {
  config.rules = [
    { kind: 'payment', url: '/get-payment$' },
    { kind: 'payment', url: '/graphql$', body: 'mutation\\s+Pay' },
  ];
  loadRules();
  assert.equal(kindOfAddress('/get-payment'), 'payment');
  assert.equal(kindOf('url', '/graphql'), 'payment'); // until the body is known
  assert.equal(kindOf('url', '/graphql', '{"query":"mutation Pay {"}'), 'payment');
  assert.equal(kindOf('url', '/graphql', '{"query":"{ payments }"}'), undefined);
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
