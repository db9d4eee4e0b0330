/**
 * Errors: none reaches the page, and none is printed unless `debug` is set.
 */

import { NAME } from './constants.js';

/** Print for a developer. It gets names, kinds and statuses, and no value that was captured. */
export let log = () => {};

/** Send debug output to the console. */
export const enableLog = () => {
  log = console.info.bind(console, '[' + NAME + ']');
};

/** Return what `work` returns, or undefined if it throws: a page's data is not as expected. */
export const quietly = (work) => {
  try {
    return work();
  } catch (_) {
    return undefined;
  }
};
