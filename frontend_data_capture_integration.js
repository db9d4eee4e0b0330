/*
 * Enhanced Data Capture: a second copy of what a page saves, without a change to the page.
 * First in <head>, without async or defer, or imported before all else.
 * Settings and API: see the .d.ts.
 *
 * Generated from the modules in browser/, where the comments are. Change those, and run
 * npm --prefix browser run build
 */
(() => {
'use strict';

// browser/constants.js
var NAME = "enhanced-data-capture";
const API = 0;
const CALL = 1;
const REQUEST = 2;
const STORAGE_KEY = 3;
const FORM = 4;
const NOT_SCHEDULED = 0;
const DELAYED = 1;
const IMMEDIATE = 2;
const SLICE_MS = 25;
const POLL_MS = 1e3;
const REWRITE_MS = 200;
const ACTION_MS = 5e3;
const QUIET_MS = 1e3;
const REPEAT_MS = 1e4;
const DAY_MS = 24 * 60 * 60 * 1e3;
const OPEN_MS = 2e3;
const TIMEOUT_MS = 1e4;
const MIN_BYTES_PER_MS = 32;
const MIN_DELAY_MS = 1e3;
const MAX_DELAY_MS = 5 * 60 * 1e3;
const MAX_RETRY_AFTER_MS = 60 * 60 * 1e3;
const MAX_AGE_MS = 7 * 24 * 60 * 60 * 1e3;
const MAX_MATCHED_CHARACTERS = 2e3;
const MAX_SAVE_CHARACTERS = 2e7;
const MAX_MEMBERS = 1e6;
const MAX_NUMBERS = 50;
const MAX_TEXT_LAYERS = 4;
const MAX_TEXT_CHARACTERS = 1e6;
const MIN_CARD_NUMBER = 1e12;
const MAX_OPEN = 50;
const MAX_PARTS = 20;
const MAX_EARLIER = 100;
const MAX_PAID = 200;
const MAX_LEFT = 50;
const MAX_QUEUE_COUNT = 1e3;
const MAX_QUEUE_BYTES = 24e6;
const RECORD_BYTES = 40;
const SMALL_CHARACTERS = 6e4;
const MIN_FREE_CHARACTERS = 4 * 6e4;
const MAX_BATCH_COUNT = 100;
const MAX_BATCH_BYTES = 5e5;
const MAX_KEEPALIVE_BYTES = 6e4;
const DEFAULT_PORT = 5003;

// browser/errors.js
var log = () => {
};
var enableLog = () => {
  log = console.debug.bind(console, "[" + NAME + "]");
};
var quietly = (work) => {
  try {
    return work();
  } catch (reason) {
    try {
      log(reason);
    } catch (_) {
    }
    return void 0;
  }
};

// browser/unsaved.js
var unsaved = /* @__PURE__ */ new Set();

// browser/values.js
var isObject = (value) => typeof value === "object" && value !== null;
var isText = (value) => typeof value === "string";
var isEmpty = (value) => (value ?? "") === "";
var isRecord = (value) => isObject(value) && !Array.isArray(value);
var isPlainObject = (value) => isRecord(value) && [Object.prototype, null].includes(Object.getPrototypeOf(value));
var record = (...members) => Object.assign(/* @__PURE__ */ Object.create(null), ...members);
var hasOwn = (object, name) => object !== void 0 && object !== null && Object.hasOwn(object, name);
var own = (object, name) => hasOwn(object, name) ? object[name] : void 0;
var member = (object, name) => name in Object.prototype && !hasOwn(object, name) ? void 0 : object?.[name];
var parseJson = (json, change = (key, value) => value) => {
  let walk = (value, key) => {
    let changed = change(key, value);
    if (changed !== value || !isObject(value)) return changed;
    Object.setPrototypeOf(value, null);
    for (let name in value) value[name] = walk(value[name], name);
    return value;
  };
  return walk(JSON.parse(json), "");
};
var withoutSlashes = (text) => {
  while (text.endsWith("/")) text = text.slice(0, -1);
  return text;
};

// browser/history.js
var history = record({ id: "#known" });
var forgetHistory = () => {
  Object.assign(history, { paid: record(), left: [], user: [], dropped: record() });
};
forgetHistory();
var restoreHistory = (saved = history) => {
  Object.assign(history, saved, {
    left: history.left.concat(saved.left),
    user: [].concat(saved.user),
    paid: record(saved.paid),
    dropped: record(saved.dropped)
  });
};
var countDropped = (kind) => {
  history.dropped[kind] = (history.dropped[kind] || 0) + 1;
  unsaved.add(history);
};
var refuseLarge = (kind) => {
  countDropped(kind);
  throw Error("too large");
};
var rememberPaid = (numbers) => {
  for (let number of numbers) history.paid[number] = Date.now();
  history.paid = record(Object.fromEntries(Object.entries(history.paid).slice(-MAX_PAID)));
  unsaved.add(history);
};

// browser/natives.js
var { window, fetch: nativeFetch } = globalThis;
var { addEventListener, removeEventListener } = window?.EventTarget?.prototype ?? {};
var { getItem, setItem, removeItem } = window?.Storage?.prototype ?? {};
var ownGlobal = (name) => quietly(() => own(window, name));
var readDocument = (prototype, name) => Reflect.get(prototype, name, document);
var baseAddress = () => readDocument(Node.prototype, "baseURI");

// browser/timers.js
var { setTimeout: nativeSetTimeout } = globalThis;
var now = () => performance.now();
var runLater = (work, ms) => nativeSetTimeout(() => quietly(work), ms);
var pause = (ms) => new Promise((resolve) => nativeSetTimeout(resolve, ms));
var isWithin = (ms, at) => Math.abs(Date.now() - at) < ms;

// browser/storage.js
var database;
var isLoaded;
var usesLocalStorage;
var setLoaded = () => {
  isLoaded = true;
};
var resultOf = (request2) => new Promise((resolve, reject) => {
  request2.onsuccess = () => resolve(request2.result);
  request2.onerror = reject;
});
var readSmall = () => parseJson(getItem.call(localStorage, NAME));
var removeSmall = () => removeItem.call(localStorage, NAME);
var openStorage = async () => {
  let open = async () => {
    let request2 = indexedDB.open(NAME, 1);
    request2.onupgradeneeded = () => {
      request2.result.createObjectStore(NAME, record({ keyPath: "id" }));
    };
    database = await resultOf(request2);
    database.onversionchange = () => {
      database.close();
      database = null;
    };
  };
  await Promise.race([open(), pause(OPEN_MS)]).catch(log);
  let small = quietly(readSmall);
  usesLocalStorage = !database && small !== void 0;
  return small;
};
var useLocalStorageToo = () => {
  usesLocalStorage = true;
};
var persist = (records, whenWritten = () => {
}) => quietly(() => {
  if (usesLocalStorage) quietly(() => persistSmall(records));
  if (!database) return;
  let transaction = database.transaction(NAME, "readwrite");
  let objectStore = transaction.objectStore(NAME);
  for (let id in records) {
    if (records[id]) objectStore.put(records[id]);
    else objectStore.delete(id);
  }
  transaction.commit();
  transaction.oncomplete = () => quietly(whenWritten);
});
var persistSmall = (records) => {
  let room = SMALL_CHARACTERS;
  let kept = record(readSmall(), records);
  for (let id in kept) {
    if (kept[id]) room -= JSON.stringify(kept[id]).length;
    if (!kept[id] || room < 0) delete kept[id];
  }
  let text = JSON.stringify(kept);
  removeSmall();
  if (text === "{}") return;
  setItem.call(localStorage, NAME, text.padEnd(MIN_FREE_CHARACTERS));
  setItem.call(localStorage, NAME, text);
};
var readAll = async () => {
  let all = record(usesLocalStorage && readSmall());
  if (!database) return all;
  let transaction = database.transaction(NAME);
  let request2 = transaction.objectStore(NAME).getAll();
  transaction.commit();
  for (let one of await resultOf(request2)) all[one.id] = record(one);
  return all;
};

// browser/canonical.js
var plainKey = (key) => key.toLowerCase().replace(/[^\p{L}\d]+/gu, "");
var withoutVolatile = (value) => {
  if (Array.isArray(value)) {
    return Object.setPrototypeOf(Array.from(value, withoutVolatile), null);
  }
  if (isText(value) && value.startsWith("NON-CRYPTO-")) return void 0;
  if (!isRecord(value)) return value;
  let kept = record();
  for (let key in value) {
    let isVolatile = /^timestamp$|(created|updated|saved|submitted)at$|^last(upd|sav|mod)/.test(plainKey(key));
    if (!isVolatile) kept[key] = withoutVolatile(value[key]);
  }
  return kept;
};
var canonicalJson = (body) => JSON.stringify(withoutVolatile(body));
var mergePreferFirst = (first, second) => {
  let merged = record(first);
  let names = record();
  for (let key in first) names[plainKey(key)] = key;
  for (let key in second) {
    let name = names[plainKey(key)] || key;
    if (isEmpty(merged[name])) merged[name] = second[key];
    else if (isRecord(merged[name]) && isRecord(second[key])) {
      merged[name] = mergePreferFirst(merged[name], second[key]);
    }
  }
  return merged;
};
var isExtended = (text, before2) => text.startsWith(before2.slice(0, -1)) && /^[,}]/.test(text.slice(before2.length - 1));
var valuesIn = (text, name) => {
  let pattern = new RegExp('"' + name + '":"?(?!null)([^",}]{1,200})', "gi");
  let values = /* @__PURE__ */ new Set();
  for (let [, value] of text.matchAll(pattern)) {
    if (values.size < MAX_NUMBERS) values.add(value);
  }
  return [...values];
};
var paymentStates = ({ ids, status }) => ids.map((number) => number + status);
var belongsTo = (part, item) => {
  let differs = (name) => part[name] && item[name] && part[name] !== item[name];
  if (["kind", "own", "number"].some(differs)) return false;
  let earlier = item.parts.get(part.from);
  if (!earlier) return item.parts.size < MAX_PARTS;
  if (part.rank >= STORAGE_KEY) {
    return !part.ids[0] || !earlier.ids[0] || part.ids.some((id) => earlier.ids.includes(id));
  }
  return isExtended(part.text, earlier.text) || isExtended(earlier.text, part.text);
};

// browser/permission.js
var OFF_KEY = NAME + "-off";
var may = record();
var isActive = () => may.enabled && may.consent;
var shareOff = () => quietly(() => {
  if (isActive()) delete localStorage[OFF_KEY];
  else localStorage[OFF_KEY] = 1;
});

// browser/config.js
var config = record();
var source = "";
var isOwnFile = false;
var isSameOrigin = false;
var wordsIn = (words) => String(words).toLowerCase().split(/[\s,]+/);
var loadConfig = () => {
  let found = readDocument(Document.prototype, "currentScript") || Document.prototype.querySelector.call(document, "script[src*=data_capture_integration]");
  let tag = found instanceof HTMLScriptElement ? found : null;
  let global = ownGlobal("enhancedDataCaptureConfig");
  let given = quietly(() => isPlainObject(global) && global);
  let names = ["endpoint", "placeholders", "enabled", "consent", "rules", "without", "debug"];
  for (let name of names) {
    config[name] = quietly(() => {
      let value = own(given, name) ?? tag?.getAttribute("data-" + name);
      if (name === "rules" || !value) return value;
      return isPlainObject(value) ? void 0 : String(value);
    });
  }
  source = tag?.src || "";
  isOwnFile = /^http.*data_capture_integration/.test(source);
  isSameOrigin = isOwnFile && source.startsWith(location.origin + "/");
  may.enabled = String(config.enabled) !== "false";
  may.consent = config.consent !== "required";
  if (/^(|1|true)$/.test(config.debug)) enableLog();
};

// browser/user.js
var emailIn = (value) => {
  let email = isText(value) ? value.trim() : "";
  let placeholders = wordsIn(["unknown@example.com", config.placeholders]);
  let isEmail = /^[^\s@]+@[^\s@]+$/.test(email) && !placeholders.includes(email.toLowerCase());
  return isEmail ? email : "";
};
var firstOf = (object, names, read) => names.split(" ").map((name) => read(member(object, name))).find(Boolean);
var readUser = (value) => {
  let given = isText(value) ? { email: value } : value;
  if (!isRecord(given)) return void 0;
  let addresses = "user_email userEmail email email_address emailAddress Email";
  let email = firstOf(given, addresses, emailIn);
  if (email) {
    let names = "name fullName full_name user_name userName username";
    return record({
      email,
      key: email.toLowerCase(),
      name: firstOf(given, names, (name) => isText(name) && name.trim()),
      id: firstOf(given, "id user_id", (id) => /^[\w-]{1,36}$/.test(id) && id)
    });
  }
  let inner = member(given, "user");
  return isRecord(inner) && !member(inner, "user") ? readUser(inner) : void 0;
};
var mergeUsers = (body, argument, around) => {
  let plain = record();
  for (let key in body) plain[plainKey(key)] ||= body[key];
  let places = "userdata user userprofile dashboarddata tradingstate customer customerdetails billingdetails payer";
  let inside = places.split(" ").flatMap((place) => {
    let value = plain[place];
    return [value, value?.userProfile, value?.userData];
  });
  let names = "useremail email customeremail receiptemail billingemail";
  let said = [body.user_email, ...names.split(" ").map((name) => plain[name])].concat(inside, argument).map(readUser).filter(Boolean);
  let all = said.concat(around).filter(Boolean);
  if (!all.length) return void 0;
  let same = all.filter((user) => user.key === all[0].key);
  return record(same.reduce(mergePreferFirst), { own: said.length > 0 });
};

// browser/identity.js
var identified;
var current;
var setIdentified = (given) => {
  let user = readUser(given);
  if (given && !user) throw Error("no email");
  identified = user;
  current = null;
};
var forgetCurrentUser = () => {
  current = null;
};
var usersIn = (area, ...keys) => keys.map((key) => quietly(() => {
  let text = getItem.call(window[area], key);
  return readUser(/^\s*[[{"]/.test(text) ? JSON.parse(text) : text);
})).filter(Boolean);
var readStoredUsers = () => {
  let isSession = (key) => /^sb-.+-auth-token$/.test(key);
  let session = quietly(() => Object.keys(localStorage).find(isSession));
  let [signedIn] = usersIn("localStorage", "current_user", session);
  let copies = usersIn("localStorage", "userData", "currentUser").concat(
    usersIn("sessionStorage", "currentUser"),
    quietly(() => readUser(ownGlobal("currentUser"))) || []
  );
  let remains = usersIn("localStorage", "user_data").concat(usersIn("sessionStorage", "userData"));
  let before2 = history.user;
  let [gone] = before2;
  if (gone && gone !== signedIn?.key) {
    history.left = history.left.concat(before2).slice(-MAX_LEFT);
    if (identified?.key === gone) identified = null;
  }
  history.user = signedIn ? [signedIn, ...copies, ...remains].map((user) => user.key) : [];
  if (String(before2) !== String(history.user)) unsaved.add(history);
  history.left = history.left.filter((key) => key !== signedIn?.key);
  let counts = (user) => isLoaded && !history.left.includes(user.key);
  return () => {
    let [one, ...rest] = remains.filter(counts);
    return signedIn || copies.find(counts) || rest.every((other) => other.key === one.key) && one;
  };
};
var currentUser = () => {
  let text = quietly(() => getItem.call(localStorage, "current_user"));
  let user = ownGlobal("currentUser");
  if (!current || current.text !== text || current.user !== user) {
    let stored = readStoredUsers();
    let named = identified;
    current = { text, user, users: () => [named, stored()] };
  }
  return current;
};

// browser/rules.js
var KINDS = ["dashboard", "activity", "questionnaire", "payment"];
var RULES = [
  {
    kind: "payment",
    call: "savePaymentToSupabase",
    form: ' (id|name|class)="[^"]*payment',
    url: "/(\\w*_)?payments?(_\\w+)?(/(process|verify.*))?$",
    key: "^payment(_success_data|_details|Record)$"
  },
  {
    name: "crypto",
    kind: "payment",
    key: "^crypto_verification$",
    as: { amount: "crypto_amount", crypto: "crypto_currency" }
  },
  {
    kind: "questionnaire",
    call: "storeQuestionnaireData",
    form: ' (id|name|class)="[^"]*questionnaire',
    url: "/(\\w*_)?questionnaires?(_\\w+)?(/submit)?$",
    key: "^(questionnaireAnswers|currentQuestionnaire)$"
  },
  {
    kind: "dashboard",
    call: "saveDashboardToSupabase",
    url: "/(\\w*_)?dashboards?(_\\w+)?(/equity)?$"
  },
  {
    name: "trading-state",
    kind: "dashboard",
    key: "^trading_state_(.+)$",
    under: "tradingState"
  },
  {
    name: "dashboard-data",
    kind: "dashboard",
    key: "^dashboard_data_(.+)$",
    under: "dashboardData"
  }
];
var NEVER = /\/capture\/?$|data-capture|invoice|payment.in(fo|tent)/i;
var readRule = (given) => {
  let rule = record();
  let patterns = ["url", "key", "form"];
  for (let name of [...patterns, "name", "kind", "call", "under"]) {
    if (isText(own(given, name))) rule[name] = given[name];
  }
  if (!KINDS.includes(rule.kind)) throw Error();
  for (let type of patterns) if (rule[type]) rule[type] = new RegExp(rule[type], "i");
  rule.as = record({ type: "payload_type" });
  for (let [from, to] of Object.entries(own(given, "as") || {})) {
    if (isText(to)) rule.as[from] = to;
  }
  return rule;
};
var rules;
var loadRules = () => {
  let given = isText(config.rules) ? quietly(() => JSON.parse(config.rules)) : config.rules;
  let all = quietly(() => RULES.concat(given || [])) || RULES;
  rules = all.map((rule) => quietly(() => isPlainObject(rule) && readRule(rule))).filter((rule) => rule && !wordsIn(config.without).includes(rule.name || rule.kind));
};
var findRule = (type, text) => text.length > MAX_MATCHED_CHARACTERS ? void 0 : rules.find((rule) => rule[type]?.test(text));

// browser/queue.js
var queue = [];
var seenIds = /* @__PURE__ */ new Set();
var sizeOf = (items) => items.reduce((sum, item) => sum + item.bytes, 0);
var waitingItems = () => queue.filter((item) => !item.rejected);
var save = () => {
  if (!isActive() || !unsaved.size) return;
  let records = record();
  for (let item of unsaved) {
    let { parts, user, out, blocked, response, ...stored } = item;
    records[item.id] = queue.includes(item) && stored;
  }
  if (unsaved.has(history)) records[history.id] = database && history;
  persist(records);
  unsaved.clear();
};
var forget = (item, response) => {
  queue = queue.filter((other) => other !== item);
  unsaved.add(item);
  item.response = response;
};
var drop = (item, error) => {
  countDropped(item.kind);
  forget(item, { success: false, error });
};
var makeRoom = () => {
  while (queue.length > MAX_QUEUE_COUNT || sizeOf(queue) > MAX_QUEUE_BYTES) {
    let oldestOf = (kind) => queue.find((item) => item.rejected || item.kind === kind);
    drop(KINDS.map(oldestOf).find(Boolean), "no room");
  }
};
var release = (item) => {
  if (item.until) unsaved.add(item);
  item.until = 0;
};
var readStored = async () => {
  let all = await readAll();
  for (let item of queue) if (item.kept && !all[item.id]) forget(item, { success: true });
  let added = Object.values(all).filter((one) => one.kind && !seenIds.has(one.id));
  queue = added.map((one) => {
    let dueAt = one.until && now() + Math.min(one.until - Date.now(), ACTION_MS);
    seenIds.add(one.id);
    return record(one, { tries: 0, kept: true, dueAt });
  }).concat(queue);
};
var refreshQueue = () => Promise.race([readStored(), pause(OPEN_MS)]).catch(log);

// browser/attribution.js
var setBody = (item, body, user) => {
  if (user) {
    body.user_email = emailIn(body.user_email) || user.email;
    body.user_name ||= user.name || void 0;
    body.user_id ||= body.userId || user.id || void 0;
    item.email = user.key;
  }
  item.text = JSON.stringify(body);
  item.bytes = new TextEncoder().encode(item.text).length + RECORD_BYTES;
  unsaved.add(item);
};
var attributeWaiting = () => {
  let user = currentUser().users().find(Boolean);
  let until = now() + SLICE_MS;
  for (let item of user ? queue : []) {
    if (item.email || item.parts) continue;
    if (now() >= until) break;
    setBody(item, parseJson(item.text), user);
  }
  save();
};

// browser/lock.js
var runExclusively = (work) => {
  if (!database || !navigator.locks) return work();
  let stop = new AbortController();
  nativeSetTimeout(() => stop.abort(), TIMEOUT_MS);
  return navigator.locks.request(NAME, record({ signal: stop.signal }), work).catch(work);
};

// browser/merge.js
var earlierTexts = /* @__PURE__ */ new Map();
var isRepeat = (part) => {
  let key = [part.kind, part.from, part.user?.key].join("\n");
  let last = earlierTexts.get(key);
  earlierTexts.delete(key);
  earlierTexts.set(key, { text: part.text, at: Date.now() });
  if (earlierTexts.size > MAX_EARLIER) earlierTexts.delete(earlierTexts.keys().next().value);
  if (last?.text !== part.text) return false;
  return part.kind === "dashboard" || isWithin(REPEAT_MS, last.at);
};
var processSignal = (payload, signal) => {
  let { rule, rank } = signal;
  let { kind } = rule;
  let body = record();
  for (let key in payload) body[rule.as[key] || key] = payload[key];
  if (rule.under) body = record({ [rule.under]: body });
  let user = mergeUsers(body, signal.user, signal.by.users());
  if (kind === "dashboard" && history.left.length && (!user || history.left.includes(user.key))) {
    throw Error();
  }
  let text = canonicalJson(body);
  if (rank >= REQUEST && text === "{}") return;
  let [number] = valuesIn(text, "transaction_?id");
  let [status = ""] = rank < STORAGE_KEY ? valuesIn(text, "(?:payment_?)?status") : "";
  mergeIntoCapture(Object.assign(signal, {
    kind,
    body,
    text,
    user,
    own: user?.own && user.key,
    ids: valuesIn(text, "(?:transaction|payment|order)_?id"),
    number,
    status
  }));
};
var openCapture = (part) => {
  let item = record({
    // Begins with the time: the service adds receipts where the last one is.
    id: "c" + Date.now().toString(36) + crypto.getRandomValues(new Uint32Array(3)).join(""),
    kind: part.kind,
    email: "",
    at: part.at,
    until: part.at + ACTION_MS,
    limit: now() + ACTION_MS,
    parts: /* @__PURE__ */ new Map(),
    // by source
    tries: 0
  });
  queue.push(item);
  seenIds.add(item.id);
  queue.filter((other) => other.parts).slice(0, -MAX_OPEN).forEach(close);
  return item;
};
var addPart = (item, part) => {
  let earlier = item.parts.get(part.from);
  if (earlier) {
    part.body = mergePreferFirst(part.body, earlier.body);
    part.partial &&= earlier.partial;
  }
  item.parts.delete(part.from);
  item.parts.set(part.from, part);
  if (part.user && !item.own) item.user = part.user;
  item.own ||= part.own;
  item.number ||= part.number;
  item.dueAt = Math.min(now() + QUIET_MS, item.limit);
};
var mergeIntoCapture = (part) => {
  let isApi = part.rank === API;
  if (!isApi && isRepeat(part)) return;
  let item = queue.findLast((open) => open.parts && belongsTo(part, open));
  if (!item) {
    let isPaid = (state) => isWithin(DAY_MS, history.paid[state]);
    if (!isApi && part.kind === "payment" && paymentStates(part).some(isPaid)) return;
    item = openCapture(part);
  }
  addPart(item, part);
  let parts = [...item.parts.values()];
  let body = parts.sort((one, other) => one.rank - other.rank).map((each) => each.body).reduce(mergePreferFirst);
  let stamp = { capture_id: item.id, capture_timestamp: new Date(item.at).toISOString() };
  let partial = parts.every((each) => each.partial) && { partial: true };
  setBody(item, record(body, stamp, partial), item.user);
  makeRoom();
  if (isApi) {
    part.item = item;
    closeCaptures(0, part.kind);
  }
};
var close = (item) => {
  if (item.kind === "payment") {
    let parts = [...item.parts.values()];
    rememberPaid(parts.flatMap((part) => paymentStates(part).concat(part.ids)));
  }
  item.parts = null;
  item.dueAt = 0;
};
var closeCaptures = (by, kind) => {
  for (let item of queue) if (item.parts && (item.dueAt <= by || item.kind === kind)) close(item);
};

// browser/retry.js
var retryDelay = (tries) => Math.random() * Math.min(MAX_DELAY_MS, MIN_DELAY_MS * 2 ** tries);
var retryAfterMs = (header) => {
  let wait = header * 1e3 || Date.parse(header) - Date.now();
  return wait > 0 ? Math.min(wait, MAX_RETRY_AFTER_MS) : 0;
};
var dueItems = (items, now2, pausedUntil2) => {
  let held = /* @__PURE__ */ new Set();
  return items.filter((item) => {
    if (item.blocked) return false;
    let lane = item.kind + item.email;
    let isReady = item.email && !item.parts && !item.out;
    let isDue = isReady && !held.has(lane) && Math.max(item.dueAt, pausedUntil2) <= now2;
    if (!isDue) held.add(lane);
    return isDue;
  });
};
var takeBatch = (items, maxBytes) => {
  let bytes = 0;
  return items.slice(0, MAX_BATCH_COUNT).filter((item, index) => {
    bytes += item.bytes;
    return index === 0 || bytes < maxBytes;
  });
};

// browser/endpoint.js
var webAddress = (given) => {
  let url = quietly(() => given && new URL(given, location.href));
  let isWeb = /^https?:$/.test(url?.protocol);
  return isWeb ? withoutSlashes(url.origin + url.pathname) : "";
};
var serviceUrl = () => {
  let host = location.hostname ? location.protocol + "//" + location.hostname : "http://127.0.0.1";
  let fallback = host + ":" + DEFAULT_PORT;
  let isService = JSON.stringify(performance.getEntriesByName(source)).includes('"' + NAME);
  let isElsewhere = isOwnFile && !isSameOrigin;
  let origin = isService || isElsewhere ? new URL(".", source) : fallback;
  return !isService && webAddress(config.endpoint) || webAddress(origin) || fallback;
};

// browser/worker.js
var exchange = async (url, options) => {
  try {
    let response = await nativeFetch(url, options);
    let text = await response.text();
    return [response.status, text, response.headers.get("Retry-After")];
  } catch (_) {
    return [0];
  }
};
var runAsWorker = () => {
  onmessage = async ({ data }) => postMessage(await exchange(...data));
};

// browser/transport.js
var hasWorker = () => !isWorkerBroken && isSameOrigin;
var isWorkerBroken;
var pending = /* @__PURE__ */ new Set();
var abortRequests = () => pending.forEach((stop) => stop.abort());
var request = async (path, options, bytes = 0) => {
  let url = serviceUrl() + "/api/data-capture/" + path;
  let allOptions = record({
    credentials: "omit",
    redirect: "error",
    referrerPolicy: "no-referrer"
    // a page's address may hold secrets
  }, options);
  let stop = new AbortController();
  nativeSetTimeout(() => stop.abort(), TIMEOUT_MS + bytes / MIN_BYTES_PER_MS);
  pending.add(stop);
  let worker;
  let response = await new Promise((settle) => {
    let { signal } = stop;
    let sendFromPage = () => exchange(url, record(allOptions, { signal })).then(settle);
    signal.onabort = () => settle([0]);
    if (hasWorker() && !allOptions.keepalive) {
      worker = new Worker(source, record({ name: NAME }));
      worker.onmessage = ({ data }) => settle(data);
      worker.onerror = (event) => {
        event.preventDefault();
        isWorkerBroken = true;
        sendFromPage();
      };
      worker.postMessage([url, allOptions]);
    } else sendFromPage();
  }).catch(() => {
    isWorkerBroken = true;
    return [0];
  });
  worker?.terminate();
  pending.delete(stop);
  return response;
};

// browser/delivery.js
var QUEUED = { success: false, queued: true };
var isLeaving = false;
var delivering = null;
var pausedUntil = 0;
var keepaliveBytes = 0;
var setLeaving = (value) => {
  isLeaving = value;
};
var deliveryDone = async () => {
  while (delivering) await delivering;
};
var retryNow = () => {
  for (let item of queue) if (item.tries) item.dueAt = 0;
};
var scheduleDelivery = () => {
  if (isLeaving || !isLoaded || !isActive()) return;
  attributeWaiting();
  closeCaptures(now());
  let due = () => dueItems(waitingItems(), now(), pausedUntil);
  if (delivering || !due().length) return;
  let deliverBatches = async () => {
    await refreshQueue();
    while (!isLeaving && isActive()) {
      let items = takeBatch(due(), MAX_BATCH_BYTES);
      if (!items.length) return;
      await deliver(items);
    }
  };
  delivering = runExclusively(deliverBatches).catch(log).then(() => {
    delivering = null;
    quietly(scheduleDelivery);
  });
};
var wake = async () => {
  retryNow();
  await refreshQueue();
  quietly(scheduleDelivery);
};
var deliverLast = () => {
  let rest = waitingItems().filter((item) => item.email && !item.blocked && !item.out).sort((one, other) => one.bytes - other.bytes);
  let items = takeBatch(rest, MAX_KEEPALIVE_BYTES - keepaliveBytes);
  if (items.length) deliver(items, true).catch(log);
};
var deliver = async (items, isLast) => {
  let [first, isBatch] = items;
  let members = items.map((item) => '{"type":"' + item.kind + '",' + item.text.slice(1));
  let body = isBatch ? '{"captures":[' + members + "]}" : first.text;
  let bytes = sizeOf(items);
  let keepalive = keepaliveBytes + bytes <= MAX_KEEPALIVE_BYTES && (isLast || !hasWorker());
  if (isLast && !keepalive) return;
  let reserved = keepalive ? bytes : 0;
  keepaliveBytes += reserved;
  for (let item of items) item.out = keepalive;
  let options = record({ method: "POST", body, keepalive });
  let response = await request(isBatch ? "batch" : first.kind, options, bytes);
  keepaliveBytes -= reserved;
  handleResponses(items, response);
};
var handleResponses = (items, [status, json, retryAfter]) => {
  let wait = retryAfterMs(retryAfter);
  if (wait) pausedUntil = now() + wait;
  let response = quietly(() => JSON.parse(json));
  let results = items[1] ? own(response, "answers") : [response];
  items.forEach((item, index) => {
    item.out = false;
    let result = own(results, index);
    let ownStatus = items[1] && results ? own(result, "status") : status;
    if (queue.includes(item)) handleResponse(item, ownStatus, result);
  });
  save();
};
var handleResponse = (item, status, response) => {
  log(item.kind, status);
  let refusal = { error: "HTTP " + status, ...isRecord(response) && response, success: false };
  let reason = { capture_id: item.id, kind: item.kind, status, reason: refusal.error };
  if (status < 300 && own(response, "success") === true) {
    forget(item, response);
    retryNow();
  } else if (!isWithin(MAX_AGE_MS, item.at)) {
    drop(item, "old");
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

// browser/instrument.js
var kindsByWrapper = /* @__PURE__ */ new Map();
var innermost;
var undo = [];
var restorePage = () => undo.splice(0).forEach(quietly);
var instrument = (owner, name, observe, kind = name) => {
  try {
    let original = owner[name];
    if (typeof original !== "function" || original instanceof Node) return;
    if (kindsByWrapper.has(original)) return;
    let wrapper = new Proxy(original, record({
      apply(target, self, args) {
        let outer = innermost;
        innermost = wrapper;
        try {
          try {
            let isSave = outer === wrapper || kindsByWrapper.get(outer) !== kind;
            if (isSave && isActive()) quietly(() => observe(args, self));
          } catch (_) {
          }
          return Reflect.apply(target, self, args);
        } finally {
          innermost = outer;
        }
      }
    }));
    owner[name] = wrapper;
    kindsByWrapper.set(wrapper, kind);
    undo.push(() => {
      if (owner[name] === wrapper) owner[name] = original;
    });
  } catch (_) {
  }
};

// browser/fields.js
var isJsonText = (text) => /^\s*[[{]/.test(text);
var fieldsToJson = (entries) => {
  let form = record();
  for (let [name, value] of entries) {
    let text = isText(value) ? value : value.name;
    if (!name) continue;
    if (!(name in form)) form[name] = text;
    else if (Array.isArray(form[name])) form[name].push(text);
    else form[name] = [form[name], text];
  }
  return JSON.stringify(form);
};
var bodyToJson = (text) => {
  if (isJsonText(text)) return text;
  return fieldsToJson(/^\w\S*=/.test(text) ? new URLSearchParams(text) : []);
};

// browser/mask.js
var WORDS = "pass(e|w?.r[dt]|wd|phrase|code)|kennwort|contrase.?a|pwd?|csc|cv[cdnv]|secret|token|otp|mnemonic|credentials?|authorization|basic.?auth|(access|api|auth\\w*|backup|card|cv[cdnv]|factor|login|mfa|onetime|otp|private|recovery|reset|secret|security|seed|sms|[2t]fa|verification).?(answer|code|key|phrase|word)s?";
var SECRET = new RegExp("^(?!has|show|forgot)(.*(" + WORDS + "|cookie|(card|cc)n(o|um(ber)?))|(card)?(pin|pan)|pass|jwt|seed|clave|mdp)(\\d|confirm.*)?$|^senha|novasenha|chtwoo|l.senord|gangskode|kodeord|salas.na|slapta|lozink|zapor|jelsz|parool|parol[ae\u0103]$|h[ae]s[l\u0142]o$|geslo$|[s\u015F]ifre|fhocal|\u043F\u0430\u0440\u043E|^\u03BA\u03C9\u03B4.\u03BA.\u03C2($|\u03C0\u03C1.\u03C3)|\u5BC6[\u7801\u78BC]|\u53E3\u4EE4|\u30D1\u30B9\u30EF|\u6697\u8A3C");
var SECRET_IN_TEXT = new RegExp("eyJ[\\w-]{8,400}\\.[\\w-]{8,9999}\\.[\\w-]*|-----BEGIN [A-Z ]*PRIVATE KEY[^]*?(?:-END[A-Z -]*|$)|((?:" + WORDS + `)\\\\*["']?\\s*[=:]\\s*)(?:\\\\*"[^"]*"?|\\\\*'[^']*'?|(?:(?!\\s[\\w-]+[=:])[^\\r\\n&;"'}])+)`, "gi");
var CARD = /^((4\d|5[1-5]|6[25])\d{14}|3[47]\d{13})$/;
var mask = (json, layers = MAX_TEXT_LAYERS) => parseJson(json, (key, value) => {
  if (isEmpty(value) || typeof value === "boolean") return value;
  let name = plainKey(key);
  let isCoin = /token$/.test(name) && (isObject(value) || value.length < 6);
  if (SECRET.test(name) && !isCoin) return "[redacted]";
  if (isObject(value) || Math.abs(value) < MIN_CARD_NUMBER) return value;
  let text = String(value);
  let masked = maskText(text, layers);
  return masked === text ? value : masked;
});
var maskText = (text, layers) => {
  if (!/[=:{[-]|\d{4}|eyJ/.test(text)) return text;
  if (isJsonText(text)) {
    if (!layers) return "[redacted]";
    try {
      let inner = JSON.stringify(mask(text, layers - 1));
      return /\[(redacted|card )/.test(inner) ? inner : text;
    } catch (reason) {
      if (!(reason instanceof SyntaxError)) return "[redacted]";
    }
  }
  if (/^(data:[^,]{9,80},)?[\w+/=\r\n]{9999,}$/.test(text)) return text;
  if (text.length > MAX_TEXT_CHARACTERS) return "[redacted]";
  return text.replace(/[+.]?\b((\d{4}[ -]?){3}\d{4}|\d{4}[ -]?\d{6}[ -]?\d{5})\b(?!-)/g, maskCard).replace(SECRET_IN_TEXT, "$1[redacted]");
};
var maskCard = (text) => {
  let digits = text.replace(/[ -]/g, "");
  let sum = [...digits].reverse().reduce((before2, digit, n) => before2 + (n % 2 && digit < 9 ? digit * 2 % 9 : +digit), 0);
  return sum % 10 || !CARD.test(digits) ? text : "[card ****" + digits.slice(-4) + "]";
};

// browser/signals.js
var signals = /* @__PURE__ */ new Set();
var rewrites = /* @__PURE__ */ new Map();
var scheduled = NOT_SCHEDULED;
var processedAt = -REWRITE_MS;
var processLater = (ms) => {
  scheduled = DELAYED;
  runLater(processSignals, ms);
};
var addSignal = (rule, rank, from, text, more) => {
  if (text.length > MAX_SAVE_CHARACTERS) refuseLarge(rule.kind);
  let signal = record({ rule, rank, from, text, at: Date.now(), by: currentUser() }, more);
  let waiting = rank === STORAGE_KEY && rewrites.get(from);
  if (waiting?.by === signal.by) {
    waiting.text = text;
    return void 0;
  }
  signals.add(signal);
  if (rank === STORAGE_KEY) rewrites.set(from, signal);
  if (rank === STORAGE_KEY && now() < processedAt + REWRITE_MS) {
    if (scheduled === NOT_SCHEDULED) processLater(REWRITE_MS);
  } else if (scheduled !== IMMEDIATE) {
    scheduled = IMMEDIATE;
    Promise.resolve(processSignals).then(quietly);
  }
  return signal;
};
var readSignal = (signal) => {
  let payload = signal.payload || mask(bodyToJson(signal.text));
  if (!Array.isArray(payload)) return processSignal(payload, signal);
  for (let n = 0; n < payload.length; n++) {
    if (n >= MAX_QUEUE_COUNT) countDropped(signal.rule.kind);
    else if (isRecord(payload[n])) signals.add(record(signal, { payload: payload[n], text: "" }));
  }
  return void 0;
};
var processSignals = (all) => {
  scheduled = NOT_SCHEDULED;
  if (!isLoaded && !all) return;
  processedAt = now();
  for (let signal of signals) {
    if (!all && !document.hidden && now() > processedAt + SLICE_MS) break;
    try {
      if (isActive()) readSignal(signal);
    } catch (reason) {
      log(reason);
      signal.error = reason;
    }
    signals.delete(signal);
    if (rewrites.get(signal.from) === signal) rewrites.delete(signal.from);
  }
  if (signals.size) processLater();
  save();
  scheduleDelivery();
};

// browser/observe.js
var readableCopy = (body) => {
  if (body instanceof Request) return body.clone();
  let isBinary = body instanceof ArrayBuffer || ArrayBuffer.isView(body);
  let blob = isBinary ? new Blob([body]) : body;
  return blob instanceof Blob && blob.size <= MAX_SAVE_CHARACTERS ? blob : null;
};
var observeRequest = (body, method, url) => {
  if (!body || !/^(post|put|patch)$/i.test(method)) return;
  let { origin, pathname } = new URL(url, baseAddress());
  let address = withoutSlashes(decodeURIComponent(origin + pathname));
  let rule = !NEVER.test(pathname) && findRule("url", address);
  if (!rule) return;
  let moment = { at: Date.now(), by: currentUser(), partial: /^pu|pa/i.test(method) };
  let add = (text) => quietly(() => addSignal(rule, REQUEST, address, text, moment));
  if (body instanceof FormData) add(fieldsToJson(body));
  else if (isText(body) || body instanceof URLSearchParams) add(String(body));
  else readableCopy(body)?.text().then(add, log);
};
var observeWrite = (name, value) => {
  let key = String(name);
  let rule = isText(value) && isJsonText(value) && findRule("key", key);
  if (rule) {
    addSignal(rule, STORAGE_KEY, key, value, { user: rule.key.exec(key)[1] });
  } else if (/user|-token$/i.test(key)) {
    forgetCurrentUser();
  }
};
var observeForm = (form) => {
  let openingTag = Node.prototype.cloneNode.call(form).outerHTML;
  let rule = !NEVER.test(openingTag) && findRule("form", openingTag.slice(0, MAX_MATCHED_CHARACTERS));
  if (!rule) return;
  let inputs = [...Element.prototype.querySelectorAll.call(
    form,
    "input:not([type=password],[type=submit],[autocomplete*=cc- i],:is([type=radio],[type=checkbox]):not(:checked)),select,textarea"
  )];
  let fields = inputs.map((input) => [input.name, input.value]);
  addSignal(rule, FORM, "form", fieldsToJson(fields));
};

// browser/snapshot.js
var newBudget = () => ({ size: MAX_MEMBERS, length: MAX_SAVE_CHARACTERS });
var spend = (budget, value) => {
  budget.size--;
  if (isText(value)) budget.length -= value.length;
  return budget.size >= 0 && budget.length >= 0;
};
var snapshot = (kind, [first, second, theme, user]) => {
  let payload = first;
  if (kind === "activity") payload = record({ activity_type: first, activity_data: second });
  if (kind === "dashboard") {
    payload = (first || second) && record({ dashboardData: first, tradingState: second, theme });
  }
  let guard = isPlainData(payload, newBudget()) ? null : withinBounds(kind);
  let text = JSON.stringify(payload, guard);
  if (!/^{/.test(text)) throw Error("no object");
  return [text, { user: kind === "dashboard" && user }];
};
var isPlainData = (value, budget) => {
  if (!spend(budget, value)) return false;
  if (!isObject(value)) return typeof value !== "function";
  if ("toJSON" in value) return false;
  if (Array.isArray(value)) {
    for (let n = 0; n < value.length; n++) if (!isPlainData(value[n], budget)) return false;
    return true;
  }
  return isPlainObject(value) && Object.keys(value).every((key) => {
    let found = Object.getOwnPropertyDescriptor(value, key);
    return hasOwn(found, "value") && isPlainData(found.value, budget);
  });
};
var withinBounds = (kind) => {
  let budget = newBudget();
  return (key, value) => {
    if (value instanceof Node || value === window) return void 0;
    let bytes = ArrayBuffer.isView(value) && value.byteLength;
    let length = Array.isArray(value) ? value.length : bytes;
    if (length > MAX_MEMBERS || !spend(budget, value)) refuseLarge(kind);
    return value;
  };
};

// browser/wrap.js
var BARE_NAMES = Object.setPrototypeOf({
  get savePaymentToSupabase() {
    return typeof savePaymentToSupabase < "u" && savePaymentToSupabase;
  },
  set savePaymentToSupabase(wrapper) {
    savePaymentToSupabase = wrapper;
  },
  get storeQuestionnaireData() {
    return typeof storeQuestionnaireData < "u" && storeQuestionnaireData;
  },
  set storeQuestionnaireData(wrapper) {
    storeQuestionnaireData = wrapper;
  },
  get saveDashboardToSupabase() {
    return typeof saveDashboardToSupabase < "u" && saveDashboardToSupabase;
  },
  set saveDashboardToSupabase(wrapper) {
    saveDashboardToSupabase = wrapper;
  }
}, null);
var wrapGlobals = () => rules.forEach((rule) => {
  let { call, kind } = rule;
  if (!call) return;
  let found = Object.getOwnPropertyDescriptor(window, call);
  if (found && !hasOwn(found, "value")) return;
  let observe = (args) => addSignal(rule, CALL, call, ...snapshot(kind, args));
  instrument(found ? window : BARE_NAMES, call, observe, kind);
});
var wrapBrowser = () => {
  instrument(window, "fetch", ([input, init]) => {
    let request2 = input instanceof Request ? input : record();
    let body = init?.body || request2.clone && request2;
    observeRequest(body, init?.method || request2.method, request2.url || input);
  });
  let opened = /* @__PURE__ */ new WeakMap();
  instrument(XMLHttpRequest.prototype, "open", (args, xhr) => opened.set(xhr, args));
  instrument(XMLHttpRequest.prototype, "send", ([body], xhr) => observeRequest(body, ...opened.get(xhr)));
  instrument(Navigator.prototype, "sendBeacon", ([url, body]) => observeRequest(body, "POST", url));
  for (let name of ["setItem", "removeItem"]) {
    instrument(Storage.prototype, name, (args) => observeWrite(...args));
  }
  instrument(Storage.prototype, "clear", forgetCurrentUser);
  instrument(HTMLFormElement.prototype, "submit", (_, form) => observeForm(form));
  wrapGlobals();
};

// browser/lifecycle.js
var listen = (types, handle, target = window) => {
  for (let type of types.split(" ")) {
    let listener = (event) => quietly(() => handle(event));
    addEventListener.call(target, type, listener, true);
    undo.push(() => removeEventListener.call(target, type, listener, true));
  }
};
var leavePage = () => {
  useLocalStorageToo();
  let maySend = isLoaded || quietly(() => !localStorage[OFF_KEY]);
  setLeaving(true);
  processSignals(true);
  if (!isActive()) return;
  closeCaptures(Infinity);
  queue.forEach(release);
  attributeWaiting();
  if (maySend) deliverLast();
};
var startCapturing = () => {
  if (undo.length) return;
  wrapBrowser();
  let observer = new MutationObserver(wrapGlobals);
  observer.observe(document, record({ childList: true, subtree: true }));
  listen("DOMContentLoaded click submit", wrapGlobals);
  listen("load", wrapGlobals, document);
  listen("submit", (event) => isActive() && observeForm(event.target));
  let timer = setInterval(quietly, POLL_MS, () => {
    wrapGlobals();
    forgetCurrentUser();
    scheduleDelivery();
  });
  undo.push(() => observer.disconnect(), () => clearInterval(timer));
  listen("pagehide pagehide", () => {
    if (hasWorker()) abortRequests();
    leavePage();
  });
  listen("pageshow", ({ persisted }) => {
    setLeaving(false);
    if (persisted) abortRequests();
    wake();
  });
  listen("online visibilitychange", wake);
};
var loadStored = async () => {
  let small = await openStorage();
  let all = await readAll();
  let off = all["#off"];
  if (off) {
    for (let name in may) may[name] &&= off[name] !== false;
    shareOff();
  }
  if (database && small) {
    persist(isActive() ? small : record(), () => {
      for (let id in small) small[id] = null;
      persistSmall(small);
    });
  }
  readStoredUsers();
  restoreHistory(all["#known"]);
};
var ready;
var begin = () => {
  if (may.enabled) startCapturing();
  runLater(() => isActive() && readStoredUsers());
  ready = loadStored().catch(log).then(() => {
    setLoaded();
    if (!may.enabled) restorePage();
    forgetCurrentUser();
    processSignals();
    return wake();
  }).catch(log);
};

// browser/api.js
var capturerOf = (kind) => async (...args) => {
  if (!isActive()) throw Error("off");
  let signal = addSignal(readRule({ kind }), API, "", ...snapshot(kind, args));
  await ready;
  processSignals(true);
  await deliveryDone();
  if (signal.error) throw signal.error;
  return signal.item.response || QUEUED;
};
var turn = async (name, wanted) => {
  may[name] &&= wanted;
  await ready;
  may[name] = Boolean(wanted);
  if (isActive()) startCapturing();
  else restorePage();
  persist(record({ "#off": record(may, { id: "#off" }) }));
  shareOff();
  await wake();
  return may[name];
};
var methods = {
  capturePaymentData: capturerOf("payment"),
  captureQuestionnaireData: capturerOf("questionnaire"),
  captureDashboardData: capturerOf("dashboard"),
  captureTradingActivity: capturerOf("activity"),
  identify: async (given) => {
    setIdentified(given);
    await wake();
  },
  setEnabled: async (wanted) => ({ enabled: await turn("enabled", wanted) }),
  consent: async (given) => {
    if (!given) {
      may.consent = false;
      abortRequests();
      await ready;
      let all = await readAll();
      for (let item of queue) drop(item, "no consent");
      signals.clear();
      rewrites.clear();
      earlierTexts.clear();
      forgetHistory();
      for (let id in all) all[id] = null;
      persist(all);
    }
    await turn("consent", given);
  },
  flush: async () => {
    await ready;
    processSignals(true);
    closeCaptures(Infinity);
    await wake();
    await deliveryDone();
    let waiting = waitingItems().length;
    return waiting ? { ...QUEUED, waiting } : {};
  },
  status: async () => {
    await ready;
    let reasons = (state) => queue.map((item) => item[state]).filter(Boolean);
    return {
      ...may,
      endpoint: serviceUrl(),
      storage: database ? "indexedDB" : usesLocalStorage ? "localStorage" : "memory",
      waiting: waitingItems().length,
      unattributed: queue.filter((item) => !item.email).length,
      parked: reasons("blocked"),
      setAside: reasons("rejected"),
      dropped: { ...history.dropped }
    };
  },
  healthCheck: async () => {
    let [, health] = await request("health");
    return quietly(() => JSON.parse(health)) || { success: false, status: "unreachable" };
  },
  uninstall: async () => {
    leavePage();
    may.enabled = false;
    restorePage();
    database?.close();
    delete window.enhancedDataCapture;
  }
};
var provideApi = () => {
  let api = { version: "0.1.0" };
  for (let [name, method] of Object.entries(methods)) {
    api[name] = async (...args) => {
      try {
        return { success: true, ...await method(...args) };
      } catch (reason) {
        log(reason);
        let message = quietly(() => isText(reason.message) && reason.message);
        return { success: false, error: message || "unusable" };
      }
    };
  }
  window.enhancedDataCapture = Object.freeze(api);
};

// browser/main.js
if (!window && globalThis.name === NAME) runAsWorker();
var before = ownGlobal("enhancedDataCapture");
if (window?.fetch && (!before || before instanceof Node)) {
  loadConfig();
  loadRules();
  provideApi();
  begin();
}
})();
