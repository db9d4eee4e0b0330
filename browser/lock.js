/**
 * Deliver from one tab at a time: all tabs of an origin share one queue.
 */

import { NAME, QUIET_MS, TIMEOUT_MS } from './constants.js';
import { database, persist, resultOf } from './storage.js';
import { isWithin, nativeSetTimeout, pause } from './timers.js';
import { record } from './values.js';

/**
 * Run `work` while no other tab does.
 *
 * There are no Web Locks on plain http: there a lease is taken, a record that expires. Reading and
 * writing it is one transaction. Without a database no tab knows the captures of another one.
 */
export const runExclusively = async (work) => {
  if (database && navigator.locks) {
    const stop = new AbortController();
    nativeSetTimeout(() => stop.abort(), TIMEOUT_MS);
    // A frozen page keeps the lock for ever: without it, then.
    await navigator.locks.request(NAME, record({ signal: stop.signal }), work).catch(work);
    return;
  }
  while (database) {
    const objectStore = database.transaction(NAME, 'readwrite').objectStore(NAME);
    const lease = await resultOf(objectStore.get('#lease'));
    if (!isWithin(TIMEOUT_MS, lease?.at)) {
      objectStore.put({ id: '#lease', at: Date.now() });
      break;
    }
    await pause(QUIET_MS);
  }
  await work();
  persist(record({ '#lease': null }));
};
