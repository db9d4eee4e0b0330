/**
 * Wrap functions of the page and of the browser so that nobody can tell, and undo it.
 */

import { quietly } from './errors.js';
import { isActive } from './permission.js';
import { record } from './values.js';

/** The functions by their wrappers. */
const originals = new WeakMap();

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
export const instrument = (owner, name, observe) => {
  try {
    const original = owner[name]; // throws for a `let` that is not initialised yet
    if (typeof original !== 'function' || original instanceof Node) return;
    if (originals.has(original)) return;
    const wrapper = new Proxy(original, record({
      apply(target, self, args) {
        try {
          if (isActive()) quietly(() => observe(args, self));
        } catch (_) { /* no stack is left: the page's function says so itself */ }
        // The text of a function tells other scripts whether it is the browser's own.
        return Reflect.apply(target, originals.get(self) || self, args);
      },
    }));
    originals.set(wrapper, original);
    owner[name] = wrapper;
    undo.push(() => {
      if (owner[name] === wrapper) owner[name] = original;
    });
  } catch (_) { /* no such name, or a constant */ }
};
