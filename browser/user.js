/**
 * Find users in what pages say: payloads, arguments, stored objects.
 */

import { mergePreferFirst, plainKey } from './canonical.js';
import { config, wordsIn } from './config.js';
import { isRecord, isText, member, record } from './values.js';

/** Return an email address without spaces around it; empty if it is none or a placeholder. */
export const emailIn = (value) => {
  const email = isText(value) ? value.trim() : '';
  const placeholders = wordsIn(['unknown@example.com', config.placeholders]);
  const isEmail = /^[^\s@]+@[^\s@]+$/.test(email) && !placeholders.includes(email.toLowerCase());
  return isEmail ? email : '';
};

/** Read the first member that is usable. */
const firstOf = (object, names, read) =>
  names.split(' ').map((name) => read(member(object, name))).find(Boolean);

/** Return the user that an address or an object names, also one level deeper, as in a session. */
export const readUser = (value) => {
  const given = isText(value) ? { email: value } : value;
  if (!isRecord(given)) return undefined;
  const addresses = 'user_email userEmail email email_address emailAddress Email';
  const email = firstOf(given, addresses, emailIn);
  if (email) {
    const names = 'name fullName full_name user_name userName username';
    return record({
      email,
      key: email.toLowerCase(),
      name: firstOf(given, names, (name) => isText(name) && name.trim()),
      id: firstOf(given, 'id user_id', (id) => /^[\w-]{1,36}$/.test(id) && id),
    });
  }
  const inner = member(given, 'user');
  return isRecord(inner) && !member(inner, 'user') ? readUser(inner) : undefined;
};

/**
 * Return the user of a save, with what all sources say of the same user.
 *
 * The payload's own address counts first, then the users within it, the call's argument, and those
 * of `around`: who was identified and who was signed in.
 */
export const mergeUsers = (body, argument, around) => {
  const plain = record();
  for (const key in body) plain[plainKey(key)] ||= body[key];
  const places = 'userdata user userprofile dashboarddata tradingstate customer customerdetails ' +
    'billingdetails payer';
  const inside = places.split(' ').flatMap((place) => {
    const value = plain[place];
    return [value, value?.userProfile, value?.userData];
  });
  // A body's name and id may be another's.
  const names = 'useremail email customeremail receiptemail billingemail';
  const said = [body.user_email, ...names.split(' ').map((name) => plain[name])]
    .concat(inside, argument)
    .map(readUser)
    .filter(Boolean);
  const all = said.concat(around).filter(Boolean);
  if (!all.length) return undefined;
  const same = all.filter((user) => user.key === all[0].key);
  return record(same.reduce(mergePreferFirst), { own: said.length > 0 });
};
