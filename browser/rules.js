/**
 * Rules: which calls, requests, storage keys and forms mean that the page saves something.
 */

import { config, wordsIn } from './config.js';
import { MAX_MATCHED_CHARACTERS } from './constants.js';
import { quietly } from './errors.js';
import { isPlainObject, isText, own, record } from './values.js';

/** The kinds of captures; the first is the first to go when the queue is full. */
export const KINDS = ['dashboard', 'activity', 'questionnaire', 'payment'];

/**
 * A rule matches a function's name (`call`), the address of a POST, PUT or PATCH (`url`), a storage
 * key whose group is the user's address (`key`), or a form's opening tag (`form`). `under` names
 * the member under which the save goes, `as` renames members. Each pattern is linear in its text.
 */
const RULES = [
  {
    kind: 'payment',
    call: 'savePaymentToSupabase',
    form: ' (id|name|class)="[^"]*payment',
    url: '/(\\w*_)?payments?(_\\w+)?(/(process|verify.*))?$',
    key: '^payment(_success_data|_details|Record)$',
  },
  {
    name: 'crypto',
    kind: 'payment',
    key: '^crypto_verification$',
    as: { amount: 'crypto_amount', crypto: 'crypto_currency' },
  },
  {
    kind: 'questionnaire',
    call: 'storeQuestionnaireData',
    form: ' (id|name|class)="[^"]*questionnaire',
    url: '/(\\w*_)?questionnaires?(_\\w+)?(/submit)?$',
    key: '^(questionnaireAnswers|currentQuestionnaire)$',
  },
  {
    kind: 'dashboard',
    call: 'saveDashboardToSupabase',
    url: '/(\\w*_)?dashboards?(_\\w+)?(/equity)?$',
  },
  {
    name: 'trading-state',
    kind: 'dashboard',
    key: '^trading_state_(.+)$',
    under: 'tradingState',
  },
  {
    name: 'dashboard-data',
    kind: 'dashboard',
    key: '^dashboard_data_(.+)$',
    under: 'dashboardData',
  },
];

/** Addresses and forms that look like a payment's and are none: captures, invoices, intents. */
export const NEVER = /\/capture\/?$|data-capture|invoice|payment.in(fo|tent)/i;


/**
 * Compile a rule.
 *
 * @throws if its kind is unknown or a pattern is not a regular expression.
 */
export const readRule = (given) => {
  if (!KINDS.includes(given.kind)) throw Error();
  const rule = record(given);
  for (const type of ['url', 'key', 'form']) {
    if (rule[type]) rule[type] = RegExp(rule[type], 'i');
  }
  rule.as = record({ type: 'payload_type' }, rule.as); // in a batch, `type` is the capture's kind
  return rule;
};

export let rules;

/** Compile the script's rules and the site's; leave out unusable ones and those in `without`. */
export const loadRules = () => {
  const given = isText(config.rules) ? quietly(() => JSON.parse(config.rules)) : config.rules;
  const all = quietly(() => RULES.concat(given || [])) || RULES;
  rules = all
    .map((rule) => quietly(() => isPlainObject(rule) && readRule(rule)))
    .filter((rule) => rule && !wordsIn(config.without).includes(rule.name || rule.kind));
};

/** Find the first rule whose pattern of this type matches the text. */
export const findRule = (type, text) => (
  text.length > MAX_MATCHED_CHARACTERS ? undefined : rules.find((rule) => rule[type]?.test(text))
);
