/**
 * Form fields as JSON: of forms, of FormData, and of bodies that are `name=value&…`.
 */

import { isText, record } from './values.js';

/** Whether a text may be a JSON object or array. */
export const isJsonText = (text) => /^\s*[[{]/.test(text);

/**
 * Make JSON of [name, value] pairs; a repeated name becomes an array, a file its name.
 *
 * Server actions of Next.js number their fields, `1_plan`, and the field 0 refers to them: "$K1".
 */
export const fieldsToJson = (entries) => {
  const form = record();
  const pairs = [...entries];
  const isAction = pairs.some(([name, value]) => name === '0' && /"\$K\d/.test(value));
  for (const [given, value] of pairs) {
    const name = isAction ? given.replace(/^_?\d+(_|$)/, '') : given;
    const text = isText(value) ? value : value.name;
    if (!name || /^\$ACTION/.test(name)) continue;
    if (!(name in form)) form[name] = text;
    else if (Array.isArray(form[name])) form[name].push(text);
    else form[name] = [form[name], text];
  }
  return JSON.stringify(form);
};

/**
 * Make JSON of a request's body. Nothing is kept of one that is neither JSON nor fields.
 *
 * Base64 ends with `=` as well; bytes that are no text are decoded to U+FFFD.
 */
export const bodyToJson = (text) => {
  if (isJsonText(text)) return text.trim(); // without a byte order mark
  const isFields = /^[\p{L}\w.$%[\]+*-]{1,99}(=[^=\s]|=?&)/u.test(text) &&
    !/[\0-\x1f\ufffd]/.test(text) && (/&/.test(text) || !/ /.test(text));
  return fieldsToJson(isFields ? new URLSearchParams(text) : []);
};
