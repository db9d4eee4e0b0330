/**
 * Who is at the page: identified by the site, or signed in as its storage says.
 */

import { config } from './config.js';
import { MAX_LEFT, USER_MS } from './constants.js';
import { quietly } from './errors.js';
import { history } from './history.js';
import { getItem, ownGlobal, readDocument, window } from './natives.js';
import { isLoaded } from './storage.js';
import { now } from './timers.js';
import { unsaved } from './unsaved.js';
import { readUser } from './user.js';
import { patternOf, record } from './values.js';

/** Keys, cookies and globals that hold who is signed in, the more telling ones first. */
const SIGNED_IN = ' current_user (sb-.+-|supabase.)auth.token auth-storage ' +
  '(firebase:authUser|@@auth0).+ Clerk.user.primaryEmailAddress ' +
  '__NEXT_DATA__.props.pageProps.session';

/** Those that keep a user, or a copy that outlives the session. */
const COPIES = '(user|auth|session) currentUser userInfo profile';

/** Those that usually outlive a logout. */
const REMAINS = 'user_?data';

/** Whom identify() named, until that user signed out. */
let identified;

/** The key of whom the storage named last. */
let lastKey;

let current;

/** Remember who identify() says is here; nothing for no one. */
export const setIdentified = (given) => {
  const user = readUser(JSON.stringify(given));
  if (given && !user) throw Error('no email');
  identified = user;
  current = null;
};

/** Have the storage read again at the next question: it may have changed. */
export const forgetCurrentUser = () => {
  current = null;
};

/** Return the places that may name a user: [name, function that reads it]. */
const listPlaces = () => {
  const places = ['localStorage', 'sessionStorage'].flatMap((area) => quietly(() => (
    Object.keys(window[area]).map((key) => [key, () => getItem.call(window[area], key)])
  )) || []);
  const cookies = record(); // large ones come in pieces: name.0, name.1
  const all = quietly(() => readDocument(Document.prototype, 'cookie')) || ''; // a sandbox throws
  for (const cookie of all.split('; ')) {
    const [, name, n = 0, value] = /^(.*?)(?:\.(\d\d?))?=(.*)/.exec(cookie) || [];
    (cookies[name] ||= [])[n] = value;
  }
  return places.concat(Object.keys(cookies).map((name) => (
    [name, () => decodeURIComponent(cookies[name].join(''))]
  )));
};

/** Return the global that a path such as `app.user` names, as JSON. */
const readPath = (path) => {
  const [first, ...rest] = path.split('.');
  return JSON.stringify(rest.reduce((value, name) => value?.[name], ownGlobal(first)));
};

/**
 * Read who is signed in, and return a function that says who counts.
 *
 * Sites leave copies of a user at logout. So only some places say that a user is signed in. Copies
 * count while their user has not signed out; what usually outlives a logout counts when it names
 * one user. Who signed out is asked later: the database knows it, and may not be read yet.
 */
export const readStoredUsers = () => {
  const places = listPlaces();
  const usersIn = (names) => names.split(' ').flatMap((name) => (
    places.filter(([place]) => patternOf('^' + name + '$', 'i').test(place))
      .concat([[name, () => readPath(name)]])
      .map(([, read]) => quietly(() => readUser(read())))
  )).filter(Boolean);
  const [sure] = usersIn((config.person || '') + SIGNED_IN)
    .sort((one, other) => one.isOver - other.isOver);
  const copies = usersIn(COPIES);
  const remains = usersIn(REMAINS);
  const known = (user) => history.left.includes(user.key);
  const signedIn = sure || copies.find((user) => !known(user));

  // Whoever was signed in before, and is not now, has signed out.
  if (lastKey !== signedIn?.key) {
    if (identified?.key === lastKey) identified = null;
    lastKey = signedIn?.key;
  }
  const here = sure ? [sure, ...copies, ...remains] : [];
  for (const user of here) {
    if (known(user)) continue;
    history.left.push(user.key);
    history.left = history.left.slice(-MAX_LEFT);
    unsaved.add(history);
  }

  const counts = (user) => isLoaded && !known(user);
  return () => {
    const [one, ...rest] = remains.filter(counts);
    return sure || copies.find(counts) || (rest.every((other) => other.key === one.key) && one);
  };
};

/**
 * Return who is here: `users()` names whom identify() named, and who is signed in, if known.
 *
 * What was read is used again for a moment; writes to the keys end that.
 */
export const currentUser = () => {
  if (!current || now() > current.until) {
    const stored = readStoredUsers(); // may end what identify() said
    const [named, key] = [identified, lastKey];
    current = { key, until: now() + USER_MS, users: () => [named, stored()] };
  }
  return current;
};
