/**
 * Storage of the queue: IndexedDB, or else a small item of localStorage, or else memory alone.
 *
 * Records are captures by their `id`, and `#known`, `#off` and `#lease`.
 */

import { MIN_FREE_CHARACTERS, NAME, OPEN_MS, SMALL_CHARACTERS } from './constants.js';
import { log, quietly } from './errors.js';
import { getItem, removeItem, setItem } from './natives.js';
import { pause, runLater } from './timers.js';
import { parseJson, record } from './values.js';

export let database;

/** Whether the stored queue is read, or known to be unreadable. */
export let isLoaded;

export let usesLocalStorage;

/** Say that the stored queue is read. */
export const setLoaded = () => {
  isLoaded = true;
};

/** Resolve to a request's result. */
export const resultOf = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = reject;
});

const readSmall = () => parseJson(getItem.call(localStorage, NAME));

/** How often the database was opened: it is empty after it was cleared. */
export let openings = 0;

/** Do without the database, and open it again after a while. */
const loseDatabase = () => {
  if (!database) return;
  database.close();
  database = null;
  usesLocalStorage = true;
  runLater(() => openDatabase().catch(log), OPEN_MS);
};

const openDatabase = async () => {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(NAME, record({ keyPath: 'id' }));
  };
  database = await resultOf(request);
  openings++;
  // The browser closes it when the user clears the site's data; another tab deletes or upgrades it.
  database.onclose = database.onversionchange = loseDatabase;
};

/** Open the database. If an earlier page left something in localStorage, it is used, too. */
export const openStorage = async () => {
  await Promise.race([openDatabase(), pause(OPEN_MS)]).catch(log);
  const small = quietly(readSmall); // null for nothing, undefined if blocked
  usesLocalStorage = database ? small : small !== undefined;
};

/** Store in localStorage too, as the page closes: WebKit drops the database's last writes. */
export const useLocalStorageToo = () => {
  usesLocalStorage = true;
};

/**
 * Write records; a falsy one is deleted.
 *
 * The put and the commit happen at once: whatever awaits first is lost when the page closes.
 */
export const persist = (records) => {
  const persistElsewhere = () => quietly(() => persistSmall(records));
  try {
    const transaction = database.transaction(NAME, 'readwrite');
    const objectStore = transaction.objectStore(NAME);
    for (const id in records) {
      if (records[id]) objectStore.put(records[id]);
      else objectStore.delete(id);
    }
    transaction.commit();
    transaction.onabort = persistElsewhere; // the disk is full
    if (usesLocalStorage) persistElsewhere();
  } catch (reason) { // closed, full, or never opened
    if (reason.name === 'InvalidStateError') loseDatabase();
    persistElsewhere();
  }
};

const persistSmall = (records) => {
  let room = SMALL_CHARACTERS;
  const kept = record(readSmall(), records);
  for (const id in kept) {
    if (kept[id]) room -= JSON.stringify(kept[id]).length;
    if (!kept[id] || room < 0) delete kept[id];
  }
  const text = JSON.stringify(kept);
  removeItem.call(localStorage, NAME);
  if (text === '{}') return;
  setItem.call(localStorage, NAME, text.padEnd(MIN_FREE_CHARACTERS)); // throws if there is no room
  setItem.call(localStorage, NAME, text);
};

/** Read all records, by id. */
export const readAll = async () => {
  const all = record(usesLocalStorage && readSmall());
  if (!database) return all;
  const transaction = database.transaction(NAME);
  const request = transaction.objectStore(NAME).getAll();
  transaction.commit(); // otherwise a page that closes loses what waits behind this transaction
  for (const one of await resultOf(request)) all[one.id] = record(one);
  return all;
};
