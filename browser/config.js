/**
 * The settings: window.enhancedDataCaptureConfig, or data- attributes of the script's tag.
 */

import { enableLog, quietly } from './errors.js';
import { ownGlobal, readDocument } from './natives.js';
import { may } from './permission.js';
import { isPlainObject, own, record } from './values.js';

export const config = record();

/** The address from which the script was loaded, if a tag says it. */
export let source = '';

/** Whether `source` names a copy of this file, and not a bundle that contains it. */
export let isOwnFile = false;

/** Whether that file is on the page's own origin. */
export let isSameOrigin = false;

/** Split words at spaces and commas; an array is joined first. */
export const wordsIn = (words) => String(words).toLowerCase().split(/[\s,]+/);

/**
 * Find the script's tag, and read the settings: the page's object counts before the tag.
 *
 * Runs while the script is evaluated: later there is no currentScript. In a module there is none
 * either, so the tag is found by the file's name. Both may be an SVG script, which has no `src`.
 * Of the page's object only own members count.
 */
export const loadConfig = () => {
  const found = readDocument(Document.prototype, 'currentScript') ||
    Document.prototype.querySelector.call(document, 'script[src*=data_capture_integration]');
  const tag = found instanceof HTMLScriptElement ? found : null;
  const global = ownGlobal('enhancedDataCaptureConfig');
  const given = quietly(() => isPlainObject(global) && global);
  const names = ['endpoint', 'placeholders', 'enabled', 'consent', 'rules', 'without', 'debug'];
  for (const name of names) {
    config[name] = quietly(() => {
      const value = own(given, name) ?? tag?.getAttribute('data-' + name);
      if (name === 'rules' || !value) return value;
      return isPlainObject(value) ? undefined : String(value);
    });
  }
  source = tag?.src || '';
  isOwnFile = /^http.*data_capture_integration/.test(source);
  isSameOrigin = isOwnFile && source.startsWith(location.origin + '/');
  may.enabled = String(config.enabled) !== 'false';
  may.consent = config.consent !== 'required';
  if (/^(|1|true)$/.test(config.debug)) enableLog();
};
