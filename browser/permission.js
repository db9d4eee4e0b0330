/**
 * Whether the script may capture: the kill switch and the visitor's consent.
 */

import { NAME } from './constants.js';
import { quietly } from './errors.js';
import { record } from './values.js';

/** The localStorage key that tells the next page, before its database is open, to stay off. */
export const OFF_KEY = NAME + '-off';

/** `enabled` is the kill switch, `consent` the visitor's. Both are stored in the record `#off`. */
export const may = record();

export const isActive = () => may.enabled && may.consent;

/** Write what the next page reads first. A property is set, as the script wraps setItem. */
export const shareOff = () => quietly(() => {
  if (isActive()) delete localStorage[OFF_KEY];
  else localStorage[OFF_KEY] = 1;
});
