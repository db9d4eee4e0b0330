/**
 * Find the capture service.
 */

import { config, isElsewhere, source } from './config.js';
import { DEFAULT_PORT, NAME } from './constants.js';
import { quietly } from './errors.js';
import { isText, withoutSlashes } from './values.js';

/**
 * Make an absolute address of http or https, without credentials and query; empty if it is none.
 *
 * A relative one is relative to the page's address. A <base> may be a stranger's.
 */
const webAddress = (given) => {
  const isAddress = isText(given) || given instanceof URL;
  const url = quietly(() => isAddress && new URL(given, location.href));
  const isWeb = /^https?:$/.test(url?.protocol);
  return isWeb ? withoutSlashes(url.origin + url.pathname) : '';
};

let address;

/**
 * Return the service's address.
 *
 * It is where the script came from, if that is a capture service; or what the settings say; or
 * where the script came from, if not from the page's own host; or port 5003 of that host.
 *
 * A capture service names itself in Server-Timing, which WebKitGTK does not tell. All of the entry
 * is searched, however the page has changed it. The address is found once: pages clear the entries.
 */
export const serviceUrl = () => {
  if (address) return address;
  const host = location.hostname // a page from disk has none
    ? location.protocol + '//' + location.hostname
    : 'http://127.0.0.1';
  const fallback = host + ':' + DEFAULT_PORT;
  const entry = quietly(() => JSON.stringify(performance.getEntriesByName(source))) || '';
  const isService = entry.includes('"' + NAME);
  const origin = isService || isElsewhere ? new URL('.', source) : fallback;
  const found = (!isService && webAddress(config.endpoint)) || webAddress(origin) || fallback;
  if (entry[2]) address = found; // not of an empty list
  return found;
};
