/**
 * Send requests to the service: from a worker where possible, otherwise from the page.
 */

import { isSameOrigin, source } from './config.js';
import { MIN_BYTES_PER_MS, NAME, TIMEOUT_MS } from './constants.js';
import { serviceUrl } from './endpoint.js';
import { nativeSetTimeout } from './timers.js';
import { record } from './values.js';
import { exchange } from './worker.js';

/**
 * Whether a worker is used.
 *
 * Browsers print an error in a page's console for each request that fails, and none for a worker's.
 * A Content-Security-Policy may forbid workers, and prints that in the console. So there is one
 * only of the page's own origin. A worker ends with its page, so it sends nothing that has to
 * outlive it.
 */
export const hasWorker = () => !isWorkerBroken && isSameOrigin;

let isWorkerBroken;
const pending = new Set();

/** Abort all requests. */
export const abortRequests = () => pending.forEach((stop) => stop.abort());

/**
 * Send a request to the service, and return [status, text, Retry-After].
 *
 * @param path below /api/data-capture/
 * @param options of fetch
 * @param bytes of the body, which needs time
 */
export const request = async (path, options, bytes = 0) => {
  const url = serviceUrl() + '/api/data-capture/' + path;
  const allOptions = record({
    credentials: 'omit',
    redirect: 'error',
    referrerPolicy: 'no-referrer', // a page's address may hold secrets
  }, options);
  const stop = new AbortController();
  nativeSetTimeout(() => stop.abort(), TIMEOUT_MS + bytes / MIN_BYTES_PER_MS);
  pending.add(stop);
  let worker;
  const response = await new Promise((settle) => {
    const { signal } = stop;
    const sendFromPage = () =>
      exchange(url, record(allOptions, { signal })).then(settle);
    // In Firefox a page that was frozen gets no error from fetch.
    signal.onabort = () => settle([0]);
    if (hasWorker() && !allOptions.keepalive) {
      worker = new Worker(source, record({ name: NAME }));
      worker.onmessage = ({ data }) => settle(data);
      worker.onerror = (event) => { // it cannot start
        event.preventDefault();
        isWorkerBroken = true;
        sendFromPage();
      };
      worker.postMessage([url, allOptions]);
    } else sendFromPage();
  }).catch(() => {
    isWorkerBroken = true; // it is forbidden
    return [0];
  });
  worker?.terminate();
  pending.delete(stop);
  return response;
};
