/**
 * The browser's own functions, as they were when the script ran.
 *
 * Pages wrap fetch and others later. Elements with an id or a name are globals, and hide members
 * of document and of forms ("DOM clobbering"), so the DOM is read through its prototypes. Node
 * has no DOM: there the functions are undefined, and nothing uses them.
 */

import { quietly } from './errors.js';
import { own } from './values.js';

export const { window, fetch: nativeFetch } = globalThis;
export const { addEventListener } = EventTarget.prototype;
export const { getItem, setItem, removeItem } = window?.Storage.prototype || {};

/** Read a global, but no element by its id or name: window does not own those. */
export const ownGlobal = (name) => quietly(() => own(window, name));

/** Read an attribute of the document that an element may hide. */
export const readDocument = (prototype, name) => Reflect.get(prototype, name, document);

/** Return the URL against which the page's relative URLs are resolved. */
export const baseAddress = () => readDocument(Node.prototype, 'baseURI');
