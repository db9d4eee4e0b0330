/**
 * The page's life: starting, listening, closing, and coming back from the back/forward cache.
 */

import { attributeWaiting } from './attribution.js';
import { POLL_MS } from './constants.js';
import { deliverLast, scheduleDelivery, setLeaving, wake } from './delivery.js';
import { log, quietly } from './errors.js';
import { restoreHistory } from './history.js';
import { forgetCurrentUser, readStoredUsers } from './identity.js';
import { restorePage, undo } from './instrument.js';
import { closeCaptures } from './merge.js';
import { addEventListener, removeEventListener, window } from './natives.js';
import { observeForm } from './observe.js';
import { OFF_KEY, isActive, may, shareOff } from './permission.js';
import { queue, release } from './queue.js';
import { processSignals } from './signals.js';
import {
  database, isLoaded, openStorage, persist, persistSmall, readAll, setLoaded, useLocalStorageToo,
} from './storage.js';
import { runLater } from './timers.js';
import { abortRequests, hasWorker } from './transport.js';
import { record } from './values.js';
import { wrapBrowser, wrapGlobals } from './wrap.js';

/** Listen in the capture phase, where a page's stopPropagation cannot hide events. */
const listen = (types, handle, target = window) => {
  for (const type of types.split(' ')) {
    const listener = (event) => quietly(() => handle(event));
    addEventListener.call(target, type, listener, true);
    undo.push(() => removeEventListener.call(target, type, listener, true));
  }
};

/**
 * Store and send everything, as no code may run after this.
 *
 * No lock is taken: waiting for it would take longer than the page has.
 */
export const leavePage = () => {
  useLocalStorageToo();
  const maySend = isLoaded || quietly(() => !localStorage[OFF_KEY]);
  setLeaving(true);
  processSignals(true);
  if (!isActive()) return;
  closeCaptures(Infinity);
  queue.forEach(release);
  attributeWaiting();
  if (maySend) deliverLast();
};

/** Wrap the functions and listen, unless that is done. */
export const startCapturing = () => {
  if (undo.length) return;
  wrapBrowser();

  // Functions are wrapped before the next script runs, in which they are called.
  const observer = new MutationObserver(wrapGlobals);
  observer.observe(document, record({ childList: true, subtree: true }));
  listen('DOMContentLoaded click submit', wrapGlobals);
  listen('load', wrapGlobals, document); // of a script: these events do not reach the window
  listen('submit', (event) => isActive() && observeForm(event.target));
  const timer = setInterval(quietly, POLL_MS, () => {
    wrapGlobals();
    forgetCurrentUser();
    scheduleDelivery();
  });
  undo.push(() => observer.disconnect(), () => clearInterval(timer));

  // A listener of `unload` would cost the page its back/forward cache.
  // Firefox ends the process of a site's last tab, and with it the first listener that runs then.
  listen('pagehide pagehide', () => {
    if (hasWorker()) abortRequests(); // the worker ends now: what it sends goes with leavePage
    leavePage();
  });
  listen('pageshow', ({ persisted }) => {
    setLeaving(false);
    if (persisted) abortRequests(); // frozen requests would never end
    wake();
  });
  listen('online visibilitychange', wake);
};

/** Read what earlier pages stored. */
const loadStored = async () => {
  const small = await openStorage();
  const all = await readAll();
  const off = all['#off'];
  if (off) { // it can forbid, and cannot allow what this page forbids
    for (const name in may) may[name] &&= off[name] !== false;
    shareOff();
  }
  // Of pages that closed. Another one may close now: only what is written here is removed.
  if (database && small) {
    persist(isActive() ? small : record(), () => {
      for (const id in small) small[id] = null;
      persistSmall(small);
    });
  }
  readStoredUsers(); // who is here now, before it is known who was here last
  restoreHistory(all['#known']);
};

/** Resolves when the stored queue is read. */
export let ready;

/** Begin: capture at once, and deliver when the stored queue is read. */
export const begin = () => {
  if (may.enabled) startCapturing();
  // The first access to localStorage reads from the disk: not while the page's scripts wait.
  runLater(() => isActive() && readStoredUsers());
  ready = loadStored().catch(log).then(() => {
    setLoaded();
    if (!may.enabled) restorePage();
    forgetCurrentUser();
    processSignals();
    return wake();
  }).catch(log);
};
