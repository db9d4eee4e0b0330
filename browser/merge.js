/**
 * Merge the signals of one user action into one capture.
 *
 * A capture grows while it has `parts`, one for each source. It is closed when the action is over.
 */

import { setBody } from './attribution.js';
import {
  belongsTo, canonicalJson, edgesOf, IN_COMMON, mergePreferFirst, valuesIn,
} from './canonical.js';
import {
  ACTION_MS, API, DAY_MS, MAX_EARLIER, MAX_OPEN, QUIET_MS, REPEAT_MS, REQUEST, RESPONSE_MS,
  STORAGE_KEY,
} from './constants.js';
import { history, rememberPaid } from './history.js';
import { makeRoom, queue, seenIds } from './queue.js';
import { report, reportSave } from './report.js';
import { isWithin, now } from './timers.js';
import { mergeUsers, readUser, userFilter } from './user.js';
import { record, saysNothing } from './values.js';

/** The text that each source saved last, for each user. */
export const earlierTexts = new Map();

/** Whether the site's server refused a save, or the page aborted it. */
const isRefused = ({ outcome }) => /^(failed|unknown)/.test(outcome?.());

/**
 * Whether this source said the same just before.
 *
 * A dashboard is a state: the same again is a repetition at any time. Anything else can be saved
 * twice on purpose.
 */
const isRepeat = (part) => {
  const key = [part.kind, part.from, part.user?.key, part.row].join('\n');
  const last = earlierTexts.get(key);
  earlierTexts.delete(key); // so that set() moves the key to the end
  earlierTexts.set(key, { text: part.text, at: Date.now(), outcome: part.outcome });
  if (earlierTexts.size > MAX_EARLIER) earlierTexts.delete(earlierTexts.keys().next().value);
  if (last?.text !== part.text || isRefused(last)) return false;
  return part.kind === 'dashboard' || isWithin(REPEAT_MS, last.at);
};

/** A wizard's step, in its address or its body. */
const STEP = /\/step|"\w{0,9}step\w{0,9}":/i;

/** The user of the last call of the API. A later save that names no user is about this one. */
let named;

/** Make a part of a signal, and merge it into the capture of its action. */
export const processSignal = (payload, signal) => {
  const { rule, rank } = signal;
  const { kind } = rule;
  let body = record();
  for (const key in payload) body[rule.as[key] || key] = payload[key];
  if (rule.under && rank === STORAGE_KEY) body = record({ [rule.under]: body });
  const text = canonicalJson(body);
  const said = readUser(text);
  const { token, partial } = signal;
  const [id] = valuesIn(text, 'user_?id');
  signal.target ||= id && '/?user_id=' + id; // of what is no request
  const { target } = signal;
  const isHere = rank === API || !history.left.includes(named?.key);
  const [identified, stored] = signal.by.users();
  const around = [token, identified, stored, isHere && named].filter(Boolean);
  const mayBe = userFilter(text, target, partial);
  const possible = around.filter(mayBe);
  const user = mergeUsers([
    // Its name and its id may be a plan's and the payment's.
    said && record(said, { name: '', id: '' }),
    readUser(signal.user),
  ], possible);
  if (rank === API) named = user;
  // A page that goes on saving the dashboard of a user who signed out is not the user.
  if (kind === 'dashboard' && !stored && history.left[0] &&
    (!user || history.left.includes(user.key))) {
    throw Error();
  }
  if (rank >= REQUEST && Object.values(body).every(saysNothing)) return;
  const [number] = valuesIn(text, 'transaction_?id');
  mergeIntoCapture(Object.assign(signal, {
    kind,
    body,
    text,
    user,
    own: user?.own,
    here: signal.by.key,
    // Its row says whose it is: the service knows the row.
    row: !user && !(around[0] ? possible[0] : mayBe()) && target,
    ids: valuesIn(text, '(?:transaction|payment|order)_?id'),
    number,
    isStep: kind === 'questionnaire' && STEP.test(target + edgesOf(text)),
  }));
};

