/**
 * Errors: none reaches the page, and none is printed unless `debug` is set.
 */

import { NAME } from './constants.js';

/** Print for a developer. It gets errors, kinds and statuses, and nothing that was captured. */
export let log = () => {};

/** Send debug output to the console. */
export const enableLog = () => {
  log = console.debug.bind(console, '[' + NAME + ']');
};

/** Return what `work` returns, or undefined if the page's data is not what it expects. */
export const attempt = (work) => {
  try {
    return work();
  } catch (_) {
    return undefined;
  }
};

/** Return what `work` returns, or undefined if it throws. */
export const quietly = (work) => {
  try {
    return work();
  } catch (reason) {
    try {
      log(reason);
    } catch (_) { /* no stack is left */ }
    return undefined;
  }
};
