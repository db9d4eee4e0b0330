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
const MAX_SAVE_CHARACTERS = 20 * 1024 * 1024;
const MAX_MEMBERS = 1e6;
const MAX_NUMBERS = 50;
const MAX_TEXT_LAYERS = 4;
const MAX_TEXT_CHARACTERS = 1024 * 1024;
const MIN_CARD_NUMBER = 1e12;
const MAX_OPEN = 50;
const MAX_PARTS = 20;
const MAX_EARLIER = 100;
const MAX_PAID = 200;
const MAX_LEFT = 50;
const MAX_QUEUE_COUNT = 1e3;
const MAX_QUEUE_BYTES = 24 * 1024 * 1024;
const RECORD_BYTES = 40;
const SMALL_CHARACTERS = 6e4;
const MIN_FREE_CHARACTERS = 4 * 6e4;
const MAX_BATCH_COUNT = 100;
const MAX_BATCH_BYTES = 512 * 1024;
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
  const walk = (value, key) => {
    const changed = change(key, value);
    if (changed !== value || !isObject(value)) return changed;
    Object.setPrototypeOf(value, null);
    for (const name in value) value[name] = walk(value[name], name);
    return value;
  };
  return walk(JSON.parse(json), "");
};
var withoutSlashes = (text) => {
  let end = text.length;
  while (text[end - 1] === "/") end--;
  return text.slice(0, end);
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
  for (const number of numbers) history.paid[number] = Date.now();
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
  const open = async () => {
    const request2 = indexedDB.open(NAME, 1);
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
  const small = quietly(readSmall);
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
  const transaction = database.transaction(NAME, "readwrite");
  const objectStore = transaction.objectStore(NAME);
  for (const id in records) {
    if (records[id]) objectStore.put(records[id]);
    else objectStore.delete(id);
  }
  transaction.commit();
  transaction.oncomplete = () => quietly(whenWritten);
});
var persistSmall = (records) => {
  let room = SMALL_CHARACTERS;
  const kept = record(readSmall(), records);
  for (const id in kept) {
    if (kept[id]) room -= JSON.stringify(kept[id]).length;
    if (!kept[id] || room < 0) delete kept[id];
  }
  const text = JSON.stringify(kept);
  removeSmall();
  if (text === "{}") return;
  setItem.call(localStorage, NAME, text.padEnd(MIN_FREE_CHARACTERS));
  setItem.call(localStorage, NAME, text);
};
var readAll = async () => {
  const all = record(usesLocalStorage && readSmall());
  if (!database) return all;
  const transaction = database.transaction(NAME);
  const request2 = transaction.objectStore(NAME).getAll();
  transaction.commit();
  for (const one of await resultOf(request2)) all[one.id] = record(one);
  return all;
};

