/**
 * The forms of the page: what they send, and whether they do.
 *
 * A submit that the page stops saves nothing, unless the page sends or stores the fields itself.
 * So a form is held until the browser reads its fields to send them (the event `formdata`), or the
 * page sends or stores one of their values.
 */

import { ACTION_MS, FORM, MAX_MATCHED_CHARACTERS } from './constants.js';
import { quietly } from './errors.js';
import { fieldsToJson } from './fields.js';
import { secretNames } from './mask.js';
import { baseAddress } from './natives.js';
import { findRule } from './rules.js';
import { addSignal } from './signals.js';
import { isWithin, runLater } from './timers.js';
import { isText } from './values.js';

/** Forms whose opening tag looks like a save's, and which are none. */
const NO_SAVE = /newsletter|subscribe|filter|search|[-_ "]sort|log-?in|sign-?in/i;

/** Fields whose values are secrets, whatever their names. */
const SECRETS = '[type=password i],[autocomplete*=password i],[autocomplete*=cc- i],' +
  '[autocomplete*=one-time i]';

/** The form that was submitted last. */
let held;

/** Whether the script reads a form: the page must not notice. */
let isReading = false;

/** Read an attribute: a field with its name would hide the form's own property. */
const attribute = (element, name) => Element.prototype.getAttribute.call(element, name) || '';

/** Capture the form that is held, with these fields; the page may still add some. */
const capture = (fields) => {
  const { rule } = held;
  held = null;
  const add = () => {
    const known = [...fields].filter(([name]) => !secretNames.has(name));
    addSignal(rule, FORM, 'form', fieldsToJson(known));
  };
  add();
  runLater(add);
};

/**
 * Hold a form that is submitted, or about to be.
 *
 * Its opening tag is read from a clone without children, like its attributes.
 *
 * @param event the submit event; a record if the page calls submit()
 */
export const holdForm = (form, event) => {
  for (const field of Reflect.get(HTMLFormElement.prototype, 'elements', form)) {
    if (field.name && Element.prototype.matches.call(field, SECRETS)) secretNames.add(field.name);
  }
  held = null;
  const { submitter } = event;
  const tag = Node.prototype.cloneNode.call(form).outerHTML.slice(0, MAX_MATCHED_CHARACTERS);
  const given = (submitter && attribute(submitter, 'formaction')) || attribute(form, 'action');
  const { origin, pathname } = new URL(given, baseAddress());
  const rule = !NO_SAVE.test(tag) &&
    (findRule('form', tag) || findRule('url', origin + pathname, undefined, origin.length));
  if (!rule) return;
  isReading = true;
  const fields = quietly(() => [...new FormData(form, submitter)]) || [];
  isReading = false;
  const method = (submitter && attribute(submitter, 'formmethod')) || attribute(form, 'method');
  const holding = { form, event, rule, fields, sends: !/get|dialog/i.test(method), at: Date.now() };
  held = holding;
  // A submit event of the page's own makes the browser read nothing.
  runLater(() => {
    if (held !== holding || event.defaultPrevented) return;
    if (held.sends) capture(fields);
    else held = null;
  });
};

/** Handle that a form's fields are read: by the browser to send them, by the page, or by us. */
export const observeFormData = (event) => {
  if (isReading) event.stopImmediatePropagation();
  else if (
    held?.sends && held.form === event.target && event.eventPhase > Event.CAPTURING_PHASE &&
    !held.event.currentTarget && !held.event.defaultPrevented
  ) quietly(() => capture(event.formData));
};

/** Capture the form that was submitted just before, if the page sends or stores a value of it. */
export const confirmForm = (saved) => {
  if (!held || !isWithin(ACTION_MS, held.at)) return;
  const text = isText(saved) ? saved : JSON.stringify(saved);
  const isSaved = ([name, value]) => isText(value) && value && text.includes(value) &&
    (value.length > 3 || text.includes(name));
  if (held.fields.some(isSaved)) capture(held.fields);
};

/** End the action: what the page saves from now on has nothing to do with a form before. */
export const forgetForm = () => {
  held = null;
};
