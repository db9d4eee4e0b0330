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
 * Make a pattern of addresses whose last words are of a kind, alone or before an id or a step:
 * /rest/v1/user_payments, /save-payment.php, /trpc/payment.create, /payments/42.
 */
const at = (words) => '/(' + words + ')(\\.\\w{2,4})?(/(records|documents|rows)(/[\\w-]+)?|' +
  '[/.][\\w-]*(\\d|creat|sav|stor|submit|pay|charg|proces|verif|confirm|complet|succes|updat|' +
  'equity|log(?!in|out))[\\w-]*)?$';

/** Addresses that look like a save's and are none: reads, settings, captures, invoices, intents. */
export const NO_SAVE = RegExp(
  '[/_.,-](get|list|fetch|search|find|validat|check(?!out)|delet|remov|cancel)|setting|repay|' +
    'layout|stats|session|payment.?(method|in(fo|tent))|/capture$|data-capture|invoice',
  'i',
);

/**
 * A rule matches a function's name (`call`), the address of a POST, PUT or PATCH (`url`, but not
 * `not`) and its `body`, a storage key whose group is the user's address (`key`), or a form's
 * opening tag (`form`). `under` names the path to the save in a body, and for storage keys the
 * member under which the save goes; `as` renames members. Each pattern is linear in its text.
 */
const RULES = [
  {
    kind: 'payment',
    call: 'savePaymentToSupabase',
    form: ' (id|name|class)="[^"]*payment',
    url: at('[\\w-]*(payment|checkout)[\\w-]*|(\\w+[_-]|create|place|submit|save)?orders?'),
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
    url: at('[\\w-]*(questionnaire|onboarding)[\\w-]*'),
    key: '^(questionnaireAnswers|currentQuestionnaire)$',
  },
  {
    kind: 'dashboard',
    call: 'saveDashboardToSupabase',
    url: at('[\\w-]*dashboard[\\w-]*'),
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
  {
    kind: 'activity',
    url: at('[\\w-]*activit(y|ies)[\\w-]*'),
  },
];

/**
 * Compile a rule.
 *
 * @throws if its kind is unknown or a pattern is not a regular expression.
 */
export const readRule = (given) => {
  if (!KINDS.includes(given.kind)) throw Error();
  const rule = record(given);
  for (const type of ['url', 'not', 'body', 'key', 'form']) {
    if (rule[type]) rule[type] = RegExp(rule[type], 'i');
  }
  rule.as = record({ type: 'payload_type' }, rule.as); // in a batch, `type` is the capture's kind
  return rule;
};

export let rules;

/** Compile the script's rules and the site's; leave out unusable ones and those in `without`. */
export const loadRules = () => {
  const given = isText(config.rules) ? quietly(() => JSON.parse(config.rules)) : config.rules;
  const own = RULES.map((rule) => record({ not: NO_SAVE, name: rule.kind }, rule));
  rules = own
    .filter((rule) => !wordsIn(config.without).includes(rule.name))
    .concat(quietly(() => [].concat(given || [])) || [])
    .map((rule) => quietly(() => isPlainObject(rule) && readRule(rule)))
    .filter(Boolean);
};

/**
 * Find the first rule whose pattern of this type matches the text, and the body if it is known.
 *
 * An address is given with the length of its origin, in which `not` means nothing.
 */
export const findRule = (type, text, body, skip) => (
  text.length > MAX_MATCHED_CHARACTERS ? undefined : rules.find((rule) => (
    rule[type]?.test(text) && !(skip && rule.not?.test(text.slice(skip))) &&
    (body === undefined || rule.body?.test(body) !== false)
  ))
);
