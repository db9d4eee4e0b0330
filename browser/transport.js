/**
 * Send requests to the service.
 */

import { MAX_TEXT_CHARACTERS, MIN_BYTES_PER_MS, TIMEOUT_MS } from './constants.js';
import { serviceUrl } from './endpoint.js';
import { nativeFetch } from './natives.js';
import { nativeSetTimeout, pause } from './timers.js';
import { record } from './values.js';

const pending = new Set();

/** Abort all requests. */
export const abortRequests = () => pending.forEach((stop) => stop.abort());

/**
 * Make a Blob of a large text, piece by piece: fetch would encode it at once, in 10 ms per MB.
 *
 * A character of two units (a surrogate pair) stays in one piece.
 */
const blobOf = async (text) => {
  const pieces = [];
  for (let from = 0, to; from < text.length; from = to) {
    to = from + MAX_TEXT_CHARACTERS;
    if (/[\ud800-\udbff]/.test(text[to - 1])) to++;
    pieces.push(new Blob([text.slice(from, to)]));
    if (!document.hidden) await pause(); // its timers run once a second
  }
  return new Blob(pieces, record({ type: 'text/plain' }));
};

/**
 * Send a request, and return [status, text, Retry-After]; [0] if there was no response.
 *
 * @param path below /api/data-capture/
 * @param options of fetch
 * @param bytes of the body, which needs time
 */
export const request = async (path, options = record(), bytes = 0) => {
  const stop = new AbortController();
  const { signal } = stop;
  nativeSetTimeout(() => stop.abort(), TIMEOUT_MS + bytes / MIN_BYTES_PER_MS);
  pending.add(stop);
  const exchange = async () => {
    const { body, keepalive } = options;
    const isLarge = body?.length > MAX_TEXT_CHARACTERS && !keepalive; // a closing page cannot wait
    const response = await nativeFetch(serviceUrl() + '/api/data-capture/' + path, record({
      credentials: 'omit',
      redirect: 'error',
      referrerPolicy: 'no-referrer', // a page's address may hold secrets
      signal,
    }, options, isLarge && { body: await blobOf(body) }));
    const text = await response.text();
    return [response.status, text, response.headers.get('Retry-After')];
  };
  // In Firefox a page that was frozen gets no error from fetch.
  const aborted = new Promise((resolve, reject) => { signal.onabort = reject; });
  const response = await Promise.race([exchange(), aborted]).catch(() => [0]);
  pending.delete(stop);
  return response;
};
