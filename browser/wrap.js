/**
 * The functions that are wrapped: the page's own, which rules name, and the browser's.
 */

import { CALL } from './constants.js';
import { quietly } from './errors.js';
import { forgetCurrentUser } from './identity.js';
import { instrument } from './instrument.js';
import { addEventListener, baseAddress, window } from './natives.js';
import { confirmForm, holdForm } from './forms.js';
import { observeRequest, observeWrite } from './observe.js';
import { rules } from './rules.js';
import { addSignal } from './signals.js';
import { snapshot } from './snapshot.js';
import { now } from './timers.js';
import { hasOwn, record } from './values.js';

/**
 * Access to names that pages may declare with a top-level `let`, which is no property of window.
 *
 * Only code that contains the bare name reaches such a variable. For a `const`, and where the name
 * does not exist, the assignment throws in strict mode. Of all results of `typeof`, 'undefined' is
 * the only one that sorts after 'u'.
 */
const BARE_NAMES = Object.setPrototypeOf({
  get savePaymentToSupabase() {
    return typeof savePaymentToSupabase < 'u' && savePaymentToSupabase;
  },
  set savePaymentToSupabase(wrapper) {
    savePaymentToSupabase = wrapper;
  },
  get storeQuestionnaireData() {
    return typeof storeQuestionnaireData < 'u' && storeQuestionnaireData;
  },
  set storeQuestionnaireData(wrapper) {
    storeQuestionnaireData = wrapper;
  },
  get saveDashboardToSupabase() {
    return typeof saveDashboardToSupabase < 'u' && saveDashboardToSupabase;
  },
  set saveDashboardToSupabase(wrapper) {
    saveDashboardToSupabase = wrapper;
  },
}, null);

/**
 * Wrap the functions of the rules that exist by now.
 *
 * Runs again and again, as the page's scripts run. An accessor under a name that does not exist yet
 * would need no repetition, but would break `if (!('name' in window)) window.name = …`.
 */
export const wrapGlobals = () => rules.forEach((rule) => {
  const { call, kind } = rule;
  if (!call) return;
  const found = Object.getOwnPropertyDescriptor(window, call);
  if (found && !hasOwn(found, 'value')) return; // the page's own accessor
  const observe = (args) => {
    const more = snapshot(kind, args);
    confirmForm(more.copy);
    addSignal(rule, CALL, call, '', more);
  };
  instrument(found ? window : BARE_NAMES, call, observe);
});

/** What the response of a fetch says of a payment, as far as Resource Timing tells it. */
const outcomeOf = ({ href }, signal) => {
  const since = now() - 1; // in Firefox, times are rounded
  return () => {
    const name = href.replace(/#.*/, '');
    const entries = quietly(() => performance.getEntriesByName(name)) || [];
    const entry = entries.find((one) => one.startTime >= since);
    if (entry?.responseStatus >= 400) return 'failed';
    // In Firefox, an aborted request seems to have begun to get its response.
    if (signal?.aborted && !(entry?.responseStatus ?? entry?.responseStart)) return 'unknown';
    return entry && 'known';
  };
};

/** Read a member of fetch's options. A getter would run the page's code once more. */
const optionOf = (options, name) => Object.getOwnPropertyDescriptor(options || {}, name)?.value;

/** Wrap the browser's functions with which pages send and store. */
export const wrapBrowser = (listenIn) => {
  instrument(Function.prototype, 'toString', () => {}); // for the text of wrappers
  instrument(window, 'fetch', ([input, init]) => {
    const request = input instanceof Request ? input : record();
    // In Firefox a Request has no `body`: a clone of it is read instead.
    const body = optionOf(init, 'body') ?? (request.clone && request);
    const readToken = () =>
      new Headers(optionOf(init, 'headers') || request.headers).get('authorization');
    const address = new URL(request.url || input, baseAddress());
    const outcome = outcomeOf(address, optionOf(init, 'signal') || request.signal);
    observeRequest(body, optionOf(init, 'method') || request.method, address, readToken, outcome);
  });
  const opened = new WeakMap();
  const { prototype } = XMLHttpRequest;
  instrument(prototype, 'open', (args, xhr) => opened.set(xhr, args));
  instrument(prototype, 'setRequestHeader', ([name, value], xhr) => {
    if (/^authorization$/i.test(name)) opened.get(xhr).token = value;
  });
  instrument(prototype, 'send', ([body], xhr) => {
    const call = opened.get(xhr);
    let outcome;
    for (const type of ['load', 'error', 'abort', 'timeout']) {
      addEventListener.call(xhr, type, () => {
        outcome = xhr.status >= 400 ? 'failed' : type === 'load' ? 'known' : 'unknown';
      });
    }
    observeRequest(body, call[0], call[1], () => call.token, () => outcome);
  });
  instrument(Navigator.prototype, 'sendBeacon', ([url, body]) => observeRequest(body, 'POST', url));
  for (const name of ['setItem', 'removeItem']) {
    instrument(Storage.prototype, name, (args) => observeWrite(...args));
  }
  instrument(Storage.prototype, 'clear', forgetCurrentUser);
  // Events of a form do not leave its shadow tree.
  const prepare = (_, form) => listenIn(Node.prototype.getRootNode.call(form));
  instrument(HTMLFormElement.prototype, 'requestSubmit', prepare);
  instrument(HTMLFormElement.prototype, 'submit', (_, form) => {
    prepare(_, form);
    holdForm(form, record());
  });
};
