/**
 * Give captures their user: at the save, or later when the user becomes known.
 */

import { MAX_TEXT_CHARACTERS, RECORD_BYTES, SLICE_MS } from './constants.js';
import { currentUser, forgetCurrentUser } from './identity.js';
import { queue, save } from './queue.js';
import { now } from './timers.js';
import { unsaved } from './unsaved.js';
import { emailIn, userFilter } from './user.js';
import { parseJson } from './values.js';

/** The user of a capture whose row says whose it is. */
const NOBODY = '?';

/** Set a capture's body, with the user if known; a user without an address is the row's. */
export const setBody = (item, body, user) => {
  if (user?.key) {
    body.user_email = emailIn(body.user_email) || user.email;
    body.user_name ||= user.name || undefined;
    body.user_id ||= body.userId || user.id || undefined;
  }
  if (user) item.email = user.key || NOBODY;
  item.text = JSON.stringify(body);
  // A Blob would count the bytes as well, and take 0.5 ms. Of a large text the characters count: to
  // encode it takes 5 ms per MB.
  const { length } = item.text;
  item.bytes = RECORD_BYTES +
    (length > MAX_TEXT_CHARACTERS ? length : new TextEncoder().encode(item.text).length);
  unsaved.add(item);
};

/** Give the user who is here to closed captures without one, as many as fit in a slice of time. */
export const attributeWaiting = () => {
  const waiting = queue.filter((item) => !item.email && !item.parts);
  if (waiting[0]) forgetCurrentUser();
  const user = currentUser().users().find(Boolean);
  const until = now() + SLICE_MS;
  for (const item of user ? waiting : []) {
    if (now() >= until) break;
    if (userFilter(item.text)(user)) setBody(item, parseJson(item.text), user);
  }
  save();
};
