/**
 * Deliver from one tab at a time: all tabs of an origin share one queue.
 */

import { NAME, TIMEOUT_MS } from './constants.js';
import { database } from './storage.js';
import { record } from './values.js';

/**
 * Run `work` while no other tab does.
 *
 * Without a database no tab knows the captures of another one. On plain http there are no Web
 * Locks: two tabs may send one capture, which the service stores once.
 */
export const runExclusively = (work) => {
  if (!database) return work();
  // Locks may be missing, or forbidden, and a frozen page keeps one for ever: without it, then.
  const locked = async () => (
    navigator.locks.request(NAME, record({ signal: AbortSignal.timeout(TIMEOUT_MS) }), work)
  );
  return locked().catch(work);
};
