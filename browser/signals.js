/**
 * Signals: what was seen of a save, until the page has time for it.
 *
 * A save gives several signals: the call, its requests, the storage keys. Each is recorded at once
 * with its text and the user of that moment, and processed after the page's own code.
 */

import { valuesIn } from './canonical.js';
import {
  DELAYED, IMMEDIATE, MAX_MATCHED_CHARACTERS, MAX_QUEUE_COUNT, MAX_SAVE_CHARACTERS,
  MAX_TEXT_CHARACTERS, NOT_SCHEDULED, REQUEST, REWRITE_MS, SLICE_MS, STORAGE_KEY,
} from './constants.js';
import { scheduleDelivery } from './delivery.js';
import { log, quietly } from './errors.js';
import { bodyToJson } from './fields.js';
import { countDropped, refuseLarge } from './history.js';
import { currentUser } from './identity.js';
import { startMasking } from './mask.js';
import { processSignal } from './merge.js';
import { isActive } from './permission.js';
import { save as saveQueue } from './queue.js';
import { report } from './report.js';
import { isLoaded } from './storage.js';
import { now, runLater } from './timers.js';
import { isRecord, own, record } from './values.js';

/** The signals that wait; those of a storage key by the key and its user, as they are rewritten. */
export const signals = new Map();

let scheduled = NOT_SCHEDULED;
let processedAt = -REWRITE_MS;

const processLater = (ms) => {
  scheduled = DELAYED;
  runLater(processSignals, ms);
};

/**
 * Record a signal, and return it.
 *
 * @param rank the kind of source: API, CALL, …
 * @param from the source itself: a function's name, an address, a key
 * @param text JSON, or fields as `name=value`; empty if there is a copy
 * @param more further members; `at` and `by` among them replace the time and the user, and `copy`
 *   of about `size` characters the text
 */
export const addSignal = (rule, rank, from, text, more) => {
  if (text.length > MAX_SAVE_CHARACTERS) refuseLarge(rule.kind);
  report.seen++;
  const { length: size } = text;
  const signal = record({ rule, rank, from, text, size, at: Date.now(), by: currentUser() }, more);
  signals.set(rank === STORAGE_KEY ? from + signal.by.key : signal, signal);
  if (rank === STORAGE_KEY && now() < processedAt + REWRITE_MS) {
    if (scheduled === NOT_SCHEDULED) processLater(REWRITE_MS);
  } else if (scheduled !== IMMEDIATE) {
    // In a microtask after the page's own: no navigation has begun yet, so that what is written
    // to the database survives it.
    scheduled = IMMEDIATE;
    Promise.resolve(processSignals).then(quietly);
  }
  return signal;
};

/** A GraphQL document that changes something. */
const MUTATION = /(^|[}\n])\s{0,99}mutation\b/;

/**
 * Process a payload. An array of rows makes a signal of each, as the page saved several things; but
 * answers of one user are one questionnaire.
 */
const readPayload = (payload, signal) => {
  const { rule, rank } = signal;
  if (Array.isArray(payload)) {
    const rows = Array.from(payload).filter(isRecord); // it has no prototype
    const usersIn = (json) => valuesIn(json, 'user_?(?:id|email)');
    if (rule.kind === 'questionnaire' && rows[1] && !usersIn(JSON.stringify(rows))[1]) {
      processSignal(record(...rows, { answers: rows }), signal);
      return;
    }
    rows.forEach((row, n) => {
      const one = record(signal, { payload: row, text: '', size: 0, steps: null });
      if (n < MAX_QUEUE_COUNT) signals.set(one, one);
      else countDropped(rule.kind);
    });
    return;
  }
  let save = own(payload, signal.member) ?? payload;
  if (rank === REQUEST && !signal.isInside) {
    const { query } = payload;
    if (/{/.test(query) && !MUTATION.test(query)) return; // GraphQL that only reads
    // The pattern has seen the whole body. Each row of an array must match it, too.
    const isRow = signal.payload && rule.body;
    if (isRow && !rule.body.test(JSON.stringify(payload).slice(0, MAX_MATCHED_CHARACTERS))) return;
    if (query && !rule.under) save = payload.variables || payload;
    for (const name of rule.under?.split('.') || []) save = own(save, name);
    if (Array.isArray(save)) {
      readPayload(save, record(signal, { isInside: true }));
      return;
    }
  }
  if (isRecord(save)) processSignal(save, signal);
};

/** Return what a signal saves, as JSON.parse does. */
const treeOf = (signal) => signal.copy || JSON.parse(bodyToJson(signal.text));

/** Process a large save in steps. The page can respond between them. */
function* stepsOf(signal) {
  yield; // after the task in which the page saves
  const proceed = startMasking(treeOf(signal));
  let done;
  while (!done) {
    yield;
    done = proceed(now() + SLICE_MS);
  }
  yield;
  readPayload(done[''], signal);
}

/** Process a signal, or take the next step of a large one; return whether it is done. */
const processOne = (signal, all) => {
  if (signal.size > MAX_TEXT_CHARACTERS) {
    signal.steps ||= stepsOf(signal);
    while (!signal.steps.next().done) if (!all) return false;
  } else readPayload(signal.payload || startMasking(treeOf(signal))(Infinity)[''], signal);
  return true;
};

/**
 * Process what waits; without `all`, only as much as fits in one slice of time.
 *
 * A hidden page gets no slices: nobody waits for it, and its timers run once a second.
 * Until the stored queue is read nothing is processed, except when the page closes.
 */
export const processSignals = (all) => {
  scheduled = NOT_SCHEDULED;
  if (!isLoaded && !all) return;
  processedAt = now();
  const isHurried = all || document.hidden;
  let isLarge;
  for (const [key, signal] of signals) {
    if (!isHurried && now() > processedAt + SLICE_MS) break;
    try {
      if (isActive() && !processOne(signal, isHurried)) break;
    } catch (reason) {
      log(signal.rule.kind, 'is not captured');
      signal.error = reason;
    }
    signals.delete(key); // afterwards: Firefox may end this function when its tab closes
    isLarge = signal.steps && !isHurried;
    if (isLarge) break;
  }
  if (signals.size || isLarge) processLater();
  if (isLarge) return; // to write it to the database is a task of its own
  saveQueue();
  scheduleDelivery();
};
