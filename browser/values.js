/**
 * Values that come from the page, read safely.
 *
 * A page can give Object.prototype members, which every object then seems to have. So what the
 * script makes, including options for the browser, is a record: an object without a prototype.
 * What it parses is, too. So `in` and `for … in` see a record's own members alone.
 */

export const isObject = (value) => typeof value === 'object' && value !== null;
export const isText = (value) => typeof value === 'string';
export const isEmpty = (value) => (value ?? '') === '';

/** Texts that pages save where they have no value, and numbers that they make up. */
const NOTHING = /^(\s*|n\/?a|none|null|undefined|unknown|(NON-)?CRYPTO-\d+)$/i;

/** Whether a value says nothing: then it loses against any other. */
export const saysNothing = (value) => isEmpty(value) ||
  (isObject(value) ? !Array.isArray(value) && !Object.keys(value)[0] : NOTHING.test(value));

/** Whether a value is an object that is no array. */
export const isRecord = (value) => isObject(value) && !Array.isArray(value);

/** Whether a value is an object literal or a record, and no instance of a class. */
export const isPlainObject = (value) =>
  isRecord(value) && [Object.prototype, null].includes(Object.getPrototypeOf(value));

/** Make an object without a prototype that has the members of all given objects. */
export const record = (...members) => Object.assign(Object.create(null), ...members);

export const hasOwn = (object, name) =>
  object !== undefined && object !== null && Object.hasOwn(object, name);

/** Read an own member. */
export const own = (object, name) => (hasOwn(object, name) ? object[name] : undefined);

/**
 * Parse JSON into records, each value as `change(key, value)` returns it.
 *
 * The tree is walked afterwards, because a reviver of JSON.parse takes 50 times as long. A value
 * that `change` replaces is not walked.
 */
export const parseJson = (json, change = (key, value) => value) => {
  const walk = (value, key) => {
    const changed = change(key, value);
    if (changed !== value || !isObject(value)) return changed;
    Object.setPrototypeOf(value, null);
    for (const name in value) value[name] = walk(value[name], name);
    return value;
  };
  return walk(JSON.parse(json), '');
};

/** Remove slashes from the end. The pattern /\/+$/ would take quadratic time. */
export const withoutSlashes = (text) => text.replace(/\/{1,99}$/, '');
