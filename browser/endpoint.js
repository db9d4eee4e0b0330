/**
 * Find the capture service.
 */

import { config, isOwnFile, isSameOrigin, source } from './config.js';
import { DEFAULT_PORT, NAME } from './constants.js';
import { quietly } from './errors.js';
import { withoutSlashes } from './values.js';

/**
 * Make an absolute address of http or https, without credentials and query; empty if it is none.
 *
 * A relative one is relative to the page's address. A <base> may be a stranger's.
 */
const webAddress = (given) => {
  const url = quietly(() => given && new URL(given, location.href));
  const isWeb = /^https?:$/.test(url?.protocol);
  return isWeb ? withoutSlashes(url.origin + url.pathname) : '';
};

/**
 * Return the service's address.
 *
 * It is where the script came from, if that is a capture service; or what the settings say; or
 * where the script came from, if not from the page's own host; or port 5003 of that host.
 *
 * A capture service names itself in Server-Timing, which WebKitGTK does not tell. All of the entry
 * is searched, however the page has changed it.
 */
export const serviceUrl = () => {
  const host = location.hostname // a page from disk has none
    ? location.protocol + '//' + location.hostname
    : 'http://127.0.0.1';
  const fallback = host + ':' + DEFAULT_PORT;
  const isService = JSON.stringify(performance.getEntriesByName(source)).includes('"' + NAME);
  const isElsewhere = isOwnFile && !isSameOrigin;
  const origin = isService || isElsewhere ? new URL('.', source) : fallback;
  return (!isService && webAddress(config.endpoint)) || webAddress(origin) || fallback;
};
