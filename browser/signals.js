/**
 * Signals: what was seen of a save, until the page has time for it.
 *
 * A save gives several signals: the call, its requests, the storage keys. Each is recorded at once
 * with its text and the user of that moment, and processed after the page's own code.
 */

import {
  DELAYED, IMMEDIATE, MAX_QUEUE_COUNT, MAX_SAVE_CHARACTERS, NOT_SCHEDULED, REWRITE_MS, SLICE_MS,
  STORAGE_KEY,
} from './constants.js';
import { scheduleDelivery } from './delivery.js';
import { log, quietly } from './errors.js';
import { bodyToJson } from './fields.js';
import { countDropped, refuseLarge } from './history.js';
import { currentUser } from './identity.js';
import { mask } from './mask.js';
import { processSignal } from './merge.js';
import { isActive } from './permission.js';
import { save } from './queue.js';
import { isLoaded } from './storage.js';
import { now, runLater } from './timers.js';
import { isRecord, record } from './values.js';

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
 * @param text JSON, or fields as `name=value`
 * @param more further members; `at` and `by` among them replace the time and the user
 */
export const addSignal = (rule, rank, from, text, more) => {
  if (text.length > MAX_SAVE_CHARACTERS) refuseLarge(rule.kind);
  const signal = record({ rule, rank, from, text, at: Date.now(), by: currentUser() }, more);
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

/** Process a signal. An array of rows makes a signal of each: the page saved several things. */
const readSignal = (signal) => {
  const payload = signal.payload || mask(bodyToJson(signal.text));
  if (!Array.isArray(payload)) return processSignal(payload, signal);
  for (let n = 0; n < payload.length; n++) {
    if (n >= MAX_QUEUE_COUNT) countDropped(signal.rule.kind);
    else if (isRecord(payload[n])) {
      signals.set(record(), record(signal, { payload: payload[n], text: '' }));
    }
  }
  return undefined;
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
  for (const [key, signal] of signals) {
    if (!all && !document.hidden && now() > processedAt + SLICE_MS) break;
    try {
      if (isActive()) readSignal(signal);
    } catch (reason) {
      log(reason);
      signal.error = reason;
    }
    signals.delete(key); // afterwards: Firefox may end this function when its tab closes
  }
  if (signals.size) processLater();
  save();
  scheduleDelivery();
};
