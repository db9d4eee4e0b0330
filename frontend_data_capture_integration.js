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
var VERSION = "0.1.0";
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
const USER_MS = 250;
const REWRITE_MS = 200;
const ACTION_MS = 5e3;
const RESPONSE_MS = 1e4;
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
const MAX_BINARY_BYTES = 1e6;
const MAX_MEMBERS = 1e6;
const MAX_USER_CHARACTERS = 1e5;
const MAX_NUMBERS = 50;
const MAX_TEXT_CHARACTERS = 1e6;
const MAX_NAMES = 1e3;
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
const MAX_KEEPALIVE_BYTES = 24e3;
const DEFAULT_PORT = 5003;

// browser/errors.js
var log = () => {
};
var enableLog = () => {
  log = console.info.bind(console, "[" + NAME + "]");
};
var quietly = (work) => {
  try {
    return work();
  } catch (_) {
    return void 0;
  }
};

// browser/timers.js
var { setTimeout: nativeSetTimeout } = globalThis;
var now = () => performance.now();
var runLater = (work, ms) => nativeSetTimeout(() => quietly(work), ms);
var pause = (ms) => new Promise((resolve) => nativeSetTimeout(resolve, ms));
var isWithin = (ms, at2) => Math.abs(Date.now() - at2) < ms;

// browser/values.js
var isObject = (value) => typeof value === "object" && value !== null;
var isText = (value) => typeof value === "string";
var isEmpty = (value) => (value ?? "") === "";
var NOTHING = /^(\s*|n\/?a|none|null|undefined|unknown|(NON-)?CRYPTO-\d+)$/i;
var saysNothing = (value) => isEmpty(value) || (isObject(value) ? !Array.isArray(value) && !Object.keys(value)[0] : NOTHING.test(value));
var isRecord = (value) => isObject(value) && !Array.isArray(value);
function Record() {
}
Record.prototype = Object.freeze(/* @__PURE__ */ Object.create(null));
var isPlainObject = (value) => isRecord(value) && [Object.prototype, Record.prototype, null].includes(Object.getPrototypeOf(value));
var record = (...members) => Object.assign(new Record(), ...members);
var hasOwn = (object, name) => object !== void 0 && object !== null && Object.hasOwn(object, name);
var own = (object, name) => hasOwn(object, name) ? object[name] : void 0;
var startWalking = (tree, change) => {
  let root = record({ "": tree });
  let open = [root];
  return (until) => {
    while (open[0] && now() < until) {
      let object = open.pop();
      for (let name in object) {
        let value = object[name];
        let changed = change(name, value);
        if (changed !== value) object[name] = changed;
        else if (isObject(value)) open.push(Object.setPrototypeOf(value, null));
      }
    }
    return !open[0] && root;
  };
};
var parseJson = (json, change = (key, value) => value) => startWalking(JSON.parse(json), change)(Infinity)[""];
var withoutSlashes = (text) => text.replace(/\/{1,99}$/, "");
var patterns = record();
var patternOf = (source2, flags) => patterns[flags + source2] ||= RegExp(source2, flags);

// browser/natives.js
var { window, fetch: nativeFetch } = globalThis;
var { addEventListener } = EventTarget.prototype;
var { getItem, setItem, removeItem } = window?.Storage.prototype || {};
var ownGlobal = (name) => quietly(() => own(window, name));
var readDocument = (prototype, name) => Reflect.get(prototype, name, document);
var baseAddress = () => readDocument(Node.prototype, "baseURI");

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
var isElsewhere = false;
var wordsIn = (words) => String(words).split(/[\s,]+/);
var loadConfig = () => {
  let found = readDocument(Document.prototype, "currentScript") || Document.prototype.querySelector.call(document, "script[src*=data_capture_integration]");
  let tag = found instanceof HTMLScriptElement ? found : null;
  let global = ownGlobal("enhancedDataCaptureConfig");
  let given = quietly(() => isPlainObject(global) && global);
  let names = "endpoint placeholders person enabled consent rules without debug";
  for (let name of names.split(" ")) {
    config[name] = quietly(() => own(given, name) ?? tag?.getAttribute("data-" + name));
  }
  source = tag?.src || "";
  isElsewhere = /^http.*data_capture_integration/.test(source) && !source.startsWith(location.origin + "/");
  may.enabled = String(config.enabled) !== "false";
  may.consent = config.consent !== "required";
  if (/^(|1|true)$/.test(config.debug)) enableLog();
};

// browser/rules.js
var KINDS = ["dashboard", "activity", "questionnaire", "payment"];
var at = (words) => "/(" + words + ")(\\.\\w{2,4})?(/(records|documents|rows)(/[\\w-]+)?|[/.][\\w-]*(\\d|creat|sav|stor|submit|pay|charg|proces|verif|confirm|complet|succes|updat|equity|log(?!in|out))[\\w-]*)?$";
var NO_SAVE = RegExp(
  "[/_.,-](get|list|fetch|search|find|validat|check(?!out)|delet|remov|cancel)|setting|repay|layout|stats|session|payment.?(method|in(fo|tent))|/capture$|data-capture|invoice",
  "i"
);
var RULES = [
  {
    kind: "payment",
    call: "savePaymentToSupabase",
    form: ' (id|name|class)="[^"]*payment',
    url: at("[\\w-]*(payment|checkout)[\\w-]*|(\\w+[_-]|create|place|submit|save)?orders?"),
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
    url: at("[\\w-]*(questionnaire|onboarding)[\\w-]*"),
    key: "^(questionnaireAnswers|currentQuestionnaire)$"
  },
  {
    kind: "dashboard",
    call: "saveDashboardToSupabase",
    url: at("[\\w-]*dashboard[\\w-]*")
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
  },
  {
    kind: "activity",
    url: at("[\\w-]*activit(y|ies)[\\w-]*")
  }
];
var readRule = (given) => {
  if (!KINDS.includes(given.kind)) throw Error();
  let rule = record(given);
  for (let type of ["url", "not", "body", "key", "form"]) {
    if (rule[type]) rule[type] = RegExp(rule[type], "i");
  }
  rule.as = record({ type: "payload_type" }, rule.as);
  return rule;
};
var rules;
var loadRules = () => {
  let given = isText(config.rules) ? quietly(() => JSON.parse(config.rules)) : config.rules;
  let own2 = RULES.map((rule) => record({ not: NO_SAVE, name: rule.kind }, rule));
  rules = own2.filter((rule) => !wordsIn(config.without).includes(rule.name)).concat(quietly(() => [].concat(given || [])) || []).map((rule) => quietly(() => isPlainObject(rule) && readRule(rule))).filter(Boolean);
};
var findRule = (type, text, body, skip) => text.length > MAX_MATCHED_CHARACTERS ? void 0 : rules.find((rule) => rule[type]?.test(text) && !(skip && rule.not?.test(text.slice(skip))) && (body === void 0 || rule.body?.test(body) !== false));

// browser/unsaved.js
var unsaved = /* @__PURE__ */ new Set();

