/**
 * Deliver the queue to the service, in order and each capture until it is acknowledged.
 */

import { attributeWaiting } from './attribution.js';
import { MAX_AGE_MS, MAX_BATCH_BYTES, MAX_KEEPALIVE_BYTES } from './constants.js';
import { log, quietly } from './errors.js';
import { runExclusively } from './lock.js';
import { closeCaptures } from './merge.js';
import { isActive } from './permission.js';
import {
  drop, forget, queue, refreshQueue, release, save, sizeOf, waitingItems,
} from './queue.js';
import { report, reportResponse } from './report.js';
import { dueItems, retryAfterMs, retryDelay, takeBatch } from './retry.js';
import { isLoaded } from './storage.js';
import { isWithin, now } from './timers.js';
import { request } from './transport.js';
import { unsaved } from './unsaved.js';
import { isRecord, parseJson, record } from './values.js';

/** The result for the caller while a capture waits. */
export const QUEUED = { success: false, queued: true };

let isLeaving = false;
let delivering = null;
let pausedUntil = 0; // Retry-After

/** Say whether the page closes: then no lock is taken any more. */
export const setLeaving = (value) => {
  isLeaving = value;
};

/** Resolve when nothing is being delivered. */
export const deliveryDone = async () => {
  while (delivering) await delivering;
};

/** Send what failed before without waiting any longer. */
const retryNow = () => {
  for (const item of queue) if (item.tries) item.dueAt = 0;
};

/** Deliver what is due, unless that is going on; repeat while something is due. */
export const scheduleDelivery = () => {
  if (isLeaving || !isLoaded || !isActive()) return;
  attributeWaiting();
  closeCaptures(now());
  const due = () => dueItems(waitingItems(), now(), pausedUntil);
  if (delivering || !due().length) return;
  const deliverBatches = async () => {
    await refreshQueue();
    while (!isLeaving && isActive()) {
      const items = takeBatch(due(), MAX_BATCH_BYTES);
      if (!items.length) return;
      await deliver(items);
    }
  };
  delivering = runExclusively(deliverBatches).then(() => {
    delivering = null;
    quietly(scheduleDelivery);
  }, (reason) => { // no further try here: a timer schedules deliveries
    delivering = null;
    log(reason);
  });
};

/** Read what other pages left, and deliver everything that can be. */
export const wake = async () => {
  retryNow();
  await refreshQueue();
  quietly(scheduleDelivery);
};

/** Deliver with the page's last request what fits in it, the small captures first. */
export const deliverLast = () => {
  const rest = waitingItems()
    .filter((item) => item.email && !item.blocked && !item.out && item.bytes < MAX_KEEPALIVE_BYTES)
    .sort((one, other) => one.bytes - other.bytes);
  const items = takeBatch(rest, MAX_KEEPALIVE_BYTES);
  if (items.length) deliver(items, true).catch(log);
};

/** Send captures, at last with a request that outlives the page. */
const deliver = async (items, keepalive) => {
  const [first, isBatch] = items;
  const members = items.map((item) => '{"type":"' + item.kind + '",' + item.text.slice(1));
  const body = isBatch ? '{"captures":[' + members + ']}' : first.text; // texts are JSON already
  for (const item of items) item.out = keepalive;
  const options = record({ method: 'POST', body, keepalive });
  handleResponses(items, await request(isBatch ? 'batch' : first.kind, options, sizeOf(items)));
};

/** Handle a request's response: [status, JSON, Retry-After]. A batch has results for captures. */
const handleResponses = (items, [status, json, retryAfter]) => {
  const wait = retryAfterMs(retryAfter);
  if (wait) pausedUntil = now() + wait;
  const response = quietly(() => parseJson(json));
  const results = items[1] ? response?.answers : [response];
  items.forEach((item, index) => {
    item.out = false;
    const result = results?.[index];
    const ownStatus = items[1] && results ? result?.status : status;
    if (queue.includes(item)) handleResponse(item, ownStatus, result);
  });
  save();
};

/**
 * Handle a capture's own response.
 *
 * Only a 2xx that says `success` comes from the service: proxies and captive portals answer 200,
 * too. After 400, 413 and 422 the capture is at fault, and is not sent again. After 401, 403, 404
 * and others of 4xx the setup is, and the next page tries again. Everything else is tried again by
 * this page: 408, 425, 429, 5xx, and no response at all.
 */
const handleResponse = (item, status, response) => {
  const refusal = { error: 'HTTP ' + status, ...(isRecord(response) && response), success: false };
  const reason = { capture_id: item.id, kind: item.kind, status, reason: refusal.error };
  const isDone = status < 300 && response?.success === true;
  reportResponse(item, status, !isDone && refusal.error);
  if (isDone) {
    report.delivered++;
    forget(item, response);
    retryNow();
  } else if (!isWithin(MAX_AGE_MS, item.at)) {
    drop(item, 'old');
  } else if (/400|413|422/.test(status)) {
    item.rejected = reason;
    item.response = refusal;
    unsaved.add(item);
  } else if (/^4(?!08|25|29)/.test(status)) {
    item.blocked = reason;
    item.response = { ...refusal, ...QUEUED };
  } else {
    release(item);
    item.dueAt = now() + retryDelay(item.tries);
    item.tries++;
  }
};
