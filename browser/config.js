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

/** Whether `source` is this file, no bundle that contains it, on another origin than the page. */
export let isElsewhere = false;

/** Split words at spaces and commas; an array is joined first. */
export const wordsIn = (words) => String(words).split(/[\s,]+/);

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
  const names = 'endpoint placeholders person enabled consent rules without debug';
  for (const name of names.split(' ')) {
    config[name] = quietly(() => own(given, name) ?? tag?.getAttribute('data-' + name));
  }
  source = tag?.src || '';
  isElsewhere = /^http.*data_capture_integration/.test(source) &&
    !source.startsWith(location.origin + '/');
  may.enabled = String(config.enabled) !== 'false';
  may.consent = config.consent !== 'required';
  if (/^(|1|true)$/.test(config.debug)) enableLog();
};
