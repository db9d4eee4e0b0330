/**
 * The queue: the captures that are not delivered yet, in memory and in storage.
 *
 * Other versions of the script read these members of a capture from the database, so their names
 * never change:
 *   id, kind, at   when it was saved
 *   email          the user's key; empty while the user is unknown
 *   until          until then its page may still merge; another page sends it after that
 *   text, bytes    the body as JSON, and its size
 *   rejected       why the service rejected it
 * Only this page uses:
 *   parts, user    what it is merged from; null when it is closed
 *   dueAt, tries   when it is sent, and how often it was
 *   out            a request that outlives the page is sending it
 *   blocked        why the service does not accept it now
 *   response       the result for its caller
 *   kept           it was read from storage: in which opening of the database
 */

import { ACTION_MS, MAX_QUEUE_BYTES, MAX_QUEUE_COUNT, OPEN_MS } from './constants.js';
import { log } from './errors.js';
import { countDropped, history } from './history.js';
import { isActive } from './permission.js';
import { KINDS } from './rules.js';
import { database, openings, persist, readAll } from './storage.js';
import { now, pause } from './timers.js';
import { unsaved } from './unsaved.js';
import { record } from './values.js';

export let queue = [];

/** Of the captures that this page had: what it delivered is not read again. */
export const seenIds = new Set();

/** Sum up the bytes of captures. */
export const sizeOf = (items) => items.reduce((sum, item) => sum + item.bytes, 0);

/** Return the captures that are still to be sent. */
export const waitingItems = () => queue.filter((item) => !item.rejected);

/** The opening of the database into which all was written. */
let savedIn = 0;

/**
 * Write everything that changed to storage; all, to a database that was opened again.
 *
 * The history is not worth a place in localStorage.
 */
export const save = () => {
  if (savedIn !== openings) [...queue, history].forEach((item) => unsaved.add(item));
  savedIn = openings;
  if (!isActive() || !unsaved.size) return;
  const records = record();
  for (const item of unsaved) {
    const { parts, user, out, blocked, response, ...stored } = item;
    records[item.id] = queue.includes(item) && stored;
  }
  if (unsaved.has(history)) records[history.id] = database && history;
  persist(records);
  unsaved.clear(); // afterwards: Firefox may end this function when its tab closes
};

/** Remove a capture from the queue, and set the result for its caller. */
export const forget = (item, response) => {
  queue = queue.filter((other) => other !== item);
  unsaved.add(item);
  item.response = response;
};

/** Give a capture up, and count it. */
export const drop = (item, error) => {
  countDropped(item.kind);
  forget(item, { success: false, error });
};

/** Drop captures until the queue is within its limits: rejected ones and cheap kinds first. */
export const makeRoom = () => {
  while (queue.length > MAX_QUEUE_COUNT || sizeOf(queue) > MAX_QUEUE_BYTES) {
    const oldestOf = (kind) => queue.find((item) => item.rejected || item.kind === kind);
    drop(KINDS.map(oldestOf).find(Boolean), 'no room');
  }
};

/** Let other pages send a capture at once: this one's part in it is over. */
export const release = (item) => {
  if (item.until) unsaved.add(item);
  item.until = 0;
};

/** Read what other pages stored, and forget what they delivered. */
const readStored = async () => {
  const all = await readAll();
  for (const item of queue) {
    if (all[item.id]) continue;
    if (item.kept === openings) forget(item, { success: true });
    else unsaved.add(item);
  }
  const added = Object.values(all).filter((one) => one.kind && !seenIds.has(one.id));
  queue = added.map((one) => {
    // A capture whose page is still merging is sent after that; clocks are set back.
    const dueAt = one.until && now() + Math.min(one.until - Date.now(), ACTION_MS);
    seenIds.add(one.id);
    return record(one, { tries: 0, kept: openings, dueAt });
  }).concat(queue);
};

/** The same, but wait no longer than a database may take: WebKitGTK's may hang. */
export const refreshQueue = () => Promise.race([readStored(), pause(OPEN_MS)]).catch(log);
