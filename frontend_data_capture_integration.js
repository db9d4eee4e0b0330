/*
 * Enhanced Data Capture: a second copy of what a page saves, without a change to the page.
 * First in <head>, without async or defer, or imported before all else.
 * Settings and API: see the .d.ts.
 */
(() => {
  'use strict';

  const QUIET_MS = 1000;
  const ACTION_MS = 5000;
  const REPEAT_MS = 10000;
  const SLICE_MS = 25; // at a time; 50 is a long task
  const REWRITE_MS = 200;
  const DAY_MS = 24 * 60 * 60 * 1000;
  const POLL_MS = 1000;
  const OPEN_MS = 2000;
  const TIMEOUT_MS = 10000;
  const UPLINK_BYTES_PER_MS = 32;
  const RETRY_BASE_MS = 1000;
  const RETRY_CAP_MS = 5 * 60 * 1000;
  const RETRY_AFTER_MS = 60 * 60 * 1000;
  const KEEPALIVE_BYTES = 60000; // of 64 KiB
  const BATCH_BYTES = 512 * 1024;
  const QUEUE_COUNT = 1000;
  const QUEUE_BYTES = 24 * 1024 * 1024;
  const RECORD_BYTES = 40;
  const SMALL = 60000; // characters
  const SOON = -1;

  // What a page saves may be a stranger's: these bound all work, and each pattern is linear in its text.
  const MAX_MATCHED_CHARACTERS = 2000; // with patterns of ours and of sites
  const MAX_SAVE_CHARACTERS = 20 * 1024 * 1024; // the service takes no more
  const MAX_MEMBERS = 50000; // of a save, at all depths
  const MAX_OPEN = 50;
  const MAX_PARTS = 20;
  const MAX_NUMBERS = 50;
  const MAX_TEXT_LAYERS = 4; // JSON in a text in JSON
  const MAX_TEXT_CHARACTERS = 1024 * 1024;
  const MIN_PICTURE_CHARACTERS = 10000;
  const MIN_CARD = 1e12; // 13 digits
  const MAX_EARLIER = 100;

  const API = 0; // the richest source first
  const CALL = 1;
  const REQUEST = 2;
  const KEY = 3;
  const FORM = 4;

  const NAME = 'enhanced-data-capture';
  const OFF = NAME + '-off';

  const { window, fetch } = globalThis;
  if (!window && globalThis.name === NAME) onmessage = async ({ data }) => postMessage(await exchange(fetch, ...data)); // a courier
  if (!window?.fetch) return;

  // --- hostile pages ---

  // Object.prototype may have members, and named elements hide members of document and forms, and are globals. So records,
  // also options for the browser, have no prototype; the DOM is read through its own.

  const hasOwn = (object, name) => isGiven(object) && Object.hasOwn(object, name);
  const own = (object, name) => (hasOwn(object, name) ? object[name] : undefined);

  /** Not what every object has. */
  const member = (object, name) => (name in Object.prototype && !hasOwn(object, name) ? undefined : object?.[name]);

  /** A global, but no element by its name: those are not window's own. */
  const ownGlobal = (name) => quietly(() => own(window, name));

  const record = (...members) => Object.assign(Object.create(null), ...members);
  const isObject = (value) => typeof value === 'object' && value !== null;
  const isRecord = (value) => isObject(value) && !Array.isArray(value);
  const isPlainObject = (value) => isRecord(value) && [Object.prototype, null].includes(Object.getPrototypeOf(value));
  const isText = (value) => typeof value === 'string';
  const isGiven = (value) => value !== undefined && value !== null;

  /** JSON without prototypes, each value as `change` makes it; a reviver is 50 times as slow. */
  const parse = (json, change = (key, value) => value) => {
    const walk = (value, key) => {
      const changed = change(key, value);
      if (changed !== value || !isObject(value)) return changed;
      Object.setPrototypeOf(value, null);
      for (const name of Object.keys(value)) value[name] = walk(value[name], name);
      return value;
    };
    return walk(JSON.parse(json), '');
  };

  const ofDocument = (prototype, name) => Object.getOwnPropertyDescriptor(prototype, name).get.call(document);
  const baseAddress = () => ofDocument(Node.prototype, 'baseURI');
  const { cloneNode } = Node.prototype;
  const { querySelector } = Document.prototype;
  const { querySelectorAll } = Element.prototype;
  const { addEventListener, removeEventListener } = EventTarget.prototype;

  if (ownGlobal('enhancedDataCapture') && !(ownGlobal('enhancedDataCapture') instanceof Node)) return;

  // Pages wrap fetch later, zone.js the timers.
  const { setTimeout } = window;
  const { getItem, setItem, removeItem } = Storage.prototype;

  // --- rules ---

  // What means a save: a call; a POST, PUT or PATCH to an address; a write to a key, whose group is the person's address; a
  // form by its opening tag. `under` says where it goes, `as` renames. Sites add `rules`; `without` takes names out.
  const FORM_SAYS = ' (id|name|class)="[^"]*';
  const RULES = [
    { kind: 'payment', call: 'savePaymentToSupabase', form: FORM_SAYS + 'payment',
      url: '/(\\w*_)?payments?(_\\w+)?(/(process|verify.*))?$',
      key: '^payment(_success_data|_details|Record)$' },
    { name: 'crypto', kind: 'payment', key: '^crypto_verification$', as: { amount: 'crypto_amount', crypto: 'crypto_currency' } },
    { kind: 'questionnaire', call: 'storeQuestionnaireData', form: FORM_SAYS + 'questionnaire',
      url: '/(\\w*_)?questionnaires?(_\\w+)?(/submit)?$',
      key: '^(questionnaireAnswers|currentQuestionnaire)$' },
    { kind: 'dashboard', call: 'saveDashboardToSupabase',
      url: '/(\\w*_)?dashboards?(_\\w+)?(/equity)?$' },
    { name: 'trading-state', kind: 'dashboard', key: '^trading_state_(.+)$', under: 'tradingState' },
    { name: 'dashboard-data', kind: 'dashboard', key: '^dashboard_data_(.+)$', under: 'dashboardData' },
  ];
  const NEVER = /\/capture\/?$|data-capture|invoice|payment.in(fo|tent)/i;
  const VOLATILE = /^timestamp$|(created|updated|saved|submitted)at$|^last(upd|sav|mod)/;

  // --- settings ---

  const SETTINGS = ['endpoint', 'placeholders', 'enabled', 'consent', 'rules', 'without', 'debug'];
  const isUsable = (value, name) => {
    if (isText(value)) return true;
    if (name === 'endpoint') return value instanceof URL;
    return typeof value === 'boolean' || (name === 'rules' ? isObject(value) : Array.isArray(value) && value.every(isText));
  };

  const readConfig = () => {
    const page = ownGlobal('enhancedDataCaptureConfig');
    const given = quietly(() => isPlainObject(page)) ? page : null;
    const config = record();
    for (const name of SETTINGS) {
      const said = [quietly(() => own(given, name)), tag?.getAttribute('data-' + name)];
      config[name] = said.find((value) => isGiven(value) && quietly(() => isUsable(value, name)));
    }
    return config;
  };

  const found = ofDocument(Document.prototype, 'currentScript') ||
    querySelector.call(document, 'script[src*=data_capture_integration]');
  const tag = found instanceof HTMLScriptElement ? found : null;
  const config = readConfig();
  const source = tag?.src || '';
  const isOwnFile = /^http.*data_capture_integration/.test(source);
  const isNear = isOwnFile && source.startsWith(location.origin + '/');
  const log = /^(|1|true)$/.test(config.debug)
    ? console.debug.bind(console, '[' + NAME + ']') // nothing captured
    : () => {};
  const listed = (words) => String(words).toLowerCase().split(/[\s,]+/);
  const placeholders = listed(['unknown@example.com', config.placeholders]);
  const may = record({ enabled: String(config.enabled) !== 'false', consent: config.consent !== 'required' });
  const active = () => may.enabled && may.consent;

  const RULE_TEXTS = ['name', 'kind', 'call', 'url', 'key', 'form', 'under'];
  const KINDS = ['dashboard', 'activity', 'questionnaire', 'payment']; // the first to go when there is no room

  const readRule = (given) => {
    const rule = record();
    for (const name of RULE_TEXTS) if (isText(own(given, name))) rule[name] = given[name];
    if (!KINDS.includes(rule.kind)) throw Error('no kind');
    for (const type of ['url', 'key', 'form']) if (rule[type]) rule[type] = new RegExp(rule[type], 'i');
    rule.as = record({ type: 'payload_type' });
    for (const [from, to] of Object.entries(own(given, 'as') || {})) if (isText(to)) rule.as[from] = to;
    return rule;
  };

  const readRules = () => {
    const given = isText(config.rules) ? quietly(() => JSON.parse(config.rules)) : config.rules;
    return (quietly(() => RULES.concat(given || [])) || RULES)
      .map((rule) => quietly(() => isPlainObject(rule) && readRule(rule)))
      .filter((rule) => rule && !listed(config.without).includes(rule.name || rule.kind));
  };
  const rules = readRules();

  function quietly(work) {
    try {
      return work();
    } catch (reason) {
      try {
        log(reason);
      } catch (_) { /* no log yet, or no stack left */ }
      return undefined;
    }
  }

  const messageOf = (reason) => quietly(() => isText(reason.message) && reason.message) || 'unusable';
  const later = (work, ms) => setTimeout(() => quietly(work), ms);

  // --- signals ---

  const wrappers = new Map();
  const undo = [];
  let running;

  /**
   * A Proxy keeps `this`, length, name, own properties and the AsyncFunction type. Arguments are read before the call, since
   * pages change them. The result is never touched: a `.then` sends a Supabase query again, or hides an unhandledrejection.
   */
  const install = (owner, name, kind, observe) => quietly(() => { // an uninitialised `let` throws
    const original = owner[name];
    if (typeof original !== 'function' || original instanceof Node || wrappers.has(original)) return;
    const wrapper = new Proxy(original, record({
      apply(target, self, args) {
        const outer = running;
        running = wrapper;
        try {
          try {
            // One save may pass two wrappers, when the page wraps ours.
            if (active() && (outer === wrapper || wrappers.get(outer) !== kind)) quietly(() => observe(args, self));
          } catch (_) { /* no stack left */ }
          return Reflect.apply(target, self, args);
        } finally {
          running = outer;
        }
      },
    }));
    wrappers.set(wrapper, kind);
    owner[name] = wrapper;
    undo.push(() => owner[name] === wrapper && (owner[name] = original));
  });

  // A bare name reaches a top-level `let`; for `const`, and where there is none, strict mode throws.
  const BARE = Object.setPrototypeOf({
    get savePaymentToSupabase() { return typeof savePaymentToSupabase === 'function' && savePaymentToSupabase; },
    set savePaymentToSupabase(f) { savePaymentToSupabase = f; },
    get storeQuestionnaireData() { return typeof storeQuestionnaireData === 'function' && storeQuestionnaireData; },
    set storeQuestionnaireData(f) { storeQuestionnaireData = f; },
    get saveDashboardToSupabase() { return typeof saveDashboardToSupabase === 'function' && saveDashboardToSupabase; },
    set saveDashboardToSupabase(f) { saveDashboardToSupabase = f; },
  }, null);

  /** A trap under a name that is not there yet would break `if (!('name' in window))`. */
  const look = () => rules.forEach((rule) => {
    const { call, kind } = rule;
    const found = call && Object.getOwnPropertyDescriptor(window, call);
    if (call && (!found || hasOwn(found, 'value'))) {
      install(found ? window : BARE, call, kind, (args) => signal(rule, CALL, call, ...snapshot(kind, args)));
    }
  });

  const tapAll = () => {
    const tap = (owner, name, observe) => install(owner, name, name, observe);
    const opened = new WeakMap();
    tap(window, 'fetch', ([input, init]) => {
      const { body, method } = init ?? record();
      const request = input instanceof Request ? input : record();
      sent(body || (request.clone && request), method || request.method, request.url || input);
    });
    tap(XMLHttpRequest.prototype, 'open', (args, xhr) => opened.set(xhr, args));
    tap(XMLHttpRequest.prototype, 'send', ([body], xhr) => sent(body, ...opened.get(xhr)));
    tap(Navigator.prototype, 'sendBeacon', ([url, body]) => sent(body, 'POST', url));
    for (const name of ['setItem', 'removeItem']) tap(Storage.prototype, name, (args) => written(...args));
    tap(Storage.prototype, 'clear', () => { hereNow = null; });
    tap(HTMLFormElement.prototype, 'submit', (_, form) => submitted(form));
    look();
  };

  const ruleFor = (type, text) => (text.length > MAX_MATCHED_CHARACTERS
    ? undefined
    : rules.find((rule) => rule[type]?.test(text)));

  const sent = (body, method, url) => {
    if (!body || !/^(post|put|patch)$/i.test(method)) return;
    const { origin, pathname } = new URL(url, baseAddress());
    if (pathname.length > 3 * MAX_MATCHED_CHARACTERS) return; // %20
    const path = withoutSlashes(decodeURIComponent(origin + pathname));
    const rule = !NEVER.test(pathname) && ruleFor('url', path);
    if (!rule) return;
    const then = now();
    const note = (text) => quietly(() => signal(rule, REQUEST, path, text, then));
    if (body instanceof FormData) note(fields(body));
    else if (isText(body) || body instanceof URLSearchParams) note(String(body));
    else readable(body)?.text().then(note, log);
  };

  const readable = (body) => {
    if (body instanceof Request) return body.clone();
    if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) body = new Blob([body]);
    return body instanceof Blob && body.size <= MAX_SAVE_CHARACTERS ? body : null;
  };

  const withoutSlashes = (text) => {
    let end = text.length;
    while (text[end - 1] === '/') end--; // /\/+$/ is quadratic
    return text.slice(0, end);
  };

  const IDENTITY_KEY = /^(current_user|currentUser|userData|user_data|sb-.+-auth-token)$/;

  const written = (key, value) => {
    key = String(key);
    const rule = isText(value) && /^\s*[[{]/.test(value) && ruleFor('key', key);
    if (rule) {
      const [, user] = rule.key.exec(key);
      signal(rule, KEY, key, value, record({ user }));
    } else if (IDENTITY_KEY.test(key)) hereNow = null;
  };

  const submitted = (form) => {
    const opening = cloneNode.call(form).outerHTML; // a field named "id" would hide its own
    const rule = !NEVER.test(opening) && ruleFor('form', opening.slice(0, MAX_MATCHED_CHARACTERS));
    if (!rule) return;
    const inputs = querySelectorAll.call(form, 'input:not([type=password],[type=submit],[autocomplete*=cc- i],' +
      '[type=radio]:not(:checked),[type=checkbox]:not(:checked)),select,textarea');
    signal(rule, FORM, 'form', fields([...inputs].map((input) => [input.name, input.value])));
  };

  const fields = (entries) => {
    const form = record();
    for (const [name, value] of entries) if (name) {
      const text = isText(value) ? value : value.name; // a file's
      if (!(name in form)) form[name] = text;
      else if (Array.isArray(form[name])) form[name].push(text);
      else form[name] = [form[name], text];
    }
    return JSON.stringify(form);
  };

  const snapshot = (kind, [first, second, theme, user]) => {
    let payload = first;
    if (kind === 'dashboard') payload = (first || second) && record({ dashboardData: first, tradingState: second, theme });
    if (kind === 'activity') payload = record({ activity_type: first, activity_data: second });
    const text = JSON.stringify(payload, isPlainData(payload, [MAX_MEMBERS, MAX_SAVE_CHARACTERS]) ? null : withinBounds(kind));
    if (!/^{/.test(text)) throw Error('no object');
    return [text, record({ user: kind === 'dashboard' && user })];
  };

  /** Few values, no getter, no toJSON: JSON.stringify needs no guard, which is 50 times as slow. */
  const isPlainData = (value, left) => {
    if (!isObject(value)) return left[0]-- > 0 && typeof value !== 'function' && (left[1] -= isText(value) ? value.length : 0) >= 0;
    if (left[0]-- < 0 || 'toJSON' in value) return false;
    if (Array.isArray(value)) {
      let n = 0;
      while (n < value.length && isPlainData(value[n], left)) n++;
      return n === value.length;
    }
    return isPlainObject(value) && Object.keys(value).every((key) => {
      const found = Object.getOwnPropertyDescriptor(value, key);
      return hasOwn(found, 'value') && isPlainData(found.value, left);
    });
  };

  /** Ends a snapshot that would freeze the page: holes, bytes. */
  const withinBounds = (kind) => {
    let members = 0;
    let characters = 0;
    return (key, value) => {
      if (isText(value)) characters += value.length;
      else if (isObject(value)) {
        if (value instanceof Node || value === window) return undefined; // reading some members prints warnings
        if ((Array.isArray(value) ? value.length : ArrayBuffer.isView(value) && value.byteLength) > MAX_MEMBERS) refuse(kind);
      }
      if (++members > MAX_MEMBERS || characters > MAX_SAVE_CHARACTERS) refuse(kind);
      return value;
    };
  };

  const refuse = (kind) => {
    countDropped(kind);
    throw Error('too large');
  };

  const signals = new Set();
  const rewritten = new Map(); // by key
  let draining;
  let drainedAt = -REWRITE_MS;
  const now = () => ({ at: Date.now(), by: whoIsHere() });

  /** The rest waits for the microtask after it, when no navigation has begun yet. */
  const signal = (rule, rank, from, text, more) => {
    if (text.length > MAX_SAVE_CHARACTERS) refuse(rule.kind);
    const one = record({ rule, rank, from, text }, now(), more);
    const before = rank === KEY && rewritten.get(from);
    if (before && before.by === one.by) {
      before.text = text;
      return undefined;
    }
    signals.add(one);
    if (rank === KEY) rewritten.set(from, one);
    if (rank === KEY && performance.now() < drainedAt + REWRITE_MS) draining = draining || later(drain, REWRITE_MS);
    else if (draining !== SOON) {
      draining = SOON;
      Promise.resolve(drain).then(quietly);
    }
    return one;
  };

  const drain = (all) => {
    draining = 0;
    if (!loaded && !all) return;
    drainedAt = performance.now();
    for (const one of signals) {
      if (!all && performance.now() > drainedAt + SLICE_MS) break;
      signals.delete(one);
      if (rewritten.get(one.from) === one) rewritten.delete(one.from);
      try {
        if (active()) act(one);
      } catch (reason) {
        log(reason);
        one.answer = { success: false, error: messageOf(reason) };
      }
    }
    if (signals.size) draining = later(drain);
    save();
    pump();
  };

  // --- one action ---

  // It grows while it has `parts`.
  let known;
  let knownChanged;
  const earlierTexts = new Map();
  const forgetAll = () => {
    earlierTexts.clear();
    known = record({ id: '#known', paid: record(), left: [], user: [], dropped: record() });
  };
  forgetAll();

  const countDropped = (kind) => {
    known.dropped[kind] = (known.dropped[kind] || 0) + 1;
    knownChanged = true;
  };

  const plain = (key) => (/[A-Z\W_]/.test(key) ? key.toLowerCase().replace(/[\W_]+/g, '') : key);
  const isEmpty = (value) => (value ?? '') === '';

  const gist = (body) => JSON.stringify(lasting(body));

  const lasting = (value) => {
    if (Array.isArray(value)) return Object.setPrototypeOf(Array.from(value, lasting), null);
    if (!isRecord(value)) return isText(value) && value.startsWith('NON-CRYPTO-') ? undefined : value;
    const kept = record();
    for (const key of Object.keys(value)) if (!VOLATILE.test(plain(key))) kept[key] = lasting(value[key]);
    return kept;
  };

  const union = (richer, poorer) => {
    const whole = record(richer);
    const names = record();
    for (const key of Object.keys(richer)) names[plain(key)] = key;
    for (const key of Object.keys(poorer)) {
      const value = poorer[key];
      const name = names[plain(key)] || key;
      if (isEmpty(whole[name])) whole[name] = value;
      else if (isRecord(whole[name]) && isRecord(value)) whole[name] = union(whole[name], value);
    }
    return whole;
  };

  const belongs = (part, item) => {
    const before = item.parts.find((other) => other.from === part.from);
    if (['kind', 'own', 'number'].some((name) => part[name] && item[name] && part[name] !== item[name])) return false;
    if (!before) return item.parts.length < MAX_PARTS;
    if (part.rank >= KEY) return !part.ids[0] || !before.ids[0] || part.ids.some((id) => before.ids.includes(id));
    return isExtended(part.text, before.text) || isExtended(before.text, part.text);
  };

  /** What a page adds to an object, it adds at the end. */
  const isExtended = (text, before) => text.startsWith(before.slice(0, -1)) && /^[,}]/.test(text.slice(before.length - 1));

  const isRepeat = ({ kind, from, text, person }) => {
    const key = [kind, from, person?.key].join('\n');
    const last = earlierTexts.get(key);
    earlierTexts.delete(key);
    earlierTexts.set(key, { text, at: Date.now() });
    if (earlierTexts.size > MAX_EARLIER) earlierTexts.delete(earlierTexts.keys().next().value);
    return last?.text === text && (kind === 'dashboard' || isWithin(REPEAT_MS, last.at));
  };

  const isWithin = (most, at) => Math.abs(Date.now() - at) < most; // clocks are set back

  const act = (seen) => {
    const payload = seen.payload || masked(/^\s*[[{]/.test(seen.text) ? seen.text : fields(/^\w\S*=/.test(seen.text) ? new URLSearchParams(seen.text) : []));
    if (!Array.isArray(payload)) actOn(payload, seen);
    else {
      for (let n = 0; n < payload.length; n++) {
        if (n >= QUEUE_COUNT) countDropped(seen.rule.kind);
        else if (isRecord(payload[n])) signals.add(record(seen, { payload: payload[n], text: '' }));
      }
    }
  };

  const actOn = (payload, seen) => {
    const { rule, rank } = seen;
    let body = record();
    for (const key of Object.keys(payload)) body[own(rule.as, key) || key] = payload[key];
    if (rule.under) body = record({ [rule.under]: body });
    const person = personOf(body, seen.user, [seen.by.told, seen.by.person()]);
    if (rule.kind === 'dashboard' && known.left.length && (!person || known.left.includes(person.key))) {
      throw Error('signed out');
    }
    const text = gist(body);
    if (rank >= REQUEST && text === '{}') return;
    const ids = numbersIn(text, PAYMENT_NUMBERS);
    const [number] = numbersIn(text, TRANSACTION_NUMBERS);
    const [status = ''] = rank < KEY ? numbersIn(text, STATUSES) : '';
    const self = person?.own ? person.key : undefined;
    join(record(seen, { seen, kind: rule.kind, body, text, person, own: self, ids, number, status }));
  };

  const membersCalled = (name) => new RegExp('"' + name + '":"?(?!null)([^",}]{1,200})', 'gi');
  const PAYMENT_NUMBERS = membersCalled('(?:transaction|payment|order)_?id');
  const TRANSACTION_NUMBERS = membersCalled('transaction_?id');
  const STATUSES = membersCalled('(?:payment_?)?status');

  const numbersIn = (text, pattern) => {
    const numbers = new Set();
    for (const [, number] of text.matchAll(pattern)) if (numbers.size < MAX_NUMBERS) numbers.add(number);
    return [...numbers];
  };

  const paidAs = ({ ids, status }) => ids.map((number) => number + status);

  const join = (part) => {
    const { kind, rank, person, at } = part;
    if (rank && isRepeat(part)) return;
    let item = queue.findLast((open) => open.parts && belongs(part, open));
    if (!item && rank && kind === 'payment' && paidAs(part).some((each) => isWithin(DAY_MS, known.paid[each]))) return;
    if (!item) {
      // In the order of time: the service adds receipts where the last one is.
      const id = 'c' + Date.now().toString(36) + crypto.getRandomValues(new Uint32Array(3)).join('');
      item = record({ id, kind, email: '', at, until: at + ACTION_MS, limit: performance.now() + ACTION_MS, parts: [], tries: 0 });
      queue.push(item);
      queue.filter((open) => open.parts).slice(0, -MAX_OPEN).forEach(close);
      seen.add(item.id);
    }
    const earlier = item.parts.find((other) => other.from === part.from);
    if (earlier) part.body = union(part.body, earlier.body);
    item.parts = item.parts.filter((other) => other !== earlier).concat(part).sort((one, other) => one.rank - other.rank);
    item.number = item.number || part.number;
    if (person && !item.own) item.person = person;
    item.own = item.own || part.own;
    item.dueAt = Math.min(performance.now() + QUIET_MS, item.limit);
    const whole = item.parts.map((each) => each.body).reduce(union);
    const more = { capture_id: item.id, capture_timestamp: new Date(item.at).toISOString() };
    attribute(item, record(whole, more), item.person);
    makeRoom();
    if (rank) return;
    part.seen.item = item;
    finish(0, kind);
  };

  const finish = (by, kind) => {
    for (const item of queue) if (item.parts && (item.dueAt <= by || item.kind === kind)) close(item);
    if (knownChanged) known.paid = record(Object.fromEntries(Object.entries(known.paid).slice(-200)));
  };

  const close = (item) => {
    for (const part of item.kind === 'payment' ? item.parts : []) {
      for (const number of paidAs(part).concat(part.ids)) known.paid[number] = Date.now();
      knownChanged = true;
    }
    item.parts = null;
    item.dueAt = 0;
  };

  // --- privacy ---

  const WORDS = 'pass(word|wd|phrase|code)|pwd|csc|cv[cdnv]2?|security.?code|card.?number|token|secret|' +
    '(api|access|secret|private).?key|(seed|recovery).?phrase|mnemonic|authorization';
  // How a key ends: accessToken, API_KEY.
  const SECRET = new RegExp('(' + WORDS + ')(\\d|code|confirm.*)?$|^((card)?pin|pass|jwt)$');
  const SECRET_IN_TEXT = new RegExp('((?:' + WORDS + ')\\\\*["\']?\\s*[=:]\\s*)' +
    '(?:\\\\*"[^"]*"?|\\\\*\'[^\']*\'?|(?:(?:bearer|basic|token)\\s+)?[^\\s&,;"\'}]+)', 'gi');
  const CARD = /\+?\b((\d{4}[ -]?){3}\d{4}|\d{4}[ -]?\d{6}[ -]?\d{4,5}|\d{13,19})\b/g; // with a plus it is a phone's
  const PRIVATE_KEY = /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^]*?(-----END [A-Z ]{0,30}PRIVATE KEY-----|$)/g;
  const RUN_OF_TOKENS = /[\w.-]+/g; // as a whole: from each "eyJ" to its end is quadratic

  const MAY_HOLD_SECRET = /[=:{[]|\d[\d -]{11}|eyJ|-BEGIN/i;

  const masked = (json, layers = MAX_TEXT_LAYERS) => parse(json, (key, value) => {
    if (isEmpty(value) || typeof value === 'boolean') return value; // showPassword
    if (key && SECRET.test(plain(key))) return '[redacted]';
    if (isObject(value) || Math.abs(value) < MIN_CARD) return value;
    const text = maskText(String(value), layers);
    return text === String(value) ? value : text;
  });

  const maskText = (text, layers) => {
    if (!MAY_HOLD_SECRET.test(text)) return text;
    if (text.length > MIN_PICTURE_CHARACTERS && isPicture(text)) return text;
    if (text.length > MAX_TEXT_CHARACTERS) return '[redacted]';
    if (/^\s*[[{]/.test(text)) {
      if (!layers) return '[redacted]';
      try {
        const inner = JSON.stringify(masked(text, layers - 1));
        return /\[(redacted|card )/.test(inner) ? inner : text;
      } catch (reason) {
        if (!(reason instanceof SyntaxError)) return '[redacted]'; // JSON, but too deep
      }
    }
    return text
      .replace(CARD, maskCard)
      .replace(RUN_OF_TOKENS, maskWebTokens)
      .replace(PRIVATE_KEY, '[redacted]')
      .replace(SECRET_IN_TEXT, '$1[redacted]');
  };

  /** PNG, JPEG or WebP in base64. */
  const isPicture = (text) => {
    const start = /^(data:[a-z]{1,20}\/[a-z.+-]{1,50};base64,)?(?=iVBORw0KGg|\/9j\/|UklGR)/i.exec(text);
    return start !== null && !/[^A-Za-z0-9+/=\r\n]/.test(text.slice(start[0].length));
  };

  /** Header, payload and signature (RFC 7519); {" is eyJ in base64. */
  const maskWebTokens = (run) => {
    if (!run.includes('eyJ')) return run;
    const parts = run.split('.');
    const kept = [];
    for (let n = 0; n < parts.length; n++) {
      const start = parts[n].indexOf('eyJ');
      const isToken = start >= 0 && parts[n].length >= start + 11 && parts[n + 1]?.length >= 8 && n + 2 < parts.length;
      kept.push(isToken ? parts[n].slice(0, start) + '[redacted]' : parts[n]);
      if (isToken) n += 2;
    }
    return kept.join('.');
  };

  /** Luhn's test. */
  const maskCard = (text) => {
    const digits = text.replace(/\D/g, '');
    let sum = 0;
    for (let n = 0; n < digits.length; n++) sum += +((digits.length - n) % 2 ? digits[n] : '0246813579'[digits[n]]);
    return sum % 10 || !/^(2[2-7]|[3-6])/.test(text) ? text : '[card ****' + digits.slice(-4) + ']';
  };

  // --- identity ---

  // The payload's own address, the call's `user`, the key; identify(); who is signed in; what is remembered. Sites leave copies
  // at logout: whom they named then counts no more until signed in again. What outlives a logout counts when it names one.
  let identified;
  let hereNow;

  const address = (value) => {
    const email = isText(value) ? value.trim() : '';
    return /^[^\s@]+@[^\s@]+$/.test(email) && !placeholders.includes(email.toLowerCase()) ? email : '';
  };

  const personIn = (user) => {
    if (isText(user)) user = { email: user };
    if (!isRecord(user)) return undefined;
    const find = (keys, read) => keys.split(' ').map((key) => read(member(user, key))).find(Boolean);
    const words = (value) => isText(value) && value.trim();
    const email = find('user_email userEmail email', address);
    if (!email) {
      const inner = member(user, 'user');
      return isRecord(inner) && !member(inner, 'user') ? personIn(inner) : undefined;
    }
    return record({
      email,
      key: email.toLowerCase(),
      name: find('name fullName full_name user_name userName username', words),
      id: find('id user_id', (id) => (isText(id) || Number.isFinite(id)) && /^[\w-]{1,36}$/.test(id) && id),
    });
  };

  const personOf = (body, argument, around) => {
    const inside = ['userData', 'user', 'userProfile', 'dashboardData', 'tradingState'].flatMap((key) =>
      [body[key], body[key]?.userProfile, body[key]?.userData]);
    const { user_email, userEmail, email } = body; // name and id may be another's
    const said = [record({ user_email, userEmail, email }), ...inside, argument].map(personIn).filter(Boolean);
    const all = said.concat(around).filter(Boolean);
    return all.length ? record(all.filter(({ key }) => key === all[0].key).reduce(union), { own: said.length }) : undefined;
  };

  const stored = (area, ...keys) => keys.map((key) => quietly(() => {
    const text = getItem.call(window[area], key);
    return personIn(/^\s*[[{"]/.test(text) ? JSON.parse(text) : text);
  })).filter(Boolean);

  const whoIsHere = () => {
    const text = quietly(() => getItem.call(localStorage, 'current_user'));
    const user = ownGlobal('currentUser');
    if (!hereNow || hereNow.text !== text || hereNow.user !== user) {
      hereNow = record({ text, user, person: lookAround(), told: identified });
    }
    return hereNow;
  };

  /** Which others count is asked later: the database knows who left. */
  const lookAround = () => {
    const session = quietly(() => Object.keys(localStorage).find((name) => /^sb-.+-auth-token$/.test(name)));
    const [present] = stored('localStorage', 'current_user', session);
    const kept = stored('localStorage', 'userData', 'currentUser').concat(
      stored('sessionStorage', 'currentUser'), quietly(() => personIn(ownGlobal('currentUser'))) || []);
    const left = stored('localStorage', 'user_data').concat(stored('sessionStorage', 'userData'));
    const before = known.user;
    const [gone] = before;
    if (gone && gone !== present?.key) {
      known.left = known.left.concat(before).slice(-50);
      if (identified?.key === gone) identified = null;
    }
    known.user = present ? [present, ...kept, ...left].map((person) => person.key) : [];
    if (String(before) !== String(known.user)) knownChanged = true;
    known.left = known.left.filter((key) => key !== present?.key);
    const counts = ({ key }) => loaded && !known.left.includes(key);
    return () => {
      const [one, ...rest] = left.filter(counts);
      return present || kept.find(counts) || (rest.every(({ key }) => key === one.key) && one);
    };
  };

  const attribute = (item, body, person) => {
    if (person) {
      body.user_email = address(body.user_email) || person.email;
      body.user_name = body.user_name || person.name || undefined;
      body.user_id = body.user_id || body.userId || person.id || undefined;
      item.email = person.key;
    }
    item.text = JSON.stringify(body);
    item.bytes = new TextEncoder().encode(item.text).length + RECORD_BYTES; // a Blob takes 0.5 ms
    unsaved.add(item);
  };

  const attributeWaiting = () => {
    const here = whoIsHere(); // a logout ends what identify() said
    const person = identified || here.person();
    const until = performance.now() + SLICE_MS;
    for (const item of queue) if (person && !item.email && !item.parts && performance.now() < until) attribute(item, parse(item.text), person);
    save();
  };

  // --- queue ---

  // Records of IndexedDB; else a small item of localStorage; else this array. # is no capture.
  let queue = [];
  const unsaved = new Set();
  const seen = new Set();
  let db;
  let small;
  let writing = 0;
  let loaded;

  const size = (items) => items.reduce((sum, item) => sum + item.bytes, 0);
  const waiting = () => queue.filter((item) => !item.aside);

  const save = () => {
    if (!active() || (!unsaved.size && !knownChanged)) return;
    const records = record();
    for (const item of unsaved) {
      const { parts, person, out, parked, ...kept } = item;
      records[item.id] = queue.includes(item) && kept;
    }
    unsaved.clear();
    if (knownChanged && db) records[known.id] = known;
    knownChanged = false;
    persist(records);
  };

  const persist = (records, then) => quietly(() => {
    if (small) quietly(() => persistSmall(records));
    if (!db) return;
    const transaction = db.transaction(NAME, 'readwrite');
    const shelf = transaction.objectStore(NAME);
    for (const [id, kept] of Object.entries(records)) kept ? shelf.put(kept) : shelf.delete(id);
    transaction.commit();
    writing++;
    transaction.oncomplete = () => {
      writing--;
      if (then) quietly(then);
    };
  });

  const readSmall = () => parse(getItem.call(localStorage, NAME));

  /** Only while four times as much is left: when full, the page's own setItem throws. */
  const persistSmall = (records) => {
    let room = SMALL;
    const kept = record(readSmall(), records);
    for (const id of Object.keys(kept)) if (!kept[id] || (room -= JSON.stringify(kept[id]).length) < 0) delete kept[id];
    const text = JSON.stringify(kept);
    removeItem.call(localStorage, NAME);
    for (const length of text !== '{}' ? [4 * SMALL, 0] : []) setItem.call(localStorage, NAME, text.padEnd(length));
  };

  const pause = (ms) => new Promise((over) => setTimeout(over, ms));
  const answered = (request) => new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = failed;
  });
  const readAll = async () => {
    const all = record(small && readSmall());
    const reading = db?.transaction(NAME);
    const records = reading?.objectStore(NAME).getAll();
    reading?.commit(); // else a page that goes loses what waits behind it
    for (const one of (records && await answered(records)) || []) all[one.id] = record(one);
    return all;
  };

  const load = async () => {
    const open = async () => {
      const request = indexedDB.open(NAME, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(NAME, record({ keyPath: 'id' }));
      db = await answered(request);
      db.onversionchange = () => {
        db.close();
        db = null;
      };
    };
    await Promise.race([open(), pause(OPEN_MS)]).catch(log);
    const left = quietly(readSmall);
    small = !db && left !== undefined;
    const all = await readAll();
    for (const name of Object.keys(may)) may[name] = may[name] && all['#off']?.[name] !== false;
    if (all['#off']) tell();
    if (db && left) { // of a page that went before its database was open
      persist(active() ? left : record(), () => removeItem.call(localStorage, NAME));
    }
    lookAround();
    const saved = all[known.id] || known;
    Object.assign(known, saved, {
      left: known.left.concat(saved.left),
      user: [].concat(saved.user),
      paid: record(saved.paid),
      dropped: record(saved.dropped),
    });
  };

  /** WebKitGTK's database may hang: what is in memory goes all the same. */
  const refresh = () => Promise.race([readNew(), pause(OPEN_MS)]).catch(log);

  const readNew = async () => {
    const all = await readAll();
    for (const item of queue) if (item.kept && !all[item.id]) forget(item, { success: true });
    const left = Object.values(all).filter((one) => one.kind && !seen.has(one.id));
    queue = left.map((one) => {
      const wait = Math.min(one.until - Date.now(), ACTION_MS);
      seen.add(one.id);
      return record(one, { tries: 0, kept: true, dueAt: one.until && performance.now() + wait });
    }).concat(queue);
  };

  const release = (item) => {
    if (item.until) unsaved.add(item);
    item.until = 0;
  };

  const forget = (item, answer) => {
    queue = queue.filter((other) => other !== item);
    unsaved.add(item);
    item.answer = answer;
  };

  const drop = (item, error) => {
    countDropped(item.kind);
    forget(item, { success: false, error });
  };

  const makeRoom = () => {
    while (queue.length > QUEUE_COUNT || size(queue) > QUEUE_BYTES) {
      const oldest = (kind) => queue.find((item) => item.aside || item.kind === kind);
      drop(KINDS.map(oldest).find(Boolean), 'no room');
    }
  };

  // --- delivery ---

  let gone = false;
  let busy = null;
  let quietUntil = 0; // Retry-After
  const queued = { success: false, queued: true };

  const due = () => {
    const held = new Set();
    return waiting().filter((item) => {
      const lane = item.kind + item.email;
      if (item.parked) return false;
      const at = Math.max(item.dueAt, quietUntil);
      if (item.email && !held.has(lane) && !item.out && !item.parts && at <= performance.now()) return true;
      held.add(lane);
    });
  };

  const pump = () => {
    if (gone || !loaded || !active()) return;
    attributeWaiting();
    finish(performance.now());
    if (due().length && !busy) {
      busy = exclusively(pass).catch(log).then(() => {
        busy = null;
        quietly(pump);
      });
    }
  };

  const pass = async () => {
    await refresh();
    for (let items; !gone && active() && (items = batchOf(due(), BATCH_BYTES)).length;) await deliver(items);
  };

  const batchOf = (items, most) => items.filter((item, index) => ((most -= item.bytes) > 0 && index < 100) || !index);

  const exclusively = async (work) => {
    if (db && navigator.locks) { // not on plain http
      const stop = new AbortController();
      setTimeout(() => stop.abort(), TIMEOUT_MS);
      return navigator.locks.request(NAME, record({ signal: stop.signal }), work).catch(work);
    }
    while (db) {
      const shelf = db.transaction(NAME, 'readwrite').objectStore(NAME);
      const lease = await answered(shelf.get('#lease'));
      if (!isWithin(TIMEOUT_MS, lease?.at)) {
        shelf.put({ id: '#lease', at: Date.now() });
        break;
      }
      await pause(QUIET_MS);
    }
    await work();
    persist(record({ '#lease': null }));
  };

  const hurry = () => queue.forEach((item) => item.tries && (item.dueAt = 0));

  const wake = async () => {
    hurry();
    await refresh();
    quietly(pump);
  };

  const leave = () => {
    small = small || !db || !loaded || writing;
    const maySend = loaded || quietly(() => !localStorage[OFF]);
    gone = true; // no lock from here on
    drain(true);
    if (!active()) return;
    finish(Infinity);
    queue.forEach(release);
    attributeWaiting();
    const rest = waiting().filter((item) => item.email && !item.parked && !item.out).sort((one, other) => one.bytes - other.bytes);
    if (rest.length && maySend) deliver(batchOf(rest, KEEPALIVE_BYTES - keepaliveBytes), true).catch(log);
  };

  const deliver = async (items, out) => {
    const [{ kind, text }, more] = items;
    const body = more ? '{"captures":[' + items.map((item) => '{"type":"' + item.kind + '",' + item.text.slice(1)) + ']}' : text;
    const bytes = size(items);
    const keepalive = (out || !courierWorks) && keepaliveBytes + bytes <= KEEPALIVE_BYTES;
    if (out && !keepalive) return;
    const held = keepalive && bytes;
    keepaliveBytes += held;
    items.forEach((item) => { item.out = keepalive; });
    const [status, said, retryAfter] = await request(more ? 'batch' : kind, record({ method: 'POST', body, keepalive }), bytes);
    keepaliveBytes -= held;
    const answer = quietly(() => JSON.parse(said));
    const wait = retryAfter * 1000 || Date.parse(retryAfter) - Date.now();
    if (wait > 0) quietUntil = performance.now() + Math.min(wait, RETRY_AFTER_MS);
    items.forEach((item, index) => {
      item.out = false;
      const one = more && own(answer, 'answers') && (own(answer.answers, index) || record());
      if (queue.includes(item)) judge(item, one ? own(one, 'status') : status, more ? one : answer);
    });
    save();
  };

  const judge = (item, status, answer) => {
    log(item.kind, status);
    const refusal = { error: 'HTTP ' + status, ...(isRecord(answer) && answer), success: false };
    const why = { capture_id: item.id, kind: item.kind, status, reason: refusal.error };
    if (status < 300 && own(answer, 'success') === true) {
      forget(item, answer);
      hurry();
    } else if (!isWithin(7 * DAY_MS, item.at)) drop(item, 'old');
    else if (/400|413|422/.test(status)) {
      item.aside = why;
      unsaved.add(item);
      item.answer = refusal;
    } else if (/^4(?!08|25|29)/.test(status)) {
      item.parked = why;
      item.answer = { ...refusal, ...queued };
    } else {
      release(item);
      item.dueAt = performance.now() + Math.random() * Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** item.tries++);
    }
  };

  // --- network ---

  let keepaliveBytes = 0;

  /**
   * Where the script came from, if its Server-Timing names a capture service (WebKitGTK tells none); else what the tag says; else
   * where it came from, if not from the page's host; else port 5003 of that.
   */
  const locate = () => {
    const isService = JSON.stringify(performance.getEntriesByName(source)).includes('"' + NAME);
    const port = location.hostname ? location.protocol + '//' + location.hostname + ':5003' : 'http://127.0.0.1:5003';
    const near = isService || (isOwnFile && !isNear) ? new URL('.', source) : port;
    return (!isService && webAddress(config.endpoint)) || webAddress(near) || port;
  };

  /** http(s) alone, without credentials. A <base> of another origin is not the page's. */
  const webAddress = (given) => {
    const base = quietly(() => new URL(baseAddress()).origin) === location.origin ? baseAddress() : location.href;
    const { protocol, origin, pathname } = quietly(() => given && new URL(given, base)) || record();
    return /^https?:$/.test(protocol) ? withoutSlashes(origin + pathname) : '';
  };

  async function exchange(send, url, options) {
    try {
      const response = await send(url, options);
      const text = await response.text();
      return [response.status, text, response.headers.get('Retry-After')];
    } catch (_) { /* unreachable, blocked or given up */ }
    return [0];
  }

  // Of a failed request browsers print an error in a page's console, not in a worker's. So requests are a worker's where none
  // can be forbidden: on the page's own origin, and from disk. It does not outlive the page.
  let courierWorks = isNear || /^file/.test(location);
  const underWay = new Set();
  const hangUp = () => underWay.forEach((stop) => stop.abort());

  const request = async (path, options, bytes = 0) => {
    const url = locate() + '/api/data-capture/' + path;
    options = record({
      credentials: 'omit',
      redirect: 'error',
      referrerPolicy: 'no-referrer', // an address may hold secrets
    }, options);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), TIMEOUT_MS + bytes / UPLINK_BYTES_PER_MS);
    underWay.add(stop);
    let courier;
    const answer = await new Promise((settle) => {
      const direct = () => exchange(fetch, url, record(options, { signal: stop.signal })).then(settle);
      stop.signal.onabort = () => settle([0]); // a page that was frozen in Firefox
      if (!courierWorks || options.keepalive) return direct();
      const code = 'data:,' + encodeURIComponent('onmessage=async({data})=>postMessage(await(' + exchange + ')(fetch,...data))');
      courier = new Worker(isNear ? source : code, record({ name: NAME }));
      courier.onmessage = ({ data }) => settle(data);
      courier.onerror = (event) => {
        event.preventDefault();
        courierWorks = false;
        direct();
      };
      courier.postMessage([url, options]);
    }).catch(() => [courierWorks = 0]);
    courier?.terminate();
    underWay.delete(stop);
    return answer;
  };

  // --- API ---

  const captures = (kind) => async (...args) => {
    if (!active()) throw Error('off');
    const one = signal(readRule({ kind }), API, '', ...snapshot(kind, args));
    await ready;
    drain(true);
    while (busy) await busy;
    return one.answer || one.item.answer || queued;
  };

  const untap = () => undo.splice(0).forEach(quietly);

  const tell = () => quietly(() => {
    if (active()) delete localStorage[OFF];
    else localStorage[OFF] = 1;
  });

  /** Off at once; on, when it is known what an earlier page was told. */
  const turn = async (name, wanted) => {
    may[name] = may[name] && wanted;
    await ready;
    may[name] = Boolean(wanted);
    if (active()) start();
    else untap();
    persist(record({ '#off': record(may, { id: '#off' }) }));
    tell();
    await wake();
    return may[name];
  };

  const api = {
    capturePaymentData: captures('payment'),
    captureQuestionnaireData: captures('questionnaire'),
    captureDashboardData: captures('dashboard'),
    captureTradingActivity: captures('activity'),

    identify: async (user) => {
      const person = personIn(user);
      if (user && !person) throw Error('no email');
      identified = person;
      hereNow = null;
      await wake();
    },

    setEnabled: async (wanted) => ({ enabled: await turn('enabled', wanted) }),

    consent: async (given) => {
      if (!given) {
        may.consent = false;
        hangUp();
        await ready;
        const all = await readAll();
        for (const item of queue) drop(item, 'no consent');
        signals.clear();
        rewritten.clear();
        forgetAll();
        for (const id of Object.keys(all)) all[id] = null;
        persist(all);
      }
      await turn('consent', given);
    },

    flush: async () => {
      await ready;
      drain(true);
      finish(Infinity);
      await wake();
      while (busy) await busy;
      return waiting().length ? { ...queued, waiting: waiting().length } : {};
    },

    status: async () => {
      await ready;
      const list = (state) => queue.map((item) => item[state]).filter(Boolean);
      return {
        ...may,
        endpoint: locate(),
        storage: db ? 'indexedDB' : small ? 'localStorage' : 'memory',
        waiting: waiting().length,
        unattributed: queue.filter((item) => !item.email).length,
        parked: list('parked'),
        setAside: list('aside'),
        dropped: { ...known.dropped },
      };
    },

    healthCheck: async () => {
      const [, health] = await request('health');
      return quietly(() => JSON.parse(health)) || { success: false, status: 'unreachable' };
    },

    uninstall: async () => {
      leave();
      may.enabled = false;
      untap();
      db?.close();
      delete window.enhancedDataCapture;
    },
  };
  for (const [name, work] of Object.entries(api)) {
    api[name] = async (...args) => {
      try {
        return { success: true, ...await work(...args) };
      } catch (reason) {
        log(reason);
        return { success: false, error: messageOf(reason) };
      }
    };
  }
  api.version = '0.1.0';
  const value = Object.freeze(api);
  Object.defineProperty(window, 'enhancedDataCapture', record({ value, writable: true, enumerable: true, configurable: true }));

  // --- start ---

  const start = () => {
    if (undo.length) return;
    const listen = (types, handle, target = window) => types.split(' ').forEach((type) => {
      const listener = (event) => quietly(() => handle(event));
      addEventListener.call(target, type, listener, true);
      undo.push(() => removeEventListener.call(target, type, listener, true));
    });
    tapAll();

    const observer = new MutationObserver(look);
    observer.observe(document, record({ childList: true, subtree: true }));
    listen('DOMContentLoaded click submit', look);
    listen('load', look, document); // of a script, which the window does not hear
    listen('submit', (event) => active() && submitted(event.target));

    const poll = () => {
      look();
      hereNow = null;
      pump();
    };
    const timer = setInterval(quietly, POLL_MS, poll);
    undo.push(() => observer.disconnect(), () => clearInterval(timer));

    // unload would cost the page its back/forward cache.
    listen('pagehide', () => {
      if (courierWorks) hangUp(); // a worker would, too
      leave();
    });
    listen('pageshow', ({ persisted }) => {
      gone = false;
      if (persisted) hangUp();
      wake();
    });
    listen('online visibilitychange', wake);
  };

  if (may.enabled) start();
  later(() => active() && lookAround()); // the first touch reads from disk
  const ready = load().catch(log).then(() => {
    loaded = true;
    if (!may.enabled) untap();
    hereNow = null;
    drain();
    return wake();
  }).catch(log);
})();