// browser/canonical.js
var plainKey = (key) => /[A-Z\W_]/.test(key) ? key.toLowerCase().replace(/[\W_]+/g, "") : key;
var withoutVolatile = (value) => {
  if (Array.isArray(value)) {
    return Object.setPrototypeOf(Array.from(value, withoutVolatile), null);
  }
  if (isText(value) && value.startsWith("NON-CRYPTO-")) return void 0;
  if (!isRecord(value)) return value;
  const kept = record();
  for (const key in value) {
    const isVolatile = /^timestamp$|(created|updated|saved|submitted)at$|^last(upd|sav|mod)/.test(plainKey(key));
    if (!isVolatile) kept[key] = withoutVolatile(value[key]);
  }
  return kept;
};
var canonicalJson = (body) => JSON.stringify(withoutVolatile(body));
var mergePreferFirst = (first, second) => {
  const merged = record(first);
  const names = record();
  for (const key in first) names[plainKey(key)] = key;
  for (const key in second) {
    const name = names[plainKey(key)] || key;
    if (isEmpty(merged[name])) merged[name] = second[key];
    else if (isRecord(merged[name]) && isRecord(second[key])) {
      merged[name] = mergePreferFirst(merged[name], second[key]);
    }
  }
  return merged;
};
var isExtended = (text, before2) => text.startsWith(before2.slice(0, -1)) && /^[,}]/.test(text.slice(before2.length - 1));
var valuesIn = (text, name) => {
  const pattern = new RegExp('"' + name + '":"?(?!null)([^",}]{1,200})', "gi");
  const values = /* @__PURE__ */ new Set();
  for (const [, value] of text.matchAll(pattern)) {
    if (values.size < MAX_NUMBERS) values.add(value);
  }
  return [...values];
};
var paymentStates = ({ ids, status }) => ids.map((number) => number + status);
var belongsTo = (part, item) => {
  const differs = (name) => part[name] && item[name] && part[name] !== item[name];
  if (["kind", "own", "number"].some(differs)) return false;
  const earlier = item.parts.get(part.from);
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
  const found = readDocument(Document.prototype, "currentScript") || Document.prototype.querySelector.call(document, "script[src*=data_capture_integration]");
  const tag = found instanceof HTMLScriptElement ? found : null;
  const global = ownGlobal("enhancedDataCaptureConfig");
  const given = quietly(() => isPlainObject(global) && global);
  const names = ["endpoint", "placeholders", "enabled", "consent", "rules", "without", "debug"];
  for (const name of names) {
    config[name] = quietly(() => {
      const value = own(given, name) ?? tag?.getAttribute("data-" + name);
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
  const email = isText(value) ? value.trim() : "";
  const placeholders = wordsIn(["unknown@example.com", config.placeholders]);
  const isEmail = /^[^\s@]+@[^\s@]+$/.test(email) && !placeholders.includes(email.toLowerCase());
  return isEmail ? email : "";
};
var firstOf = (object, names, read) => names.split(" ").map((name) => read(member(object, name))).find(Boolean);
var readUser = (value) => {
  const given = isText(value) ? { email: value } : value;
  if (!isRecord(given)) return void 0;
  const addresses = "user_email userEmail email email_address emailAddress Email";
  const email = firstOf(given, addresses, emailIn);
  if (email) {
    const names = "name fullName full_name user_name userName username";
    return record({
      email,
      key: email.toLowerCase(),
      name: firstOf(given, names, (name) => isText(name) && name.trim()),
      id: firstOf(given, "id user_id", (id) => (isText(id) || Number.isFinite(id)) && /^[\w-]{1,36}$/.test(id) && id)
    });
  }
  const inner = member(given, "user");
  return isRecord(inner) && !member(inner, "user") ? readUser(inner) : void 0;
};
var mergeUsers = (body, argument, around) => {
  const plain = record();
  for (const key in body) plain[plainKey(key)] ||= body[key];
  const places = "userdata user userprofile dashboarddata tradingstate customer customerdetails billingdetails payer";
  const inside = places.split(" ").flatMap((place) => {
    const value = plain[place];
    return [value, value?.userProfile, value?.userData];
  });
  const names = "useremail email customeremail receiptemail billingemail";
  const said = [body.user_email, ...names.split(" ").map((name) => plain[name])].map(emailIn).concat(inside, argument).map(readUser).filter(Boolean);
  const all = said.concat(around).filter(Boolean);
  if (!all.length) return void 0;
  const same = all.filter((user) => user.key === all[0].key);
  return record(same.reduce(mergePreferFirst), { own: said.length > 0 });
};

// browser/identity.js
var identified;
var current;
var setIdentified = (given) => {
  const user = readUser(given);
  if (given && !user) throw Error("no email");
  identified = user;
  current = null;
};
var forgetCurrentUser = () => {
  current = null;
};
var usersIn = (area, ...keys) => keys.map((key) => quietly(() => {
  const text = getItem.call(window[area], key);
  return readUser(/^\s*[[{"]/.test(text) ? JSON.parse(text) : text);
})).filter(Boolean);
var readStoredUsers = () => {
  const isSession = (key) => /^sb-.+-auth-token$/.test(key);
  const session = quietly(() => Object.keys(localStorage).find(isSession));
  const [signedIn] = usersIn("localStorage", "current_user", session);
  const copies = usersIn("localStorage", "userData", "currentUser").concat(
    usersIn("sessionStorage", "currentUser"),
    quietly(() => readUser(ownGlobal("currentUser"))) || []
  );
  const remains = usersIn("localStorage", "user_data").concat(usersIn("sessionStorage", "userData"));
  const before2 = history.user;
  const [gone] = before2;
  if (gone && gone !== signedIn?.key) {
    history.left = history.left.concat(before2).slice(-MAX_LEFT);
    if (identified?.key === gone) identified = null;
  }
  history.user = signedIn ? [signedIn, ...copies, ...remains].map((user) => user.key) : [];
  if (String(before2) !== String(history.user)) unsaved.add(history);
  history.left = history.left.filter((key) => key !== signedIn?.key);
  const counts = (user) => isLoaded && !history.left.includes(user.key);
  return () => {
    const [one, ...rest] = remains.filter(counts);
    return signedIn || copies.find(counts) || rest.every((other) => other.key === one.key) && one;
  };
};
var currentUser = () => {
  const text = quietly(() => getItem.call(localStorage, "current_user"));
  const user = ownGlobal("currentUser");
  if (!current || current.text !== text || current.user !== user) {
    const stored = readStoredUsers();
    const named = identified;
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
  const rule = record();
  const patterns = ["url", "key", "form"];
  for (const name of [...patterns, "name", "kind", "call", "under"]) {
    if (isText(own(given, name))) rule[name] = given[name];
  }
  if (!KINDS.includes(rule.kind)) throw Error();
  for (const type of patterns) if (rule[type]) rule[type] = new RegExp(rule[type], "i");
  rule.as = record({ type: "payload_type" });
  for (const [from, to] of Object.entries(own(given, "as") || {})) {
    if (isText(to)) rule.as[from] = to;
  }
  return rule;
};
var rules;
var loadRules = () => {
  const given = isText(config.rules) ? quietly(() => JSON.parse(config.rules)) : config.rules;
  const all = quietly(() => RULES.concat(given || [])) || RULES;
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
  const records = record();
  for (const item of unsaved) {
    const { parts, user, out, blocked, response, ...stored } = item;
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
    const oldestOf = (kind) => queue.find((item) => item.rejected || item.kind === kind);
    drop(KINDS.map(oldestOf).find(Boolean), "no room");
  }
};
var release = (item) => {
  if (item.until) unsaved.add(item);
  item.until = 0;
};
var readStored = async () => {
  const all = await readAll();
  for (const item of queue) if (item.kept && !all[item.id]) forget(item, { success: true });
  const added = Object.values(all).filter((one) => one.kind && !seenIds.has(one.id));
  queue = added.map((one) => {
    const dueAt = one.until && now() + Math.min(one.until - Date.now(), ACTION_MS);
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
  const user = currentUser().users().find(Boolean);
  const until = now() + SLICE_MS;
  for (const item of user ? queue : []) {
    if (item.email || item.parts) continue;
    if (now() >= until) break;
    setBody(item, parseJson(item.text), user);
  }
  save();
};

// browser/lock.js
var runExclusively = (work) => {
  if (!database || !navigator.locks) return work();
  const stop = new AbortController();
  nativeSetTimeout(() => stop.abort(), TIMEOUT_MS);
  return navigator.locks.request(NAME, record({ signal: stop.signal }), work).catch(work);
};

// browser/merge.js
var earlierTexts = /* @__PURE__ */ new Map();
var isRepeat = (part) => {
  const key = [part.kind, part.from, part.user?.key].join("\n");
  const last = earlierTexts.get(key);
  earlierTexts.delete(key);
  earlierTexts.set(key, { text: part.text, at: Date.now() });
  if (earlierTexts.size > MAX_EARLIER) earlierTexts.delete(earlierTexts.keys().next().value);
  if (last?.text !== part.text) return false;
  return part.kind === "dashboard" || isWithin(REPEAT_MS, last.at);
};
var processSignal = (payload, signal) => {
  const { rule, rank } = signal;
  const { kind } = rule;
  let body = record();
  for (const key in payload) body[rule.as[key] || key] = payload[key];
  if (rule.under) body = record({ [rule.under]: body });
  const user = mergeUsers(body, signal.user, signal.by.users());
  if (kind === "dashboard" && history.left.length && (!user || history.left.includes(user.key))) {
    throw Error();
  }
  const text = canonicalJson(body);
  if (rank >= REQUEST && text === "{}") return;
  const [number] = valuesIn(text, "transaction_?id");
  const [status = ""] = rank < STORAGE_KEY ? valuesIn(text, "(?:payment_?)?status") : "";
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
  const item = record({
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
  const earlier = item.parts.get(part.from);
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
  const isApi = part.rank === API;
  if (!isApi && isRepeat(part)) return;
  let item = queue.findLast((open) => open.parts && belongsTo(part, open));
  if (!item) {
    const isPaid = (state) => isWithin(DAY_MS, history.paid[state]);
    if (!isApi && part.kind === "payment" && paymentStates(part).some(isPaid)) return;
    item = openCapture(part);
  }
  addPart(item, part);
  const parts = [...item.parts.values()];
  const body = parts.sort((one, other) => one.rank - other.rank).map((each) => each.body).reduce(mergePreferFirst);
  const stamp = { capture_id: item.id, capture_timestamp: new Date(item.at).toISOString() };
  const partial = parts.every((each) => each.partial) && { partial: true };
  setBody(item, record(body, stamp, partial), item.user);
  makeRoom();
  if (isApi) {
    part.item = item;
    closeCaptures(0, part.kind);
  }
};
var close = (item) => {
  if (item.kind === "payment") {
    const parts = [...item.parts.values()];
    rememberPaid(parts.flatMap((part) => paymentStates(part).concat(part.ids)));
  }
  item.parts = null;
  item.dueAt = 0;
};
var closeCaptures = (by, kind) => {
  for (const item of queue) if (item.parts && (item.dueAt <= by || item.kind === kind)) close(item);
};

// browser/retry.js
var retryDelay = (tries) => Math.random() * Math.min(MAX_DELAY_MS, MIN_DELAY_MS * 2 ** tries);
var retryAfterMs = (header) => {
  const wait = header * 1e3 || Date.parse(header) - Date.now();
  return wait > 0 ? Math.min(wait, MAX_RETRY_AFTER_MS) : 0;
};
var dueItems = (items, now2, pausedUntil2) => {
  const held = /* @__PURE__ */ new Set();
  return items.filter((item) => {
    if (item.blocked) return false;
    const lane = item.kind + item.email;
    const isReady = item.email && !item.parts && !item.out;
    const isDue = isReady && !held.has(lane) && Math.max(item.dueAt, pausedUntil2) <= now2;
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
  const base = baseAddress();
  const isOwnBase = quietly(() => new URL(base).origin) === location.origin;
  const url = quietly(() => given && new URL(given, isOwnBase ? base : location.href));
  const isWeb = /^https?:$/.test(url?.protocol);
  return isWeb ? withoutSlashes(url.origin + url.pathname) : "";
};
var serviceUrl = () => {
  const host = location.hostname ? location.protocol + "//" + location.hostname : "http://127.0.0.1";
  const fallback = host + ":" + DEFAULT_PORT;
  const isService = JSON.stringify(performance.getEntriesByName(source)).includes('"' + NAME);
  const isElsewhere = isOwnFile && !isSameOrigin;
  const origin = isService || isElsewhere ? new URL(".", source) : fallback;
  return !isService && webAddress(config.endpoint) || webAddress(origin) || fallback;
};

// browser/worker.js
var exchange = async (send, url, options) => {
  try {
    const response = await send(url, options);
    const text = await response.text();
    return [response.status, text, response.headers.get("Retry-After")];
  } catch (_) {
  }
  return [0];
};
var runAsWorker = (answer) => {
  onmessage = async ({ data }) => postMessage(await answer(fetch, ...data));
};

// browser/transport.js
var hasWorker = () => !isWorkerBroken && (isSameOrigin || /^file/.test(location));
var isWorkerBroken;
var pending = /* @__PURE__ */ new Set();
var abortRequests = () => pending.forEach((stop) => stop.abort());
var request = async (path, options, bytes = 0) => {
  const url = serviceUrl() + "/api/data-capture/" + path;
  const allOptions = record({
    credentials: "omit",
    redirect: "error",
    referrerPolicy: "no-referrer"
    // a page's address may hold secrets
  }, options);
  const stop = new AbortController();
  nativeSetTimeout(() => stop.abort(), TIMEOUT_MS + bytes / MIN_BYTES_PER_MS);
  pending.add(stop);
  let worker;
  const response = await new Promise((settle) => {
    const { signal } = stop;
    const sendFromPage = () => exchange(nativeFetch, url, record(allOptions, { signal })).then(settle);
    signal.onabort = () => settle([0]);
    if (hasWorker() && !allOptions.keepalive) {
      const program = "data:," + encodeURIComponent("(" + runAsWorker + ")(" + exchange + ")");
      worker = new Worker(isSameOrigin ? source : program, record({ name: NAME }));
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
  for (const item of queue) if (item.tries) item.dueAt = 0;
};
var scheduleDelivery = () => {
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
  const rest = waitingItems().filter((item) => item.email && !item.blocked && !item.out).sort((one, other) => one.bytes - other.bytes);
  const items = takeBatch(rest, MAX_KEEPALIVE_BYTES - keepaliveBytes);
  if (items.length) deliver(items, true).catch(log);
};
var deliver = async (items, isLast) => {
  const [first, isBatch] = items;
  const members = items.map((item) => '{"type":"' + item.kind + '",' + item.text.slice(1));
  const body = isBatch ? '{"captures":[' + members + "]}" : first.text;
  const bytes = sizeOf(items);
  const keepalive = keepaliveBytes + bytes <= MAX_KEEPALIVE_BYTES && (isLast || !hasWorker());
  if (isLast && !keepalive) return;
  const reserved = keepalive ? bytes : 0;
  keepaliveBytes += reserved;
  for (const item of items) item.out = keepalive;
  const options = record({ method: "POST", body, keepalive });
  const response = await request(isBatch ? "batch" : first.kind, options, bytes);
  keepaliveBytes -= reserved;
  handleResponses(items, response);
};
var handleResponses = (items, [status, json, retryAfter]) => {
  const wait = retryAfterMs(retryAfter);
  if (wait) pausedUntil = now() + wait;
  const response = quietly(() => JSON.parse(json));
  const results = items[1] ? own(response, "answers") : [response];
  items.forEach((item, index) => {
    item.out = false;
    const result = own(results, index);
    const ownStatus = items[1] && results ? own(result, "status") : status;
    if (queue.includes(item)) handleResponse(item, ownStatus, result);
  });
  save();
};
var handleResponse = (item, status, response) => {
  log(item.kind, status);
  const refusal = { error: "HTTP " + status, ...isRecord(response) && response, success: false };
  const reason = { capture_id: item.id, kind: item.kind, status, reason: refusal.error };
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
var instrument = (owner, name, observe, kind = name) => quietly(() => {
  const original = owner[name];
  if (typeof original !== "function" || original instanceof Node) return;
  if (kindsByWrapper.has(original)) return;
  const wrapper = new Proxy(original, record({
    apply(target, self, args) {
      const outer = innermost;
      innermost = wrapper;
      try {
        try {
          const isSave = outer === wrapper || kindsByWrapper.get(outer) !== kind;
          if (isSave && isActive()) quietly(() => observe(args, self));
        } catch (_) {
        }
        return Reflect.apply(target, self, args);
      } finally {
        innermost = outer;
      }
    }
  }));
  kindsByWrapper.set(wrapper, kind);
  owner[name] = wrapper;
  undo.push(() => {
    if (owner[name] === wrapper) owner[name] = original;
  });
});

// browser/fields.js
var isJsonText = (text) => /^\s*[[{]/.test(text);
var fieldsToJson = (entries) => {
  const form = record();
  for (const [name, value] of entries) {
    const text = isText(value) ? value : value.name;
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
var WORDS = "pass(wor[dt]|wd|phrase|code)|kennwort|contrase.?a|mot.?de.?passe|pwd?|csc|cv[cdnv]|secret|token|otp|mnemonic|cookie|credentials?|authorization|basic.?auth|(access|api|auth\\w*|backup|card|cv[cdnv]|factor|login|mfa|onetime|otp|private|recovery|reset|secret|security|seed|sms|[2t]fa|verification).?(answer|code|key|phrase|word)s?";
var SECRET = new RegExp("^(?!has|show|forgot)(.*(" + WORDS + "|(card|cc)n(o|um(ber)?))|(card)?(pin|pan)|(nova)?senha|pass|jwt|seed|wachtwoord|parol[ae]|h[ae]slo|geslo|mdp|clave)(\\d|confirm.*)?$");
var SECRET_IN_TEXT = new RegExp("((?:" + WORDS + `)\\\\*["']?\\s*[=:]\\s*)(?:\\\\*"[^"]*"?|\\\\*'[^']*'?|(?:(?!\\s[\\w-]+[=:])[^\\r\\n&;"'}])+)`, "gi");
var CARD = /^((4\d|5[1-5]|6[25])\d{14}|3[47]\d{13})$/;
var mask = (json, layers = MAX_TEXT_LAYERS) => parseJson(json, (key, value) => {
  if (isEmpty(value) || typeof value === "boolean") return value;
  const name = plainKey(key);
  const isCoin = /token$/.test(name) && (isObject(value) || value.length < 6);
  if (SECRET.test(name) && !isCoin) return "[redacted]";
  if (isObject(value) || Math.abs(value) < MIN_CARD_NUMBER) return value;
  const text = maskText(String(value), layers);
  return text === String(value) ? value : text;
});
var maskText = (text, layers) => {
  if (!/[=:{[-]|\d{4}|eyJ/.test(text)) return text;
  if (isJsonText(text)) {
    if (!layers) return "[redacted]";
    try {
      const inner = JSON.stringify(mask(text, layers - 1));
      return /\[(redacted|card )/.test(inner) ? inner : text;
    } catch (reason) {
      if (!(reason instanceof SyntaxError)) return "[redacted]";
    }
  }
  if (/^(data:[^,]{9,80},)?[\w+/=\r\n]{9999,}$/.test(text)) return text;
  if (text.length > MAX_TEXT_CHARACTERS) return "[redacted]";
  return text.replace(/[+.]?\b((\d{4}[ -]?){3}\d{4}|\d{4}[ -]?\d{6}[ -]?\d{5})\b(?!-)/g, maskCard).replace(/eyJ[\w-]{8,400}\.[\w-]{8,9999}\.[\w-]*/g, "[redacted]").replace(/-----BEGIN [A-Z ]{0,30}PRIVATE KEY[^]*?(-END[A-Z -]{9,40}|$)/g, "[redacted]").replace(SECRET_IN_TEXT, "$1[redacted]");
};
var maskCard = (text) => {
  const digits = text.replace(/[ -]/g, "");
  const sum = [...digits].reverse().reduce((before2, digit, n) => before2 + (n % 2 && digit < 9 ? digit * 2 % 9 : +digit), 0);
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
  const signal = record({ rule, rank, from, text, at: Date.now(), by: currentUser() }, more);
  const waiting = rank === STORAGE_KEY && rewrites.get(from);
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
  const payload = signal.payload || mask(bodyToJson(signal.text));
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
  for (const signal of signals) {
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
  const isBinary = body instanceof ArrayBuffer || ArrayBuffer.isView(body);
  const blob = isBinary ? new Blob([body]) : body;
  return blob instanceof Blob && blob.size <= MAX_SAVE_CHARACTERS ? blob : null;
};
var observeRequest = (body, method, url) => {
  if (!body || !/^(post|put|patch)$/i.test(method)) return;
  const { origin, pathname } = new URL(url, baseAddress());
  const address = withoutSlashes(decodeURIComponent(origin + pathname));
  const rule = !NEVER.test(pathname) && findRule("url", address);
  if (!rule) return;
  const moment = { at: Date.now(), by: currentUser(), partial: /^pu|pa/i.test(method) };
  const add = (text) => quietly(() => addSignal(rule, REQUEST, address, text, moment));
  if (body instanceof FormData) add(fieldsToJson(body));
  else if (isText(body) || body instanceof URLSearchParams) add(String(body));
  else readableCopy(body)?.text().then(add, log);
};
var observeWrite = (name, value) => {
  const key = String(name);
  const rule = isText(value) && isJsonText(value) && findRule("key", key);
  if (rule) {
    addSignal(rule, STORAGE_KEY, key, value, { user: rule.key.exec(key)[1] });
  } else if (/user|-token$/i.test(key)) {
    forgetCurrentUser();
  }
};
var observeForm = (form) => {
  const openingTag = Node.prototype.cloneNode.call(form).outerHTML;
  const rule = !NEVER.test(openingTag) && findRule("form", openingTag.slice(0, MAX_MATCHED_CHARACTERS));
  if (!rule) return;
  const inputs = [...Element.prototype.querySelectorAll.call(
    form,
    "input:not([type=password],[type=submit],[autocomplete*=cc- i],:is([type=radio],[type=checkbox]):not(:checked)),select,textarea"
  )];
  const fields = inputs.map((input) => [input.name, input.value]);
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
  const guard = isPlainData(payload, newBudget()) ? null : withinBounds(kind);
  const text = JSON.stringify(payload, guard);
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
    const found = Object.getOwnPropertyDescriptor(value, key);
    return hasOwn(found, "value") && isPlainData(found.value, budget);
  });
};
var withinBounds = (kind) => {
  const budget = newBudget();
  return (key, value) => {
    if (value instanceof Node || value === window) return void 0;
    const bytes = ArrayBuffer.isView(value) && value.byteLength;
    const length = Array.isArray(value) ? value.length : bytes;
    if (length > MAX_MEMBERS || !spend(budget, value)) refuseLarge(kind);
    return value;
  };
};

// browser/wrap.js
var BARE_NAMES = Object.setPrototypeOf({
  get savePaymentToSupabase() {
    return typeof savePaymentToSupabase === "function" && savePaymentToSupabase;
  },
  set savePaymentToSupabase(wrapper) {
    savePaymentToSupabase = wrapper;
  },
  get storeQuestionnaireData() {
    return typeof storeQuestionnaireData === "function" && storeQuestionnaireData;
  },
  set storeQuestionnaireData(wrapper) {
    storeQuestionnaireData = wrapper;
  },
  get saveDashboardToSupabase() {
    return typeof saveDashboardToSupabase === "function" && saveDashboardToSupabase;
  },
  set saveDashboardToSupabase(wrapper) {
    saveDashboardToSupabase = wrapper;
  }
}, null);
var wrapGlobals = () => rules.forEach((rule) => {
  const { call, kind } = rule;
  if (!call) return;
  const found = Object.getOwnPropertyDescriptor(window, call);
  if (found && !hasOwn(found, "value")) return;
  const observe = (args) => addSignal(rule, CALL, call, ...snapshot(kind, args));
  instrument(found ? window : BARE_NAMES, call, observe, kind);
});
var wrapBrowser = () => {
  instrument(window, "fetch", ([input, init]) => {
    const request2 = input instanceof Request ? input : record();
    const body = init?.body || request2.clone && request2;
    observeRequest(body, init?.method || request2.method, request2.url || input);
  });
  const opened = /* @__PURE__ */ new WeakMap();
  instrument(XMLHttpRequest.prototype, "open", (args, xhr) => opened.set(xhr, args));
  instrument(XMLHttpRequest.prototype, "send", ([body], xhr) => observeRequest(body, ...opened.get(xhr)));
  instrument(Navigator.prototype, "sendBeacon", ([url, body]) => observeRequest(body, "POST", url));
  for (const name of ["setItem", "removeItem"]) {
    instrument(Storage.prototype, name, (args) => observeWrite(...args));
  }
  instrument(Storage.prototype, "clear", forgetCurrentUser);
  instrument(HTMLFormElement.prototype, "submit", (_, form) => observeForm(form));
  wrapGlobals();
};

// browser/lifecycle.js
var listen = (types, handle, target = window) => {
  for (const type of types.split(" ")) {
    const listener = (event) => quietly(() => handle(event));
    addEventListener.call(target, type, listener, true);
    undo.push(() => removeEventListener.call(target, type, listener, true));
  }
};
var leavePage = () => {
  useLocalStorageToo();
  const maySend = isLoaded || quietly(() => !localStorage[OFF_KEY]);
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
  const observer = new MutationObserver(wrapGlobals);
  observer.observe(document, record({ childList: true, subtree: true }));
  listen("DOMContentLoaded click submit", wrapGlobals);
  listen("load", wrapGlobals, document);
  listen("submit", (event) => isActive() && observeForm(event.target));
  const timer = setInterval(quietly, POLL_MS, () => {
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
  const small = await openStorage();
  const all = await readAll();
  const off = all["#off"];
  if (off) {
    for (const name in may) may[name] &&= off[name] !== false;
    shareOff();
  }
  if (database && small) {
    persist(isActive() ? small : record(), () => {
      for (const id in small) small[id] = null;
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
  const signal = addSignal(readRule({ kind }), API, "", ...snapshot(kind, args));
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
      const all = await readAll();
      for (const item of queue) drop(item, "no consent");
      signals.clear();
      rewrites.clear();
      earlierTexts.clear();
      forgetHistory();
      for (const id in all) all[id] = null;
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
    const waiting = waitingItems().length;
    return waiting ? { ...QUEUED, waiting } : {};
  },
  status: async () => {
    await ready;
    const reasons = (state) => queue.map((item) => item[state]).filter(Boolean);
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
    const [, health] = await request("health");
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
  const api = { version: "0.1.0" };
  for (const [name, method] of Object.entries(methods)) {
    api[name] = async (...args) => {
      try {
        return { success: true, ...await method(...args) };
      } catch (reason) {
        log(reason);
        const message = quietly(() => isText(reason.message) && reason.message);
        return { success: false, error: message || "unusable" };
      }
    };
  }
  window.enhancedDataCapture = Object.freeze(api);
};

// browser/main.js
if (!window && globalThis.name === NAME) runAsWorker(exchange);
var before = ownGlobal("enhancedDataCapture");
if (window?.fetch && (!before || before instanceof Node)) {
  loadConfig();
  loadRules();
  provideApi();
  begin();
}
})();
