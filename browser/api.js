/**
 * The API: window.enhancedDataCapture. Every call returns a promise that never rejects.
 */

import { API, VERSION } from './constants.js';
import { QUEUED, deliveryDone, wake } from './delivery.js';
import { serviceUrl } from './endpoint.js';
import { log, quietly } from './errors.js';
import { forgetForm } from './forms.js';
import { forgetHistory, history } from './history.js';
import { setIdentified } from './identity.js';
import { restorePage } from './instrument.js';
import { leavePage, ready, startCapturing } from './lifecycle.js';
import { closeCaptures, earlierTexts } from './merge.js';
import { window } from './natives.js';
import { isActive, may, shareOff } from './permission.js';
import { drop, queue, waitingItems } from './queue.js';
import { report } from './report.js';
import { readRule } from './rules.js';
import { addSignal, processSignals, signals } from './signals.js';
import { snapshot } from './snapshot.js';
import { database, persist, readAll, usesLocalStorage } from './storage.js';
import { abortRequests, request } from './transport.js';
import { isText, record } from './values.js';

const capturerOf = (kind) => async (...args) => {
  if (!isActive()) throw Error('off');
  const signal = addSignal(readRule({ kind }), API, '', '', snapshot(kind, args));
  await ready;
  processSignals(true);
  await deliveryDone();
  if (signal.error) throw signal.error;
  return signal.item.response || QUEUED;
};

/** Turn a permission off at once, and on when it is known what an earlier page was told. */
const turn = async (name, wanted) => {
  may[name] &&= wanted;
  await ready;
  may[name] = Boolean(wanted);
  if (isActive()) startCapturing();
  else restorePage();
  persist(record({ '#off': record(may, { id: '#off' }) }));
  shareOff();
  await wake();
  return may[name];
};

const methods = {
  capturePaymentData: capturerOf('payment'),
  captureQuestionnaireData: capturerOf('questionnaire'),
  captureDashboardData: capturerOf('dashboard'),
  captureTradingActivity: capturerOf('activity'),

  identify: async (given) => {
    setIdentified(given);
    await wake();
  },

  setEnabled: async (wanted) => ({ enabled: await turn('enabled', wanted) }),

  consent: async (given) => {
    if (!given) { // forget everything, here and in storage
      may.consent = false;
      abortRequests();
      await ready;
      const all = await readAll();
      for (const item of queue) drop(item, 'no consent');
      signals.clear();
      earlierTexts.clear();
      forgetHistory();
      for (const id in all) all[id] = null;
      persist(all);
    }
    await turn('consent', given);
  },

  flush: async () => {
    await ready;
    forgetForm();
    processSignals(true);
    closeCaptures(Infinity);
    await wake();
    await deliveryDone();
    const waiting = waitingItems().length;
    return waiting ? { ...QUEUED, waiting } : {};
  },

  status: async () => {
    await ready;
    const reasons = (state) => queue.map((item) => item[state]).filter(Boolean);
    const unattributed = queue.filter((item) => !item.email).length; // they wait for identify()
    return {
      ...may,
      ...report,
      endpoint: serviceUrl(),
      storage: database ? 'indexedDB' : usesLocalStorage ? 'localStorage' : 'memory',
      waiting: waitingItems().length,
      unattributed,
      why: unattributed ? unattributed + ' waiting: nobody is known' : '',
      parked: reasons('blocked'),
      setAside: reasons('rejected'),
      dropped: { ...history.dropped },
    };
  },

  healthCheck: async () => {
    const [, health] = await request('health');
    return quietly(() => JSON.parse(health)) || { success: false, status: 'unreachable' };
  },

  uninstall: async () => {
    leavePage();
    may.enabled = false;
    restorePage();
    database?.close();
    delete window.enhancedDataCapture;
  },
};

/**
 * Define window.enhancedDataCapture, over an element of that name if there is one.
 *
 * A method resolves to what it returns with `success: true`, or to its error.
 */
export const provideApi = () => {
  const api = { version: VERSION };
  for (const [name, method] of Object.entries(methods)) {
    api[name] = async (...args) => {
      try {
        return { success: true, ...await method(...args) };
      } catch (reason) {
        log(reason);
        // A page can throw anything, also something whose `message` throws.
        const message = quietly(() => isText(reason.message) && reason.message);
        return { success: false, error: message || 'unusable' };
      }
    };
  }
  window.enhancedDataCapture = Object.freeze(api);
};
