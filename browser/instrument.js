/**
 * Wrap functions of the page and of the browser so that nobody can tell, and undo it.
 */

import { quietly } from './errors.js';
import { isActive } from './permission.js';
import { record } from './values.js';

const kindsByWrapper = new Map();
let innermost;

/** What puts the page back as it was; empty while nothing is wrapped. */
export const undo = [];

/** Put the page's functions back, and stop listening. */
export const restorePage = () => undo.splice(0).forEach(quietly);

/**
 * Wrap `owner[name]`: `observe(args, self)` runs before each call.
 *
 * A Proxy keeps `this`, length, name, own properties and the AsyncFunction type. Arguments are read
 * before the call, because pages change them during it. The result is never touched: reading `then`
 * of a Supabase query sends it again, and handling a promise hides an unhandledrejection.
 */
export const instrument = (owner, name, observe, kind = name) => {
  try {
    const original = owner[name]; // throws for a `let` that is not initialised yet
    if (typeof original !== 'function' || original instanceof Node) return;
    if (kindsByWrapper.has(original)) return;
    const wrapper = new Proxy(original, record({
      apply(target, self, args) {
        const outer = innermost;
        innermost = wrapper;
        try {
          try {
            // A page that wraps our wrapper passes two wrappers with one save: only the outer one
            // counts. A function that calls itself saves each time.
            const isSave = outer === wrapper || kindsByWrapper.get(outer) !== kind;
            if (isSave && isActive()) quietly(() => observe(args, self));
          } catch (_) { /* no stack is left: the page's function says so itself */ }
          return Reflect.apply(target, self, args);
        } finally {
          innermost = outer;
        }
      },
    }));
    owner[name] = wrapper;
    kindsByWrapper.set(wrapper, kind);
    undo.push(() => {
      if (owner[name] === wrapper) owner[name] = original;
    });
  } catch (_) { /* no such name, or a constant */ }
};