// browser/history.js
var history = record({ id: "#known" });
var forgetHistory = () => {
  Object.assign(history, { paid: record(), left: [], dropped: record() });
};
forgetHistory();
var restoreHistory = (saved = history) => {
  Object.assign(history, saved, {
    left: history.left.concat(saved.left),
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
var openings = 0;
var loseDatabase = () => {
  if (!database) return;
  database.close();
  database = null;
  usesLocalStorage = true;
  runLater(() => openDatabase().catch(log), OPEN_MS);
};
var openDatabase = async () => {
  let request2 = indexedDB.open(NAME, 1);
  request2.onupgradeneeded = () => {
    request2.result.createObjectStore(NAME, record({ keyPath: "id" }));
  };
  database = await resultOf(request2);
  openings++;
  database.onclose = database.onversionchange = loseDatabase;
};
var openStorage = async () => {
  await Promise.race([openDatabase(), pause(OPEN_MS)]).catch(log);
  let small = quietly(readSmall);
  usesLocalStorage = database ? small : small !== void 0;
};
var useLocalStorageToo = () => {
  usesLocalStorage = true;
};
var persist = (records) => {
  let persistElsewhere = () => quietly(() => persistSmall(records));
  try {
    let transaction = database.transaction(NAME, "readwrite");
    let objectStore = transaction.objectStore(NAME);
    for (let id in records) {
      if (records[id]) objectStore.put(records[id]);
      else objectStore.delete(id);
    }
    transaction.commit();
    transaction.onabort = persistElsewhere;
    if (usesLocalStorage) persistElsewhere();
  } catch (reason) {
    if (reason.name === "InvalidStateError") loseDatabase();
    persistElsewhere();
  }
};
var persistSmall = (records) => {
  let room = SMALL_CHARACTERS;
  let kept = record(readSmall(), records);
  for (let id in kept) {
    if (kept[id]) room -= JSON.stringify(kept[id]).length;
    if (!kept[id] || room < 0) delete kept[id];
  }
  let text = JSON.stringify(kept);
  removeItem.call(localStorage, NAME);
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
var plainKey = (key) => key.toLowerCase().replace(/[\u0300-\u036f\p{P}\p{Z}\p{C}]+/gu, "");
var VOLATILE = RegExp(
  '"(timestamp|\\w{0,20}(at|sav|submitt)ed_?at|last_?(upd|sav|mod|act|see|sync)\\w{0,20})":("[^"]*"|[\\d.]+|null),?|"\\w{1,99}":"NON-CRYPTO-\\d*",?',
  "gi"
);
var sampleOf = (text) => text.length + Array.from(Array(1e3), (_, n) => text[Math.floor(n * text.length / 1e3)]).join("");
var canonicalJson = (body) => {
  let brief = record(body);
  for (let key in brief) {
    let isLarge = isText(brief[key]) && brief[key].length > MAX_TEXT_CHARACTERS;
    if (isLarge) brief[key] = sampleOf(brief[key]);
  }
  let text = JSON.stringify(brief);
  return text.length > MAX_TEXT_CHARACTERS ? text : text.replace(VOLATILE, "").replace(/,(?=[}\]])/g, "");
};
var edgesOf = (text, most = MAX_TEXT_CHARACTERS) => text.length > most ? text.slice(0, most / 2) + "\n" + text.slice(-most / 2) : text;
var mergePreferFirst = (first, second) => {
  let merged = record(first);
  let names = record();
  for (let key in first) names[plainKey(key)] = key;
  for (let key in second) {
    let name = names[plainKey(key)] || key;
    if (saysNothing(merged[name])) merged[name] = second[key];
    else if (isRecord(merged[name]) && isRecord(second[key])) {
      merged[name] = mergePreferFirst(merged[name], second[key]);
    }
  }
  return merged;
};
var isExtended = (text, before2) => text.startsWith(before2.slice(0, -1)) && /^[,}]/.test(text.slice(before2.length - 1));
var valuesIn = (text, name) => {
  let value = '\\s*:\\s*(?:\\\\*"([^"\\\\\n]{1,200})(?=\\\\*")|([^\\s",}[{]{1,99}))';
  let pattern = patternOf(`["[.](?:${name})\\]?\\\\*"` + value, "gi");
  let values = /* @__PURE__ */ new Set();
  for (let [, quoted, bare] of edgesOf(text).matchAll(pattern)) {
    if (values.size < MAX_NUMBERS && !saysNothing(quoted || bare)) values.add(quoted || bare);
  }
  return [...values];
};
var IN_COMMON = ["kind", "own", "number", "here"];
var belongsTo = (part, item) => {
  let differs = (name) => part[name] && item[name] && part[name] !== item[name];
  if (IN_COMMON.some(differs) || part.row !== item.row) return false;
  let earlier = item.parts.get(part.from);
  if (!earlier) return item.parts.size < MAX_PARTS;
  if (part.rank >= STORAGE_KEY) {
    return !part.ids[0] || !earlier.ids[0] || part.ids.some((id) => earlier.ids.includes(id));
  }
  return isExtended(part.text, earlier.text) || isExtended(earlier.text, part.text);
};

// browser/user.js
var ADDRESSES = ["user_?email", "e?mail", "[a-z_-]{0,9}e?mail(?:_?address)?", "sub"];
var OTHERS = RegExp(
  '"[\\w.[\\]]{0,40}(admin|affil|agent|benefic|broker|creat|invit|manager|merch|owner|partner|payee|receiver|referr|sell|shop(?!per)|sponsor|support|vendor)[\\w.[\\]]{0,40}":({[^{}]{0,999}({[^{}]{0,999}}[^{}]{0,999}){0,3}}|"[^"]*")',
  "gi"
);
var isPlaceholder = (email) => /^(unknown@example\.com|user_\d+@.*)$/.test(email) || wordsIn(config.placeholders).some((word) => quietly(() => word[0] === "/" ? RegExp(word.split("/")[1], "i").test(email) : word.toLowerCase() === email));
var emailIn = (value) => {
  let email = isText(value) ? value.trim() : "";
  return /^[^\s@{]+@[^\s@}]+$/.test(email) && !isPlaceholder(email.toLowerCase()) ? email : "";
};
var fromBase64 = (text) => decodeURIComponent(escape(atob(text.replace(/-/g, "+").replace(/_/g, "/"))));
var readUser = (given) => {
  let named2 = edgesOf(String(given || ""), MAX_USER_CHARACTERS).replace(/^base64-(.*)/, (_, json) => fromBase64(json)).replace(/eyJ[\w-]{8,200}\.(eyJ[\w-]{8,9999})\.[\w-]*/g, (_, claims) => fromBase64(claims));
  if (!named2.includes("@")) return void 0;
  let text = named2.replace(OTHERS, "");
  let ids = valuesIn(text, "id|user_?id|uid|sub").filter((one) => /^[\w-]{1,36}$/.test(one));
  let [id] = ids;
  let email = [text.replace(/"/g, ""), ...ADDRESSES.flatMap((name) => valuesIn(text, name))].map(emailIn).find(Boolean);
  return email && record({
    email,
    key: email.toLowerCase(),
    name: valuesIn(text, "(?:full|user|display)?_?name")[0],
    id: String(+id) === id ? +id : id,
    ids,
    isOver: valuesIn(text, "expires_?at")[0] * 1e3 < Date.now()
  });
};
var userFilter = (text, target = "", partial) => {
  let inTarget = /(?:user_?id=(?:eq\.)?|\/users?\/)([\w-]+)/gi;
  let owners = valuesIn(text, "user_?id").concat([...target.matchAll(inTarget)].map(([, id]) => id));
  let isRow = partial && /\bid=|=(eq|in)\.|^[^?]*\/[\w-]*\d[\w-]*\/?(\?|$)/.test(target);
  let isAlike = (id) => isNaN(id) === isNaN(owners[0]);
  return (user) => owners[0] ? !user?.ids.some(isAlike) || user.ids.some((id) => owners.includes(id)) : !isRow;
};
var mergeUsers = (said, around) => {
  let all = said.concat(around).filter(Boolean);
  if (!all[0]) return void 0;
  let same = all.filter((user) => user.key === all[0].key);
  return record(same.reduce(mergePreferFirst), { own: said.some(Boolean) && all[0].key });
};

// browser/identity.js
var SIGNED_IN = " current_user (sb-.+-|supabase.)auth.token auth-storage (firebase:authUser|@@auth0).+ Clerk.user.primaryEmailAddress __NEXT_DATA__.props.pageProps.session";
var COPIES = "(user|auth|session) currentUser userInfo profile";
var REMAINS = "user_?data";
var identified;
var lastKey;
var current;
var setIdentified = (given) => {
  let user = readUser(JSON.stringify(given));
  if (given && !user) throw Error("no email");
  identified = user;
  current = null;
};
var forgetCurrentUser = () => {
  current = null;
};
var listPlaces = () => {
  let places = ["localStorage", "sessionStorage"].flatMap((area) => quietly(() => Object.keys(window[area]).map((key) => [key, () => getItem.call(window[area], key)])) || []);
  let cookies = record();
  let all = quietly(() => readDocument(Document.prototype, "cookie")) || "";
  for (let cookie of all.split("; ")) {
    let [, name, n = 0, value] = /^(.*?)(?:\.(\d\d?))?=(.*)/.exec(cookie) || [];
    (cookies[name] ||= [])[n] = value;
  }
  return places.concat(Object.keys(cookies).map((name) => [name, () => decodeURIComponent(cookies[name].join(""))]));
};
var readPath = (path) => {
  let [first, ...rest] = path.split(".");
  return JSON.stringify(rest.reduce((value, name) => value?.[name], ownGlobal(first)));
};
var readStoredUsers = () => {
  let places = listPlaces();
  let usersIn = (names) => names.split(" ").flatMap((name) => places.filter(([place]) => patternOf("^" + name + "$", "i").test(place)).concat([[name, () => readPath(name)]]).map(([, read]) => quietly(() => readUser(read())))).filter(Boolean);
  let [sure] = usersIn((config.person || "") + SIGNED_IN).sort((one, other) => one.isOver - other.isOver);
  let copies = usersIn(COPIES);
  let remains = usersIn(REMAINS);
  let known = (user) => history.left.includes(user.key);
  let signedIn = sure || copies.find((user) => !known(user));
  if (lastKey !== signedIn?.key) {
    if (identified?.key === lastKey) identified = null;
    lastKey = signedIn?.key;
  }
  let here = sure ? [sure, ...copies, ...remains] : [];
  for (let user of here) {
    if (known(user)) continue;
    history.left.push(user.key);
    history.left = history.left.slice(-MAX_LEFT);
    unsaved.add(history);
  }
  let counts = (user) => isLoaded && !known(user);
  return () => {
    let [one, ...rest] = remains.filter(counts);
    return sure || copies.find(counts) || rest.every((other) => other.key === one.key) && one;
  };
};
var currentUser = () => {
  if (!current || now() > current.until) {
    let stored = readStoredUsers();
    let [named2, key] = [identified, lastKey];
    current = { key, until: now() + USER_MS, users: () => [named2, stored()] };
  }
  return current;
};

// browser/queue.js
var queue = [];
var seenIds = /* @__PURE__ */ new Set();
var sizeOf = (items) => items.reduce((sum, item) => sum + item.bytes, 0);
var waitingItems = () => queue.filter((item) => !item.rejected);
var savedIn = 0;
var save = () => {
  if (savedIn !== openings) [...queue, history].forEach((item) => unsaved.add(item));
  savedIn = openings;
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
  for (let item of queue) {
    if (all[item.id]) continue;
    if (item.kept === openings) forget(item, { success: true });
    else unsaved.add(item);
  }
  let added = Object.values(all).filter((one) => one.kind && !seenIds.has(one.id));
  queue = added.map((one) => {
    let dueAt = one.until && now() + Math.min(one.until - Date.now(), ACTION_MS);
    seenIds.add(one.id);
    return record(one, { tries: 0, kept: openings, dueAt });
  }).concat(queue);
};
var refreshQueue = () => Promise.race([readStored(), pause(OPEN_MS)]).catch(log);

// browser/attribution.js
var NOBODY = "?";
var setBody = (item, body, user) => {
  if (user?.key) {
    body.user_email = emailIn(body.user_email) || user.email;
    body.user_name ||= user.name || void 0;
    body.user_id ||= body.userId || user.id || void 0;
  }
  if (user) item.email = user.key || NOBODY;
  item.text = JSON.stringify(body);
  let { length } = item.text;
  item.bytes = RECORD_BYTES + (length > MAX_TEXT_CHARACTERS ? length : new TextEncoder().encode(item.text).length);
  unsaved.add(item);
};
var attributeWaiting = () => {
  let waiting = queue.filter((item) => !item.email && !item.parts);
  if (waiting[0]) forgetCurrentUser();
  let user = currentUser().users().find(Boolean);
  let until = now() + SLICE_MS;
  for (let item of user ? waiting : []) {
    if (now() >= until) break;
    if (userFilter(item.text)(user)) setBody(item, parseJson(item.text), user);
  }
  save();
};

// browser/lock.js
var runExclusively = (work) => {
  if (!database) return work();
  let locked = async () => navigator.locks.request(NAME, record({ signal: AbortSignal.timeout(TIMEOUT_MS) }), work);
  return locked().catch(work);
};

// browser/fields.js
var isJsonText = (text) => /^\s*[[{]/.test(text);
var fieldsToJson = (entries) => {
  let form = record();
  let pairs = [...entries];
  let isAction = pairs.some(([name, value]) => name === "0" && /"\$K\d/.test(value));
  for (let [given, value] of pairs) {
    let name = isAction ? given.replace(/^_?\d+(_|$)/, "") : given;
    let text = isText(value) ? value : value.name;
    if (!name || /^\$ACTION/.test(name)) continue;
    if (!(name in form)) form[name] = text;
    else if (Array.isArray(form[name])) form[name].push(text);
    else form[name] = [form[name], text];
  }
  return JSON.stringify(form);
};
var bodyToJson = (text) => {
  if (isJsonText(text)) return text.trim();
  let isFields = /^[\p{L}\w.$%[\]+*-]{1,99}(=[^=\s]|=?&)/u.test(text) && !/[\0-\x1f\ufffd]/.test(text) && (/&/.test(text) || !/ /.test(text));
  return fieldsToJson(isFields ? new URLSearchParams(text) : []);
};

// browser/mask.js
var WORDS = "pass(e|w?.r[dt]|wd|phrase|code)|kennwort|contrase.?a|pwd?|csc(.?code)?|cv[cdnv]|secret|token|otp|mnemonic|credentials?|authorization|basic.?auth|(access|api|auth\\w{0,9}|backup|card|cv[cdnv]|factor|login|mfa|onetime|otp|private|recovery|reset|secret|security|seed|sms|[2t]fa|verification).?(answer|code|key|phrase|word)s?";
var SHORT_WORDS = "(card)?(pin|pan)|((user|account|db|smtp).?)?pass|jwt|seed|clave|mdp";
var SECRET = new RegExp("^(?!has|show|forgot)(.*(" + WORDS + "|cookie|(card|cc)n(o|um(ber)?))|" + SHORT_WORDS + ")(\\d|v\\d|confirm.*|wiederhol.*|again|repeat|new|nueva|old|hash|salt|hex|base|pem)*$|(password|secret|cv[cv]|sstoken|seedwords|mnemonic)(value|number|list|words)$|^(nova|minha|confirmar)?senha|code(de)?s.curit|chtwoo|l.senord|gangskode|kodeord|salas.na|slapta|lozink|zapor|jelsz|parool|parol[ae\u0103]$|h[ae]s[l\u0142]o$|geslo$|[s\u015F]ifre|fhocal|\u043F\u0430\u0440\u043E|^\u03BA\u03C9\u03B4.\u03BA.\u03C2($|\u03C0\u03C1.\u03C3)|\u5BC6[\u7801\u78BC]|\u53E3\u4EE4|\u30D1\u30B9\u30EF|\u6697\u8A3C");
var SECRET_IN_TEXT = new RegExp("eyJ[\\w-]{8,400}\\.[\\w-]{8,9999}\\.[\\w-]*|-----BEGIN [A-Z ]*PRIVATE KEY[^]*?(?:-END[A-Z -]*|$)|((?:" + WORDS + "|\\b(?:" + SHORT_WORDS + `))\\\\*["']?\\s*[=:]\\s*)(?:(?<quote>\\\\*["'])(?:(?!\\k<quote>)[^])*|(?:(?!\\s[\\w-]+[=:])[^\\r\\n&;"'},])+)`, "gi");
var CARD = /^((4\d|5[1-5]|6[25])\d{14}|3[47]\d{13})$/;
var secretNames = /* @__PURE__ */ new Set();
var namesSeen = /* @__PURE__ */ new Map();
var spell = (key) => plainKey(key).slice(-99);
var isSecretName = (key) => {
  if (!namesSeen.has(key)) {
    if (namesSeen.size >= MAX_NAMES) namesSeen.clear();
    namesSeen.set(key, SECRET.test(spell(key)));
  }
  return namesSeen.get(key);
};
var isSecret = (key, value) => {
  if (key >= 0 || !isSecretName(key)) return false;
  return !(/token$/.test(spell(key)) && (isObject(value) || value.length < 6));
};
var maskMember = (key, value) => {
  if (isEmpty(value) || typeof value === "boolean") return value;
  if (isSecret(key, value) || secretNames.has(key)) return "[redacted]";
  if (isObject(value) || Math.abs(value) < MIN_CARD_NUMBER) return value;
  let text = String(value);
  let masked = maskText(text);
  return masked === text ? value : masked;
};
var startMasking = (tree) => startWalking(tree, maskMember);
var mask = (json) => parseJson(json, maskMember);
var TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.]{0,12}(Z|[+-]\d\d:?\d\d)?$/;
var isFile = (text) => text.length > 9999 && !/[^\w+/=\r\n]/.test(text.replace(/^data:[^,]{9,80},/, ""));
var maskText = (text) => {
  if (isFile(text) || !/[=:{[-]|\d{4}|eyJ/.test(text) || TIME.test(text)) return text;
  if (text.length > MAX_TEXT_CHARACTERS) return "[redacted]";
  if (isJsonText(text)) {
    let masked = quietly(() => JSON.stringify(mask(text)));
    if (masked) return masked === JSON.stringify(JSON.parse(text)) ? text : masked;
  }
  return text.replace(/[+.]?\b((\d{4}[ -]?){3}\d{4}|\d{4}[ -]?\d{6}[ -]?\d{5})\b(?!-)/g, maskCard).replace(SECRET_IN_TEXT, "$1$<quote>[redacted]");
};
var maskCard = (text) => {
  let digits = text.replace(/[ -]/g, "");
  let sum = [...digits].reverse().reduce((before2, digit, n) => before2 + (n % 2 && digit < 9 ? digit * 2 % 9 : +digit), 0);
  return sum % 10 || !CARD.test(digits) ? text : "[card ****" + digits.slice(-4) + "]";
};

// browser/report.js
var report = record({ seen: 0, captured: 0, delivered: 0, last: null, unmatched: [] });
const MAX_UNMATCHED = 50;
var SIGNS = [
  ["payment", /transaction_?id|(plan|final)_?(name|price)|payment_?(status|method)/i],
  ["questionnaire", /trades_?per_?day|account_?size/i],
  ["dashboard", /current_?equity|total_?pnl|win_?rate/i]
];
var noteUnmatched = (method, path, text) => {
  let { unmatched } = report;
  let save2 = method + " " + maskText(path);
  if (unmatched.length >= MAX_UNMATCHED || unmatched.some((one) => one.save === save2) || NO_SAVE.test(path)) return;
  let [kind] = SIGNS.find(([, names]) => names.test(text)) || [];
  if (!kind) return;
  let rule = { kind, url: path.replace(/[^\w/-]/g, ".") + "$" };
  unmatched.push({ save: save2, rule });
  log("no rule matches " + save2 + ": add one like", JSON.stringify(rule));
};
var reportSave = ({ kind, rule, email }, fields) => {
  let result = email ? "waits for the service" : "waits: nobody is known";
  report.last = { kind, rule, user: email, result };
  log(kind, "by rule", rule + ":", fields.join(" "), "| user:", email, "|", result);
};
var reportResponse = ({ kind, rule, email }, status, reason) => {
  let result = "HTTP " + status + (reason ? ", refused: " + reason : "");
  report.last = { kind, rule, user: email, result };
  log(kind, result);
};

// browser/merge.js
var earlierTexts = /* @__PURE__ */ new Map();
var isRefused = ({ outcome }) => /^(failed|unknown)/.test(outcome?.());
var isRepeat = (part) => {
  let key = [part.kind, part.from, part.user?.key, part.row].join("\n");
  let last = earlierTexts.get(key);
  earlierTexts.delete(key);
  earlierTexts.set(key, { text: part.text, at: Date.now(), outcome: part.outcome });
  if (earlierTexts.size > MAX_EARLIER) earlierTexts.delete(earlierTexts.keys().next().value);
  if (last?.text !== part.text || isRefused(last)) return false;
  return part.kind === "dashboard" || isWithin(REPEAT_MS, last.at);
};
var STEP = /\/step|"\w{0,9}step\w{0,9}":/i;
var named;
var processSignal = (payload, signal) => {
  let { rule, rank } = signal;
  let { kind } = rule;
  let body = record();
  for (let key in payload) body[rule.as[key] || key] = payload[key];
  if (rule.under && rank === STORAGE_KEY) body = record({ [rule.under]: body });
  let text = canonicalJson(body);
  let said = readUser(text);
  let { token, partial } = signal;
  let [id] = valuesIn(text, "user_?id");
  signal.target ||= id && "/?user_id=" + id;
  let { target } = signal;
  let isHere = rank === API || !history.left.includes(named?.key);
  let [identified2, stored] = signal.by.users();
  let around = [token, identified2, stored, isHere && named].filter(Boolean);
  let mayBe = userFilter(text, target, partial);
  let possible = around.filter(mayBe);
  let user = mergeUsers([
    // Its name and its id may be a plan's and the payment's.
    said && record(said, { name: "", id: "" }),
    readUser(signal.user)
  ], possible);
  if (rank === API) named = user;
  if (kind === "dashboard" && !stored && history.left[0] && (!user || history.left.includes(user.key))) {
    throw Error();
  }
  if (rank >= REQUEST && Object.values(body).every(saysNothing)) return;
  let [number] = valuesIn(text, "transaction_?id");
  mergeIntoCapture(Object.assign(signal, {
    kind,
    body,
    text,
    user,
    own: user?.own,
    here: signal.by.key,
    // Its row says whose it is: the service knows the row.
    row: !user && !(around[0] ? possible[0] : mayBe()) && target,
    ids: valuesIn(text, "(?:transaction|payment|order)_?id"),
    number,
    isStep: kind === "questionnaire" && STEP.test(target + edgesOf(text))
  }));
};
var openCapture = (part) => {
  let item = record({
    // Begins with the time: the service adds receipts where the last one is.
    id: "c" + Date.now().toString(36) + crypto.getRandomValues(new Uint32Array(3)).join(""),
    kind: part.kind,
    rule: part.rule.name || part.kind,
    row: part.row,
    email: "",
    at: part.at,
    until: part.at + ACTION_MS,
    limit: now() + ACTION_MS,
    waitsUntil: now() + RESPONSE_MS,
    parts: /* @__PURE__ */ new Map(),
    // by source
    tries: 0
  });
  report.captured++;
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
  for (let name of IN_COMMON) item[name] ||= part[name];
  item.dueAt = Math.min(now() + QUIET_MS, item.limit);
};
var mergeParts = (item) => {
  let order = ({ partial, rank }) => partial ? API : rank;
  let parts = [...item.parts.values()].sort((one, other) => order(one) - order(other));
  let body = parts.map((part) => part.body).reduce(mergePreferFirst);
  let refused = item.kind === "payment" && parts.find(isRefused);
  if (refused) body.payment_status = refused.partial ? "unknown" : refused.outcome();
  let ofRow = parts.find((part) => part.partial || part.row);
  setBody(item, record(
    body,
    { capture_id: item.id, capture_timestamp: new Date(item.at).toISOString() },
    parts.every((part) => part.partial || part.isStep) && { partial: true },
    ofRow && { capture_target: ofRow.target }
  ), item.user || item.row && record());
};
var mergeIntoCapture = (part) => {
  let isApi = part.rank === API;
  if (!isApi && isRepeat(part)) return;
  closeCaptures(now());
  let item = queue.findLast((open) => open.parts && belongsTo(part, open));
  if (!item) {
    let isPaid = (payment) => isWithin(DAY_MS, history.paid[payment]);
    if (part.rank === STORAGE_KEY && paymentsIn(part, part.user).some(isPaid)) return;
    item = openCapture(part);
  }
  addPart(item, part);
  mergeParts(item);
  reportSave(item, Object.keys(part.body));
  makeRoom();
  if (isApi) {
    part.item = item;
    closeCaptures(0, part.kind);
  }
};
var paymentsIn = ({ number, ids }, user) => (number ? [number] : ids).map((id) => id + " " + user?.key);
var close = (item) => {
  if (item.kind === "payment") {
    mergeParts(item);
    rememberPaid([...item.parts.values()].flatMap((part) => paymentsIn(part, item.user)));
  }
  item.parts = null;
  item.dueAt = 0;
};
var closeCaptures = (by, kind) => {
  let isUnknown = ({ outcome }) => outcome && !outcome();
  for (let item of queue) {
    if (!item.parts) continue;
    if (item.kind === kind) close(item);
    else if (item.dueAt <= by) {
      if (item.waitsUntil > by && [...item.parts.values()].some(isUnknown)) item.isWaiting = true;
      else if (item.isWaiting && by < Infinity) {
        item.isWaiting = false;
        item.dueAt = by + QUIET_MS;
      } else close(item);
    }
  }
};

// browser/retry.js
var retryDelay = (tries) => Math.random() * Math.min(MAX_DELAY_MS, MIN_DELAY_MS * 2 ** tries);
var retryAfterMs = (header) => {
  let wait = header * 1e3 || Date.parse(header) - Date.now();
  return wait > 0 ? Math.min(wait, MAX_RETRY_AFTER_MS) : 0;
};
var dueItems = (items, now2, pausedUntil2) => {
  let held2 = /* @__PURE__ */ new Set();
  return items.filter((item) => {
    if (item.blocked) return false;
    let lane = item.kind + item.email;
    let isReady = item.email && !item.parts && !item.out;
    let isDue = isReady && !held2.has(lane) && Math.max(item.dueAt, pausedUntil2) <= now2;
    if (!isDue) held2.add(lane);
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
  let isAddress = isText(given) || given instanceof URL;
  let url = quietly(() => isAddress && new URL(given, location.href));
  let isWeb = /^https?:$/.test(url?.protocol);
  return isWeb ? withoutSlashes(url.origin + url.pathname) : "";
};
var address;
var serviceUrl = () => {
  if (address) return address;
  let host = location.hostname ? location.protocol + "//" + location.hostname : "http://127.0.0.1";
  let fallback = host + ":" + DEFAULT_PORT;
  let entry = quietly(() => JSON.stringify(performance.getEntriesByName(source))) || "";
  let isService = entry.includes('"' + NAME);
  let origin = isService || isElsewhere ? new URL(".", source) : fallback;
  let found = !isService && webAddress(config.endpoint) || webAddress(origin) || fallback;
  if (entry[2]) address = found;
  return found;
};

// browser/transport.js
var pending = /* @__PURE__ */ new Set();
var abortRequests = () => pending.forEach((stop) => stop.abort());
var blobOf = async (text) => {
  let pieces = [];
  for (let from = 0, to; from < text.length; from = to) {
    to = from + MAX_TEXT_CHARACTERS;
    if (/[\ud800-\udbff]/.test(text[to - 1])) to++;
    pieces.push(new Blob([text.slice(from, to)]));
    if (!document.hidden) await pause();
  }
  return new Blob(pieces, record({ type: "text/plain" }));
};
var request = async (path, options = record(), bytes = 0) => {
  let stop = new AbortController();
  let { signal } = stop;
  nativeSetTimeout(() => stop.abort(), TIMEOUT_MS + bytes / MIN_BYTES_PER_MS);
  pending.add(stop);
  let exchange = async () => {
    let { body, keepalive } = options;
    let isLarge = body?.length > MAX_TEXT_CHARACTERS && !keepalive;
    let response2 = await nativeFetch(serviceUrl() + "/api/data-capture/" + path, record({
      credentials: "omit",
      redirect: "error",
      referrerPolicy: "no-referrer",
      // a page's address may hold secrets
      signal
    }, options, isLarge && { body: await blobOf(body) }));
    let text = await response2.text();
    return [response2.status, text, response2.headers.get("Retry-After")];
  };
  let aborted = new Promise((resolve, reject) => {
    signal.onabort = reject;
  });
  let response = await Promise.race([exchange(), aborted]).catch(() => [0]);
  pending.delete(stop);
  return response;
};

// browser/delivery.js
var QUEUED = { success: false, queued: true };
var isLeaving = false;
var delivering = null;
var pausedUntil = 0;
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
  delivering = runExclusively(deliverBatches).then(() => {
    delivering = null;
    quietly(scheduleDelivery);
  }, (reason) => {
    delivering = null;
    log(reason);
  });
};
var wake = async () => {
  retryNow();
  await refreshQueue();
  quietly(scheduleDelivery);
};
var deliverLast = () => {
  let rest = waitingItems().filter((item) => item.email && !item.blocked && !item.out && item.bytes < MAX_KEEPALIVE_BYTES).sort((one, other) => one.bytes - other.bytes);
  let items = takeBatch(rest, MAX_KEEPALIVE_BYTES);
  if (items.length) deliver(items, true).catch(log);
};
var deliver = async (items, keepalive) => {
  let [first, isBatch] = items;
  let members = items.map((item) => '{"type":"' + item.kind + '",' + item.text.slice(1));
  let body = isBatch ? '{"captures":[' + members + "]}" : first.text;
  for (let item of items) item.out = keepalive;
  let options = record({ method: "POST", body, keepalive });
  handleResponses(items, await request(isBatch ? "batch" : first.kind, options, sizeOf(items)));
};
var handleResponses = (items, [status, json, retryAfter]) => {
  let wait = retryAfterMs(retryAfter);
  if (wait) pausedUntil = now() + wait;
  let response = quietly(() => parseJson(json));
  let results = items[1] ? response?.answers : [response];
  items.forEach((item, index) => {
    item.out = false;
    let result = results?.[index];
    let ownStatus = items[1] && results ? result?.status : status;
    if (queue.includes(item)) handleResponse(item, ownStatus, result);
  });
  save();
};
var handleResponse = (item, status, response) => {
  let refusal = { error: "HTTP " + status, ...isRecord(response) && response, success: false };
  let reason = { capture_id: item.id, kind: item.kind, status, reason: refusal.error };
  let isDone = status < 300 && response?.success === true;
  reportResponse(item, status, !isDone && refusal.error);
  if (isDone) {
    report.delivered++;
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

// browser/signals.js
var signals = /* @__PURE__ */ new Map();
var scheduled = NOT_SCHEDULED;
var processedAt = -REWRITE_MS;
var processLater = (ms) => {
  scheduled = DELAYED;
  runLater(processSignals, ms);
};
var addSignal = (rule, rank, from, text, more) => {
  if (text.length > MAX_SAVE_CHARACTERS) refuseLarge(rule.kind);
  report.seen++;
  let { length: size } = text;
  let signal = record({ rule, rank, from, text, size, at: Date.now(), by: currentUser() }, more);
  signals.set(rank === STORAGE_KEY ? from + signal.by.key : signal, signal);
  if (rank === STORAGE_KEY && now() < processedAt + REWRITE_MS) {
    if (scheduled === NOT_SCHEDULED) processLater(REWRITE_MS);
  } else if (scheduled !== IMMEDIATE) {
    scheduled = IMMEDIATE;
    Promise.resolve(processSignals).then(quietly);
  }
  return signal;
};
var MUTATION = /(^|[}\n])\s{0,99}mutation\b/;
var readPayload = (payload, signal) => {
  let { rule, rank } = signal;
  if (Array.isArray(payload)) {
    let rows = Array.from(payload).filter(isRecord);
    let usersIn = (json) => valuesIn(json, "user_?(?:id|email)");
    if (rule.kind === "questionnaire" && rows[1] && !usersIn(JSON.stringify(rows))[1]) {
      processSignal(record(...rows, { answers: rows }), signal);
      return;
    }
    rows.forEach((row, n) => {
      let one = record(signal, { payload: row, text: "", size: 0, steps: null });
      if (n < MAX_QUEUE_COUNT) signals.set(one, one);
      else countDropped(rule.kind);
    });
    return;
  }
  let save2 = own(payload, signal.member) ?? payload;
  if (rank === REQUEST && !signal.isInside) {
    let { query } = payload;
    if (/{/.test(query) && !MUTATION.test(query)) return;
    let isRow = signal.payload && rule.body;
    if (isRow && !rule.body.test(JSON.stringify(payload).slice(0, MAX_MATCHED_CHARACTERS))) return;
    if (query && !rule.under) save2 = payload.variables || payload;
    for (let name of rule.under?.split(".") || []) save2 = own(save2, name);
    if (Array.isArray(save2)) {
      readPayload(save2, record(signal, { isInside: true }));
      return;
    }
  }
  if (isRecord(save2)) processSignal(save2, signal);
};
var treeOf = (signal) => signal.copy || JSON.parse(bodyToJson(signal.text));
function* stepsOf(signal) {
  yield;
  let proceed = startMasking(treeOf(signal));
  let done;
  while (!done) {
    yield;
    done = proceed(now() + SLICE_MS);
  }
  yield;
  readPayload(done[""], signal);
}
var processOne = (signal, all) => {
  if (signal.size > MAX_TEXT_CHARACTERS) {
    signal.steps ||= stepsOf(signal);
    while (!signal.steps.next().done) if (!all) return false;
  } else readPayload(signal.payload || startMasking(treeOf(signal))(Infinity)[""], signal);
  return true;
};
var processSignals = (all) => {
  scheduled = NOT_SCHEDULED;
  if (!isLoaded && !all) return;
  processedAt = now();
  let isHurried = all || document.hidden;
  let isLarge;
  for (let [key, signal] of signals) {
    if (!isHurried && now() > processedAt + SLICE_MS) break;
    try {
      if (isActive() && !processOne(signal, isHurried)) break;
    } catch (reason) {
      log(signal.rule.kind, "is not captured");
      signal.error = reason;
    }
    signals.delete(key);
    isLarge = signal.steps && !isHurried;
    if (isLarge) break;
  }
  if (signals.size || isLarge) processLater();
  if (isLarge) return;
  save();
  scheduleDelivery();
};

// browser/forms.js
var NO_SAVE2 = /newsletter|subscribe|filter|search|[-_ "]sort|log-?in|sign-?in/i;
var SECRETS = "[type=password i],[autocomplete*=password i],[autocomplete*=cc- i],[autocomplete*=one-time i]";
var held;
var isReading = false;
var attribute = (element, name) => Element.prototype.getAttribute.call(element, name) || "";
var capture = (fields) => {
  let { rule } = held;
  held = null;
  let add = () => {
    let known = [...fields].filter(([name]) => !secretNames.has(name));
    addSignal(rule, FORM, "form", fieldsToJson(known));
  };
  add();
  runLater(add);
};
var holdForm = (form, event) => {
  for (let field of Reflect.get(HTMLFormElement.prototype, "elements", form)) {
    if (field.name && Element.prototype.matches.call(field, SECRETS)) secretNames.add(field.name);
  }
  held = null;
  let { submitter } = event;
  let tag = Node.prototype.cloneNode.call(form).outerHTML.slice(0, MAX_MATCHED_CHARACTERS);
  let given = submitter && attribute(submitter, "formaction") || attribute(form, "action");
  let { origin, pathname } = new URL(given, baseAddress());
  let rule = !NO_SAVE2.test(tag) && (findRule("form", tag) || findRule("url", origin + pathname, void 0, origin.length));
  if (!rule) return;
  isReading = true;
  let fields = quietly(() => [...new FormData(form, submitter)]) || [];
  isReading = false;
  let method = submitter && attribute(submitter, "formmethod") || attribute(form, "method");
  let holding = { form, event, rule, fields, sends: !/get|dialog/i.test(method), at: Date.now() };
  held = holding;
  runLater(() => {
    if (held !== holding || event.defaultPrevented) return;
    if (held.sends) capture(fields);
    else held = null;
  });
};
var observeFormData = (event) => {
  if (isReading) event.stopImmediatePropagation();
  else if (held?.sends && held.form === event.target && event.eventPhase > Event.CAPTURING_PHASE && !held.event.currentTarget && !held.event.defaultPrevented) quietly(() => capture(event.formData));
};
var confirmForm = (saved) => {
  if (!held || !isWithin(ACTION_MS, held.at)) return;
  let text = isText(saved) ? saved : JSON.stringify(saved);
  let isSaved = ([name, value]) => isText(value) && value && text.includes(value) && (value.length > 3 || text.includes(name));
  if (held.fields.some(isSaved)) capture(held.fields);
};
var forgetForm = () => {
  held = null;
};

// browser/instrument.js
var originals = /* @__PURE__ */ new WeakMap();
var undo = [];
var restorePage = () => undo.splice(0).forEach(quietly);
var instrument = (owner, name, observe) => {
  try {
    let original = owner[name];
    if (typeof original !== "function" || original instanceof Node) return;
    if (originals.has(original)) return;
    let wrapper = new Proxy(original, record({
      apply(target, self, args) {
        try {
          if (isActive()) quietly(() => observe(args, self));
        } catch (_) {
        }
        return Reflect.apply(target, originals.get(self) || self, args);
      }
    }));
    originals.set(wrapper, original);
    owner[name] = wrapper;
    undo.push(() => {
      if (owner[name] === wrapper) owner[name] = original;
    });
  } catch (_) {
  }
};

// browser/observe.js
var NAMED_IN_BODY = /"(?:table|collection)":\s*"(\w+)|[}"\\n]\s*mutation\b[^{}]{0,999}{[\s\\n]*(\w+)/;
var READS = /"(operation|action|method)":"(select|get|read|list)/i;
var readableCopy = (body) => {
  if (body instanceof Blob) return body.size <= MAX_BINARY_BYTES && body;
  let type = body instanceof Request && body.headers.get("content-type");
  return /json|form-u|text/.test(type) && body.clone();
};
var observeRequest = (body, method, given, readToken, outcome) => {
  if (!body || !/^(post|put|patch)$/i.test(method)) return;
  let url = given instanceof URL ? given : new URL(given, baseAddress());
  let query = quietly(() => decodeURIComponent(url.search));
  let [, , proxied] = /([?&]url=|^\?)(https?:.*)/i.exec(query) || [];
  if (proxied) url = new URL(proxied);
  let { origin, pathname, search } = url;
  let path = withoutSlashes(decodeURIComponent(pathname));
  let [, folder, procedures] = /^(.*\/)([^/]*,[^/]*)$/.exec(path) || [];
  let paths = procedures?.split(",").map((name) => folder + name) || [path];
  let seen;
  let momentOf = () => seen ||= {
    at: Date.now(),
    by: currentUser(),
    token: quietly(() => readUser(readToken())),
    partial: /^pu|pa/i.test(method),
    // they change a part of what was saved before
    target: maskText(pathname + search),
    outcome
  };
  let find = (one, text) => findRule("url", origin + one, text, origin.length);
  let add = (text) => quietly(() => {
    confirmForm(text);
    let start = text.slice(0, MAX_MATCHED_CHARACTERS);
    let findByBody = (one) => {
      let [, table, field] = NAMED_IN_BODY.exec(start) || [];
      let name = table || field;
      return name && !READS.test(start) && find(one + "/" + name, start);
    };
    paths.forEach((one, n) => {
      let rule = find(one, start) || findByBody(one);
      let member = procedures && n;
      if (rule) addSignal(rule, REQUEST, origin + one, text, { ...momentOf(), member });
      else noteUnmatched(method, one, start);
    });
  });
  let { byteLength } = body;
  if (body instanceof FormData) add(fieldsToJson(body));
  else if (isText(body) || body instanceof URLSearchParams || body instanceof String) {
    add(String(body));
  } else if (!paths.some((one) => find(one))) return;
  else if (byteLength <= MAX_BINARY_BYTES) add(new TextDecoder().decode(body));
  else if (momentOf()) readableCopy(body)?.text?.().then(add, log);
};
var observeWrite = (name, value) => {
  let key = String(name);
  if (isText(value)) confirmForm(value);
  let rule = isText(value) && isJsonText(value) && findRule("key", key);
  if (rule) {
    addSignal(rule, STORAGE_KEY, key, value, { user: rule.key.exec(key)[1] });
  } else if (/user|auth|session|profile/i.test(key)) {
    forgetCurrentUser();
  }
};

// browser/snapshot.js
var snapshot = (kind, [first, second, theme, user]) => {
  let payload = first;
  if (kind === "activity") payload = record({ activity_type: first, activity_data: second });
  if (kind === "dashboard") {
    payload = (first || second) && record({ dashboardData: first, tradingState: second, theme });
  }
  let room = { kind, members: MAX_MEMBERS, characters: MAX_SAVE_CHARACTERS };
  let copy = copyOf(payload, room);
  if (!isRecord(copy)) throw Error("no object");
  let size = MAX_SAVE_CHARACTERS - room.characters;
  return { copy, size, user: kind === "dashboard" && JSON.stringify(user) };
};
var copyOf = (given, room) => {
  let value = typeof given?.toJSON === "function" ? given.toJSON() : given;
  let type = typeof value;
  if (value instanceof Node || value === window || type === "function" || type === "symbol") {
    return void 0;
  }
  if (type === "bigint") throw Error("no JSON");
  if (type === "string") room.characters -= value.length;
  let length = Array.isArray(value) ? value.length : value?.byteLength;
  if (room.members-- < 0 || room.characters < 0 || length > MAX_MEMBERS) refuseLarge(room.kind);
  if (!isObject(value)) return type === "number" && !isFinite(value) ? null : value;
  if (Array.isArray(value)) return Array.from(value, (one) => copyOf(one, room));
  let copy = record();
  for (let key of Object.keys(value)) {
    let member = copyOf(value[key], room);
    room.characters -= key.length;
    if (member !== void 0) copy[key] = member;
  }
  return copy;
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
  let observe = (args) => {
    let more = snapshot(kind, args);
    confirmForm(more.copy);
    addSignal(rule, CALL, call, "", more);
  };
  instrument(found ? window : BARE_NAMES, call, observe);
});
var outcomeOf = ({ href }, signal) => {
  let since = now() - 1;
  return () => {
    let name = href.replace(/#.*/, "");
    let entries = quietly(() => performance.getEntriesByName(name)) || [];
    let entry = entries.find((one) => one.startTime >= since);
    if (entry?.responseStatus >= 400) return "failed";
    if (signal?.aborted && !(entry?.responseStatus ?? entry?.responseStart)) return "unknown";
    return entry && "known";
  };
};
var optionOf = (options, name) => Object.getOwnPropertyDescriptor(options || {}, name)?.value;
var wrapBrowser = (listenIn) => {
  instrument(Function.prototype, "toString", () => {
  });
  instrument(window, "fetch", ([input, init]) => {
    let request2 = input instanceof Request ? input : record();
    let body = optionOf(init, "body") ?? (request2.clone && request2);
    let readToken = () => new Headers(optionOf(init, "headers") || request2.headers).get("authorization");
    let address2 = new URL(request2.url || input, baseAddress());
    let outcome = outcomeOf(address2, optionOf(init, "signal") || request2.signal);
    observeRequest(body, optionOf(init, "method") || request2.method, address2, readToken, outcome);
  });
  let opened = /* @__PURE__ */ new WeakMap();
  let { prototype } = XMLHttpRequest;
  instrument(prototype, "open", (args, xhr) => opened.set(xhr, args));
  instrument(prototype, "setRequestHeader", ([name, value], xhr) => {
    if (/^authorization$/i.test(name)) opened.get(xhr).token = value;
  });
  instrument(prototype, "send", ([body], xhr) => {
    let call = opened.get(xhr);
    let outcome;
    for (let type of ["load", "error", "abort", "timeout"]) {
      addEventListener.call(xhr, type, () => {
        outcome = xhr.status >= 400 ? "failed" : type === "load" ? "known" : "unknown";
      });
    }
    observeRequest(body, call[0], call[1], () => call.token, () => outcome);
  });
  instrument(Navigator.prototype, "sendBeacon", ([url, body]) => observeRequest(body, "POST", url));
  for (let name of ["setItem", "removeItem"]) {
    instrument(Storage.prototype, name, (args) => observeWrite(...args));
  }
  instrument(Storage.prototype, "clear", forgetCurrentUser);
  let prepare = (_, form) => listenIn(Node.prototype.getRootNode.call(form));
  instrument(HTMLFormElement.prototype, "requestSubmit", prepare);
  instrument(HTMLFormElement.prototype, "submit", (_, form) => {
    prepare(_, form);
    holdForm(form, record());
  });
};

// browser/lifecycle.js
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
  let stop = new AbortController();
  let { signal } = stop;
  let first = record({ capture: true, signal });
  let last = record({ signal });
  let listeners = [];
  let listen = (types, handle, target = window) => {
    let listener = (event) => quietly(() => handle(event));
    for (let type of types.split(" ")) {
      listeners.push(() => addEventListener.call(target, type, listener, first));
    }
  };
  let onSubmit = (event) => isActive() && quietly(() => holdForm(event.target, event));
  let listenIn = (root) => {
    addEventListener.call(root, "submit", onSubmit, first);
    addEventListener.call(root, "formdata", observeFormData, first);
    addEventListener.call(root, "formdata", observeFormData, last);
  };
  let look = () => {
    wrapGlobals();
    listenIn(window);
    for (let add of listeners) add();
  };
  wrapBrowser(listenIn);
  let observer = quietly(() => new MutationObserver(look));
  quietly(() => observer.observe(document, record({ childList: true, subtree: true })));
  listen("DOMContentLoaded click", look);
  listen("click keydown", (event) => {
    event.composedPath().filter((node) => node instanceof ShadowRoot).forEach(listenIn);
  });
  listen("load", look, document);
  let timer = setInterval(quietly, POLL_MS, () => {
    look();
    scheduleDelivery();
  });
  undo.push(() => observer?.disconnect(), () => clearInterval(timer), () => stop.abort());
  listen("pagehide pagehide", leavePage);
  listen("pageshow", ({ persisted }) => {
    setLeaving(false);
    if (persisted) abortRequests();
    wake();
  });
  listen("online visibilitychange", wake);
  look();
};
var loadStored = async () => {
  await openStorage();
  let all = await readAll();
  let off = all["#off"];
  if (off) {
    for (let name in may) may[name] &&= off[name] !== false;
    shareOff();
    if (!isActive() && database) removeItem.call(localStorage, NAME);
  }
  readStoredUsers();
  restoreHistory(all["#known"]);
};
var ready;
var begin = () => {
  serviceUrl();
  if (may.enabled) startCapturing();
  runLater(() => isActive() && readStoredUsers());
  ready = loadStored().catch(log).then(() => {
    setLoaded();
    if (!may.enabled) restorePage();
    forgetCurrentUser();
    log(
      VERSION,
      serviceUrl(),
      rules.map((rule) => rule.name || rule.kind).join(" "),
      "| user:",
      currentUser().users().find(Boolean)?.email || "nobody is known"
    );
    processSignals();
    return wake();
  }).catch(log);
};

// browser/api.js
var capturerOf = (kind) => async (...args) => {
  if (!isActive()) throw Error("off");
  let signal = addSignal(readRule({ kind }), API, "", "", snapshot(kind, args));
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
      earlierTexts.clear();
      forgetHistory();
      for (let id in all) all[id] = null;
      persist(all);
    }
    await turn("consent", given);
  },
  flush: async () => {
    await ready;
    forgetForm();
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
    let unattributed = queue.filter((item) => !item.email).length;
    return {
      ...may,
      ...report,
      endpoint: serviceUrl(),
      storage: database ? "indexedDB" : usesLocalStorage ? "localStorage" : "memory",
      waiting: waitingItems().length,
      unattributed,
      why: unattributed ? unattributed + " waiting: nobody is known" : "",
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
  let api = { version: VERSION };
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
var before = ownGlobal("enhancedDataCapture");
if (window?.fetch && (!before || before instanceof Node)) {
  loadConfig();
  loadRules();
  provideApi();
  begin();
}
})();
