/**
 * What the script remembers from page to page: the record `#known` of its database.
 */

import { MAX_PAID } from './constants.js';
import { unsaved } from './unsaved.js';
import { record } from './values.js';

/**
 * `paid` has the time of each payment by its numbers, `left` the users who have been signed in,
 * `dropped` the count of lost captures by kind.
 */
export const history = record({ id: '#known' });

/** Forget everything, as after a withdrawn consent. */
export const forgetHistory = () => {
  Object.assign(history, { paid: record(), left: [], dropped: record() });
};
forgetHistory();

/** Add what an earlier page remembered. */
export const restoreHistory = (saved = history) => {
  Object.assign(history, saved, {
    left: history.left.concat(saved.left),
    paid: record(saved.paid),
    dropped: record(saved.dropped),
  });
};

/** Count a capture that was given up. */
export const countDropped = (kind) => {
  history.dropped[kind] = (history.dropped[kind] || 0) + 1;
  unsaved.add(history);
};

/** Count a save that is too large, and stop handling it. */
export const refuseLarge = (kind) => {
  countDropped(kind);
  throw Error('too large');
};

/** Remember that a payment with these numbers was captured; forget the oldest. */
export const rememberPaid = (numbers) => {
  for (const number of numbers) history.paid[number] = Date.now();
  history.paid = record(Object.fromEntries(Object.entries(history.paid).slice(-MAX_PAID)));
  unsaved.add(history);
};
