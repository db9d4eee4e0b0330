/**
 * The worker, which sends requests so that a failed one prints no error in the page's console.
 */

import { nativeFetch } from './natives.js';

/** Send a request, and return [status, text, Retry-After]; [0] if there was no response. */
export const exchange = async (url, options) => {
  try {
    const response = await nativeFetch(url, options);
    const text = await response.text();
    return [response.status, text, response.headers.get('Retry-After')];
  } catch (_) { // unreachable, blocked or aborted
    return [0];
  }
};

/**
 * Be the worker: answer each message [url, options] with what `exchange` returns.
 *
 * The script is its own worker, so that a site that includes one file serves no second one. The
 * file may be of another version than the page, so the messages never change.
 */
export const runAsWorker = () => {
  onmessage = async ({ data }) => postMessage(await exchange(...data));
};