/** Start a capture, and close the oldest when too many are open. */
const openCapture = (part) => {
  const item = record({
    // Begins with the time: the service adds receipts where the last one is.
    id: 'c' + Date.now().toString(36) + crypto.getRandomValues(new Uint32Array(3)).join(''),
    kind: part.kind,
    rule: part.rule.name || part.kind,
    row: part.row,
    email: '',
    at: part.at,
    until: part.at + ACTION_MS,
    limit: now() + ACTION_MS,
    waitsUntil: now() + RESPONSE_MS,
    parts: new Map(), // by source
    tries: 0,
  });
  report.captured++;
  queue.push(item);
  seenIds.add(item.id);
  queue.filter((other) => other.parts).slice(0, -MAX_OPEN).forEach(close);
  return item;
};

/** Add a part; it replaces the earlier one of its source. */
const addPart = (item, part) => {
  const earlier = item.parts.get(part.from);
  if (earlier) {
    part.body = mergePreferFirst(part.body, earlier.body);
    part.partial &&= earlier.partial;
  }
  item.parts.delete(part.from); // so that set() puts it at the end
  item.parts.set(part.from, part);
  if (part.user && !item.own) item.user = part.user;
  for (const name of IN_COMMON) item[name] ||= part[name];
  item.dueAt = Math.min(now() + QUIET_MS, item.limit);
};

/** Make a capture's body of its parts. */
const mergeParts = (item) => {
  const order = ({ partial, rank }) => (partial ? API : rank); // it changes what was saved before
  const parts = [...item.parts.values()].sort((one, other) => order(one) - order(other));
  const body = parts.map((part) => part.body).reduce(mergePreferFirst);
  const refused = item.kind === 'payment' && parts.find(isRefused);
  // A refused update leaves the payment as it was.
  if (refused) body.payment_status = refused.partial ? 'unknown' : refused.outcome();
  const ofRow = parts.find((part) => part.partial || part.row);
  setBody(item, record(
    body,
    { capture_id: item.id, capture_timestamp: new Date(item.at).toISOString() },
    parts.every((part) => part.partial || part.isStep) && { partial: true },
    ofRow && { capture_target: ofRow.target },
  ), item.user || (item.row && record()));
};

const mergeIntoCapture = (part) => {
  const isApi = part.rank === API; // captured on purpose, so no repetition
  if (!isApi && isRepeat(part)) return;
  closeCaptures(now()); // no timer does it during a long task of the page
  let item = queue.findLast((open) => open.parts && belongsTo(part, open));
  if (!item) {
    // A page stores the receipt of a payment again. What it sends again, the service compares.
    const isPaid = (payment) => isWithin(DAY_MS, history.paid[payment]);
    if (part.rank === STORAGE_KEY && paymentsIn(part, part.user).some(isPaid)) return;
    item = openCapture(part);
  }
  addPart(item, part);
  mergeParts(item);
  reportSave(item, Object.keys(part.body));
  makeRoom();
  if (isApi) {
    part.item = item;
    closeCaptures(0, part.kind);
  }
};

/** Name the payments of a part: by its number, or else by its order's, and by its user. */
const paymentsIn = ({ number, ids }, user) =>
  (number ? [number] : ids).map((id) => id + ' ' + user?.key);

/** Close a capture, and remember its payments, as pages store their receipts again later. */
const close = (item) => {
  if (item.kind === 'payment') {
    mergeParts(item); // with what is known of the responses by now
    rememberPaid([...item.parts.values()].flatMap((part) => paymentsIn(part, item.user)));
  }
  item.parts = null;
  item.dueAt = 0;
};

/**
 * Close the captures that are due by a time and whose responses are known, and all of a kind.
 *
 * A capture that waited for a response gets some time after it, in which pages store more.
 */
export const closeCaptures = (by, kind) => {
  const isUnknown = ({ outcome }) => outcome && !outcome();
  for (const item of queue) {
    if (!item.parts) continue;
    if (item.kind === kind) close(item);
    else if (item.dueAt <= by) {
      if (item.waitsUntil > by && [...item.parts.values()].some(isUnknown)) item.isWaiting = true;
      else if (item.isWaiting && by < Infinity) {
        item.isWaiting = false;
        item.dueAt = by + QUIET_MS;
      } else close(item);
    }
  }
};
