/**
 * The page's life: starting, listening, closing, and coming back from the back/forward cache.
 */

import { attributeWaiting } from './attribution.js';
import { NAME, POLL_MS } from './constants.js';
import { deliverLast, scheduleDelivery, setLeaving, wake } from './delivery.js';
import { log, quietly } from './errors.js';
import { restoreHistory } from './history.js';
import { forgetCurrentUser, readStoredUsers } from './identity.js';
import { restorePage, undo } from './instrument.js';
import { closeCaptures } from './merge.js';
import { addEventListener, removeItem, window } from './natives.js';
import { observeForm } from './observe.js';
import { OFF_KEY, isActive, may, shareOff } from './permission.js';
import { queue, release } from './queue.js';
import { processSignals } from './signals.js';
import {
  database, isLoaded, openStorage, readAll, setLoaded, useLocalStorageToo,
} from './storage.js';
import { runLater } from './timers.js';
import { abortRequests } from './transport.js';
import { record } from './values.js';
import { wrapBrowser, wrapGlobals } from './wrap.js';

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

  // In the capture phase, where a page's stopPropagation cannot hide events.
  const stop = new AbortController();
  const options = record({ capture: true, signal: stop.signal });
  const listeners = [];
  const listen = (types, handle, target = window) => {
    for (const type of types.split(' ')) {
      listeners.push(() => addEventListener.call(target, type, listener, options));
      const listener = (event) => quietly(() => handle(event));
    }
  };

  /** Look for functions to wrap; listen again, since document.open() ends that. */
  const look = () => {
    wrapGlobals();
    for (const add of listeners) add();
  };

  // Functions are wrapped before the next script runs, in which they are called.
  const observer = new MutationObserver(look);
  observer.observe(document, record({ childList: true, subtree: true }));
  listen('DOMContentLoaded click', look);
  listen('load', look, document); // of a script: these events do not reach the window
  listen('submit', (event) => isActive() && observeForm(event.composedPath()[0]));
  const timer = setInterval(quietly, POLL_MS, () => {
    look();
    scheduleDelivery();
  });
  undo.push(() => observer.disconnect(), () => clearInterval(timer), () => stop.abort());

  // A listener of `unload` would cost the page its back/forward cache.
  // Firefox ends the process of a site's last tab, and with it the first listener that runs then.
  listen('pagehide pagehide', leavePage);
  listen('pageshow', ({ persisted }) => {
    setLeaving(false);
    if (persisted) abortRequests(); // frozen requests would never end
    wake();
  });
  listen('online visibilitychange', wake);
  look();
};

/** Read what earlier pages stored. */
const loadStored = async () => {
  await openStorage();
  const all = await readAll();
  const off = all['#off'];
  if (off) { // it can forbid, and cannot allow what this page forbids
    for (const name in may) may[name] &&= off[name] !== false;
    shareOff();
    // A page that closed before it knew this stored its last saves there.
    if (!isActive() && database) removeItem.call(localStorage, NAME);
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
