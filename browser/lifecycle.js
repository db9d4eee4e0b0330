/**
 * The page's life: starting, listening, closing, and coming back from the back/forward cache.
 */

import { attributeWaiting } from './attribution.js';
import { NAME, POLL_MS, VERSION } from './constants.js';
import { deliverLast, scheduleDelivery, setLeaving, wake } from './delivery.js';
import { serviceUrl } from './endpoint.js';
import { log, quietly } from './errors.js';
import { holdForm, observeFormData } from './forms.js';
import { restoreHistory } from './history.js';
import { currentUser, forgetCurrentUser, readStoredUsers } from './identity.js';
import { restorePage, undo } from './instrument.js';
import { closeCaptures } from './merge.js';
import { addEventListener, removeItem, window } from './natives.js';
import { OFF_KEY, isActive, may, shareOff } from './permission.js';
import { queue, release } from './queue.js';
import { rules } from './rules.js';
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
  const stop = new AbortController();
  const { signal } = stop;
  const first = record({ capture: true, signal }); // a page's stopPropagation cannot hide events
  const last = record({ signal });

  const listeners = [];
  const listen = (types, handle, target = window) => {
    const listener = (event) => quietly(() => handle(event));
    for (const type of types.split(' ')) {
      listeners.push(() => addEventListener.call(target, type, listener, first));
    }
  };

  const onSubmit = (event) => isActive() && quietly(() => holdForm(event.target, event));
  /** Listen for forms in the document, or in a shadow tree, which their events do not leave. */
  const listenIn = (root) => {
    addEventListener.call(root, 'submit', onSubmit, first);
    addEventListener.call(root, 'formdata', observeFormData, first);
    addEventListener.call(root, 'formdata', observeFormData, last);
  };

  /** Look for functions to wrap; listen again, since document.open() ends that. */
  const look = () => {
    wrapGlobals();
    listenIn(window);
    for (const add of listeners) add();
  };
  wrapBrowser(listenIn);

  // Functions are wrapped before the next script runs, in which they are called.
  const observer = quietly(() => new MutationObserver(look));
  quietly(() => observer.observe(document, record({ childList: true, subtree: true })));
  listen('DOMContentLoaded click', look);
  listen('click keydown', (event) => { // what submits a form
    event.composedPath().filter((node) => node instanceof ShadowRoot).forEach(listenIn);
  });
  listen('load', look, document); // of a script: these events do not reach the window
  const timer = setInterval(quietly, POLL_MS, () => {
    look();
    scheduleDelivery();
  });
  undo.push(() => observer?.disconnect(), () => clearInterval(timer), () => stop.abort());

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
  serviceUrl(); // at once: pages clear what tells it
  if (may.enabled) startCapturing();
  // The first access to localStorage reads from the disk: not while the page's scripts wait.
  runLater(() => isActive() && readStoredUsers());
  ready = loadStored().catch(log).then(() => {
    setLoaded();
    if (!may.enabled) restorePage();
    forgetCurrentUser();
    log(VERSION, serviceUrl(), rules.map((rule) => rule.name || rule.kind).join(' '),
      '| user:', currentUser().users().find(Boolean)?.email || 'nobody is known');
    processSignals();
    return wake();
  }).catch(log);
};
