/**
 * The records that the next save writes: captures, and the history.
 */

export const unsaved = new Set();
