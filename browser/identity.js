/**
 * Who is at the page: identified by the site, or signed in as its storage says.
 */

import { MAX_LEFT } from './constants.js';
import { quietly } from './errors.js';
import { history } from './history.js';
import { getItem, ownGlobal, window } from './natives.js';
import { isLoaded } from './storage.js';
import { unsaved } from './unsaved.js';
import { readUser } from './user.js';


/** Whom identify() named, until that user signed out. */
let identified;

let current;

/** Remember who identify() says is here; nothing for no one. */
export const setIdentified = (given) => {
  const user = readUser(given);
  if (given && !user) throw Error('no email');
  identified = user;
  current = null;
};

/** Have the storage read again at the next question: it may have changed. */
export const forgetCurrentUser = () => {
  current = null;
};

/** Read the users that some storage keys hold, as JSON or as a bare address. */
const usersIn = (area, ...keys) => keys.map((key) => quietly(() => {
  const text = getItem.call(window[area], key);
  return readUser(/^\s*[[{"]/.test(text) ? JSON.parse(text) : text);
})).filter(Boolean);

/**
 * Read who is signed in, and return a function that says who counts.
 *
 * Sites leave copies of a user at logout. So only `current_user` and the session say that a user is
 * signed in. Copies count while their user has not signed out; what usually outlives a logout
 * counts when it names one user. Who signed out is asked later: the database knows it, and may not
 * be read yet.
 */
export const readStoredUsers = () => {
  const isSession = (key) => /^sb-.+-auth-token$/.test(key); // supabase-js keeps it there
  const session = quietly(() => Object.keys(localStorage).find(isSession));
  const [signedIn] = usersIn('localStorage', 'current_user', session);
  const copies = usersIn('localStorage', 'userData', 'currentUser').concat(
    usersIn('sessionStorage', 'currentUser'),
    quietly(() => readUser(ownGlobal('currentUser'))) || [],
  );
  const remains = usersIn('localStorage', 'user_data')
    .concat(usersIn('sessionStorage', 'userData'));

  // Whoever was signed in before, and is not now, has signed out.
  const before = history.user;
  const [gone] = before;
  if (gone && gone !== signedIn?.key) {
    history.left = history.left.concat(before).slice(-MAX_LEFT);
    if (identified?.key === gone) identified = null;
  }
  history.user = signedIn ? [signedIn, ...copies, ...remains].map((user) => user.key) : [];
  if (String(before) !== String(history.user)) unsaved.add(history);
  history.left = history.left.filter((key) => key !== signedIn?.key);

  const counts = (user) => isLoaded && !history.left.includes(user.key);
  return () => {
    const [one, ...rest] = remains.filter(counts);
    return signedIn || copies.find(counts) || (rest.every((other) => other.key === one.key) && one);
  };
};

/**
 * Return who is here: `users()` names whom identify() named, and who is signed in, if known.
 *
 * What was read is used again while `current_user` is the same; writes to the other keys, and a
 * timer, have it read again.
 */
export const currentUser = () => {
  const text = quietly(() => getItem.call(localStorage, 'current_user'));
  const user = ownGlobal('currentUser');
  if (!current || current.text !== text || current.user !== user) {
    const stored = readStoredUsers(); // may end what identify() said
    const named = identified;
    current = { text, user, users: () => [named, stored()] };
  }
  return current;
};
