/**
 * Send requests to the service.
 */

import { MIN_BYTES_PER_MS, TIMEOUT_MS } from './constants.js';
import { serviceUrl } from './endpoint.js';
import { nativeFetch } from './natives.js';
import { nativeSetTimeout } from './timers.js';
import { record } from './values.js';

const pending = new Set();

/** Abort all requests. */
export const abortRequests = () => pending.forEach((stop) => stop.abort());

/**
 * Send a request, and return [status, text, Retry-After]; [0] if there was no response.
 *
 * @param path below /api/data-capture/
 * @param options of fetch
 * @param bytes of the body, which needs time
 */
export const request = async (path, options, bytes = 0) => {
  const stop = new AbortController();
  const { signal } = stop;
  nativeSetTimeout(() => stop.abort(), TIMEOUT_MS + bytes / MIN_BYTES_PER_MS);
  pending.add(stop);
  const exchange = async () => {
    const response = await nativeFetch(serviceUrl() + '/api/data-capture/' + path, record({
      credentials: 'omit',
      redirect: 'error',
      referrerPolicy: 'no-referrer', // a page's address may hold secrets
      signal,
    }, options));
    const text = await response.text();
    return [response.status, text, response.headers.get('Retry-After')];
  };
  // In Firefox a page that was frozen gets no error from fetch.
  const aborted = new Promise((resolve, reject) => { signal.onabort = reject; });
  const response = await Promise.race([exchange(), aborted]).catch(() => [0]);
  pending.delete(stop);
  return response;
};
