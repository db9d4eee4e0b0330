/**
 * Timers that are the browser's own: zone.js replaces setTimeout after the script ran.
 */

import { quietly } from './errors.js';

export const { setTimeout: nativeSetTimeout } = globalThis;

/** Return a time in milliseconds that no setting of the clock changes. */
export const now = () => performance.now();

/** Run `work` after a delay, without letting it throw. */
export const runLater = (work, ms) => nativeSetTimeout(() => quietly(work), ms);

/** Resolve after a delay. */
export const pause = (ms) => new Promise((resolve) => nativeSetTimeout(resolve, ms));

/** Whether a time stamp is less than `ms` away, in either direction: clocks are set back. */
export const isWithin = (ms, at) => Math.abs(Date.now() - at) < ms;
