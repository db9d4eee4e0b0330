/**
 * What status() and the debug output tell: what was seen, and what became of it.
 */

import { log } from './errors.js';
import { maskText } from './mask.js';
import { NO_SAVE } from './rules.js';
import { record } from './values.js';

/** Counts of this page, the last save, and saves that no rule takes. */
export const report = record({ seen: 0, captured: 0, delivered: 0, last: null, unmatched: [] });

const MAX_UNMATCHED = 50;

/** Names of members that tell what a save is about. */
const SIGNS = [
  ['payment', /transaction_?id|(plan|final)_?(name|price)|payment_?(status|method)/i],
  ['questionnaire', /trades_?per_?day|account_?size/i],
  ['dashboard', /current_?equity|total_?pnl|win_?rate/i],
];

/** Note a request that looks like a save, and which no rule takes, with the rule that would. */
export const noteUnmatched = (method, path, text) => {
  const { unmatched } = report;
  const save = method + ' ' + maskText(path);
  if (unmatched.length >= MAX_UNMATCHED || unmatched.some((one) => one.save === save) ||
    NO_SAVE.test(path)) return;
  const [kind] = SIGNS.find(([, names]) => names.test(text)) || [];
  if (!kind) return;
  const rule = { kind, url: path.replace(/[^\w/-]/g, '.') + '$' };
  unmatched.push({ save, rule });
  log('no rule matches ' + save + ': add one like', JSON.stringify(rule));
};

/** Report what was captured of a save, by the names of its fields. */
export const reportSave = ({ kind, rule, email }, fields) => {
  const result = email ? 'waits for the service' : 'waits: nobody is known';
  report.last = { kind, rule, user: email, result };
  log(kind, 'by rule', rule + ':', fields.join(' '), '| user:', email, '|', result);
};

/** Report the service's answer to a capture. */
export const reportResponse = ({ kind, rule, email }, status, reason) => {
  const result = 'HTTP ' + status + (reason ? ', refused: ' + reason : '');
  report.last = { kind, rule, user: email, result };
  log(kind, result);
};
