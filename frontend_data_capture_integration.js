/*
 * Enhanced Data Capture: a second copy of what a page saves, without a change to the page.
 * First in <head>, without async or defer, or imported before all else.
 * Settings and API: see the .d.ts. Nothing in here may be felt by the page.
 */
(() => {
  'use strict';

  // Numbers come first: a minifier puts them where they are used.
  const QUIET_MS = 1000;
  const ACTION_MS = 5000;
  const REPEAT_MS = 10000; // the same again is no new save
  const SLICE_MS = 25; // at a time; 50 is a long task
  const REWRITE_MS = 200; // for a rewritten key
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
  const RECORD_BYTES = 40; // what a capture takes beside its text
  const SMALL = 60000; // characters
  const LONGEST_TEXT = 100000;
  const SOON = -1;
  const API = 0; // the richest source first
  const CALL = 1;
  const REQUEST = 2;
  const KEY = 3;
  const FORM = 4;

  const NAME = 'enhanced-data-capture';
  const OFF = NAME + '-off';

  const { window, fetch } = globalThis;
  if (!window && globalThis.name === NAME) onmessage = async ({ data }) => postMessage(await exchange(fetch, ...data)); // a courier
  if (!window?.fetch || window.enhancedDataCapture) return;

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

  const tag = document.currentScript || document.querySelector('script[src*=data_capture_integration]');
  const config = { ...tag?.dataset, ...window.enhancedDataCaptureConfig };
  const source = String(tag?.src);
  const isOwnFile = /^http.*data_capture_integration/.test(source);
  const isNear = isOwnFile && source.startsWith(location.origin + '/');
  const log = /^(|1|true)$/.test(config.debug)
    ? console.debug.bind(console, '[' + NAME + ']') // nothing captured
    : () => {};
  const listed = (words) => String(words).toLowerCase().split(/[\s,]+/);
  const placeholders = listed(['unknown@example.com', config.placeholders]);
  const added = quietly(() => JSON.parse(config.rules || null)) || config.rules || [];
  const rules = RULES.concat(added).filter((rule) => !listed(config.without).includes(rule.name || rule.kind));
  const may = { enabled: String(config.enabled) !== 'false', consent: config.consent !== 'required' };
  const active = () => may.enabled && may.consent;

  function quietly(work) {
    try {
      return work();
    } catch (reason) {
      return log(reason);
    }
  }

  const later = (work, ms) => setTimeout(() => quietly(work), ms);

  // --- signals ---

  const wrappers = new Map();
  const undo = [];
  let running;

  /**
   * How this script puts itself before a function: a Proxy keeps `this`, length, name, own properties and the AsyncFunction
   * type. Arguments are read before the call, since pages change them. The result is never touched: a Supabase query
   * sends a request for each `.then`, and a `.then` on a rejected promise hides its unhandledrejection.
   */
  const install = (owner, name, kind, observe) => quietly(() => { // an uninitialised `let` throws
    const original = owner[name];
    if (typeof original !== 'function' || wrappers.has(original)) return;
    const wrapper = new Proxy(original, {
      apply(target, self, args) {
        const outer = running;
        running = wrapper;
        try {
          // One save may pass two wrappers, when the page wraps ours.
          if (active() && (outer === wrapper || wrappers.get(outer) !== kind)) quietly(() => observe(args, self));
          return Reflect.apply(target, self, args);
        } finally {
          running = outer;
        }
      },
    });
    wrappers.set(wrapper, kind);
    owner[name] = wrapper;
    undo.push(() => owner[name] === wrapper && (owner[name] = original));
  });

  // A bare name reaches a top-level `let`; for `const`, and where there is none, strict mode throws.
  const BARE = {
    get savePaymentToSupabase() { return typeof savePaymentToSupabase === 'function' && savePaymentToSupabase; },
    set savePaymentToSupabase(f) { savePaymentToSupabase = f; },
    get storeQuestionnaireData() { return typeof storeQuestionnaireData === 'function' && storeQuestionnaireData; },
    set storeQuestionnaireData(f) { storeQuestionnaireData = f; },
    get saveDashboardToSupabase() { return typeof saveDashboardToSupabase === 'function' && saveDashboardToSupabase; },
    set saveDashboardToSupabase(f) { saveDashboardToSupabase = f; },
  };

  /** Wraps what is there by now. A trap under a name that is not there yet would break `if (!('name' in window))`. */
  const look = () => rules.forEach((rule) => {
    const { call, kind } = rule;
    const own = Object.getOwnPropertyDescriptor(window, call);
    if (!own || 'value' in own) {
      install(own ? window : BARE, call, kind, (args) => signal(rule, CALL, call, ...snapshot(kind, args)));
    }
  });

  const tapAll = () => {
    const tap = (owner, name, observe) => install(owner, name, name, observe);
    const opened = new WeakMap();
    tap(window, 'fetch', ([input, init]) => {
      const { body, method } = init || {};
      sent(body || (input.clone && input), method || input.method, input.url || input);
    });
    tap(XMLHttpRequest.prototype, 'open', (args, xhr) => opened.set(xhr, args));
    tap(XMLHttpRequest.prototype, 'send', ([body], xhr) => sent(body, ...opened.get(xhr)));
    tap(Navigator.prototype, 'sendBeacon', ([url, body]) => sent(body, 'POST', url));
    for (const name of 'setItem removeItem clear'.split(' ')) tap(Storage.prototype, name, (args) => written(...args));
    tap(HTMLFormElement.prototype, 'submit', (_, form) => submitted(form));
    look();
  };

  const ruleFor = (type, text) => rules.find((rule) => rule[type] && new RegExp(rule[type], 'i').test(text));

  const sent = (body, method, url) => {
    if (!body || !/^(post|put|patch)$/i.test(method)) return;
    const { origin, pathname } = new URL(url, document.baseURI);
    const path = decodeURIComponent(origin + pathname).replace(/\/+$/, '');
    const rule = !NEVER.test(pathname) && ruleFor('url', path);
    if (!rule) return;
    const then = now();
    const note = (text) => quietly(() => signal(rule, REQUEST, path, text, then));
    if (body instanceof FormData) note(fields(body));
    else if (body.text) (body.clone?.() || body).text().then(note, log);
    else note(String(body));
  };

  const written = (key, value) => {
    const rule = /^\s*[[{]/.test(value) && ruleFor('key', key);
    if (rule) signal(rule, KEY, key, String(value), { user: new RegExp(rule.key, 'i').exec(key)[1] });
    else hereNow = null;
  };

  const submitted = (form) => {
    const opening = form.cloneNode().outerHTML; // a field named "id" would hide its own
    const rule = !NEVER.test(opening) && ruleFor('form', opening);
    // Without what the browser masks, and what is not chosen.
    const inputs = form.querySelectorAll('input:not([type=password],[type=submit],[autocomplete^=cc-],' +
      '[type=radio]:not(:checked),[type=checkbox]:not(:checked)),select,textarea');
    if (rule) signal(rule, FORM, 'form', fields([...inputs].map((input) => [input.name, input.value])));
  };

  const fields = (entries) => {
    const form = {};
    for (const [name, value] of entries) if (name) {
      const text = value.name || value; // a file is its name
      form[name] = form[name] ? [].concat(form[name], text) : text;
    }
    return JSON.stringify(form);
  };

  /** What a call is about at this moment, as JSON text (faster than structuredClone), and a dashboard's `user`. */
  const snapshot = (kind, [first, second, theme, user]) => {
    let payload = first;
    if (kind === 'dashboard') payload = (first || second) && { dashboardData: first, tradingState: second, theme };
    if (kind === 'activity') payload = { activity_type: first, activity_data: second };
    const text = JSON.stringify(payload);
    if (!/^{/.test(text)) throw Error('no object');
    return [text, { user: kind === 'dashboard' && user }];
  };

  let signals = [];
  let draining;
  let drainedAt = -REWRITE_MS;
  const now = () => ({ at: Date.now(), by: whoIsHere() });

  /** Who and when are those of the signal. The rest waits for the microtask after it, when no navigation has begun yet. */
  const signal = (rule, rank, from, text, more) => {
    const one = { rule, rank, from, text, ...now(), ...more };
    const before = rank === KEY && signals.find((other) => other.from === from && other.by === one.by);
    if (before) { // nobody came or went: the latest text is what counts
      before.text = text;
      return;
    }
    signals.push(one);
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
    for (let one; (all || performance.now() < drainedAt + SLICE_MS) && (one = signals.shift());) {
      try {
        if (active()) act(one);
      } catch (reason) {
        log(reason);
        one.answer = { success: false, error: reason.message };
      }
    }
    if (signals.length) draining = later(drain);
    save();
    pump();
  };

  // --- one action ---

  // Grows while the action lasts, in the queue already; without `parts`, its text never changes again.
  let known;
  let knownChanged;
  let said;
  const forgetAll = () => {
    said = {};
    known = { id: '#known', paid: {}, left: [], user: [], dropped: {} };
  };
  forgetAll();

  const plain = (key) => key.toLowerCase().replace(/[\W_]/g, '');
  const isEmpty = (value) => (value ?? '') === '';
  const isRecord = (value) => value?.constructor === Object;

  const gist = (body) => JSON.stringify(body, (key, value) =>
    (VOLATILE.test(plain(key)) || /^NON-CRYPTO-/.test(value) ? undefined : value));

  /** Both together; of what both say, the richer's. */
  const union = (richer, poorer) => {
    const whole = { ...richer };
    const names = {};
    for (const key in richer) names[plain(key)] = key;
    for (const key in poorer) {
      const value = poorer[key];
      const own = names[plain(key)] || key;
      if (isEmpty(whole[own])) whole[own] = value;
      else if (isRecord(whole[own]) && isRecord(value)) whole[own] = union(whole[own], value);
    }
    return whole;
  };

  /** The same person and payment, and its source does not contradict itself. */
  const belongs = (part, item) => {
    const before = item.parts.find((other) => other.from === part.from);
    if (['kind', 'own', 'number'].some((name) => part[name] && item[name] && part[name] !== item[name])) return false;
    if (!before) return true;
    if (part.rank >= KEY) return !part.ids[0] || !before.ids[0] || part.ids.some((id) => before.ids.includes(id));
    const [one, other] = [part, before].map(({ text }) => text.slice(0, -1) + ','); // what a page adds, it adds at the end
    return one.startsWith(other) || other.startsWith(one);
  };

  /** The same from the same source; for a dashboard however long ago. */
  const isRepeat = ({ kind, from, text, person }) => {
    const key = kind + from + person?.key;
    const last = said[key];
    said[key] = { text, at: Date.now() };
    return last?.text === text && (kind === 'dashboard' || isWithin(REPEAT_MS, last.at));
  };

  const isWithin = (most, at) => Math.abs(Date.now() - at) < most; // clocks are set back

  const act = (seen) => {
    const { rule, rank } = seen;
    const payload = masked(/^\s*[[{]/.test(seen.text) ? seen.text : fields(new URLSearchParams(seen.text)));
    for (const one of [].concat(payload)) {
      let body = {};
      for (const key in one) body[{ type: 'payload_type', ...rule.as }[key] || key] = one[key];
      if (rule.under) body = { [rule.under]: body };
      const person = personOf(body, seen.user, [seen.by.told, seen.by.person()]);
      // What the logout itself writes is nobody's.
      if (rule.kind === 'dashboard' && known.left.length && (!person || known.left.includes(person.key))) {
        throw Error('signed out');
      }
      const text = gist(body);
      const all = (name) => [...text.matchAll(new RegExp('"' + name + '":"?(?!null)([^",}]+)', 'gi'))].map((found) => found[1]);
      const ids = all('(?:transaction|payment|order)_?id');
      const [number] = all('transaction_?id');
      const [status = ''] = rank < KEY ? all('(?:payment_?)?status') : '';
      if (rank >= REQUEST && text === '{}') continue;
      join({ ...seen, seen, kind: rule.kind, body, text, person, own: person?.own && person.key, ids, number, status });
    }
  };

  const paidAs = ({ ids, status }) => ids.map((number) => number + status);

  const join = (part) => {
    const { kind, rank, person, at } = part;
    if (rank && isRepeat(part)) return;
    let item = queue.findLast((open) => open.parts && belongs(part, open));
    if (!item && rank && kind === 'payment' && paidAs(part).some((number) => isWithin(DAY_MS, known.paid[number]))) return;
    if (!item) {
      // The id is in the order of time, so that the service adds receipts where the last one is.
      const id = 'c' + Date.now().toString(36) + crypto.getRandomValues(new Uint32Array(3)).join('');
      item = { id, kind, email: '', at, until: at + ACTION_MS, limit: performance.now() + ACTION_MS, parts: [], tries: 0 };
      queue.push(item);
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
    attribute(item, { ...whole, capture_id: item.id, capture_timestamp: new Date(item.at).toISOString() }, item.person);
    makeRoom();
    if (rank) return;
    part.seen.item = item;
    finish(0, kind);
  };

  const finish = (by, kind) => {
    for (const item of queue) if (item.parts && (item.dueAt <= by || item.kind === kind)) {
      for (const part of item.kind === 'payment' ? item.parts : []) {
        for (const number of paidAs(part).concat(part.ids)) known.paid[number] = Date.now();
        knownChanged = true;
      }
      item.parts = null;
      item.dueAt = 0;
    }
    if (knownChanged) known.paid = Object.fromEntries(Object.entries(known.paid).slice(-200));
  };

  // --- privacy ---

  const WORDS = 'pass(word|wd|phrase|code)|pwd|cvv|cvc|security.?code|card.?number|token|secret|' +
    '(api|access|secret|private).?key|(seed|recovery).?phrase|mnemonic|authorization';
  // How a key ends: accessToken, API_KEY, "card number".
  const SECRET = new RegExp('(' + WORDS + ')$|^((card)?pin|pass|jwt)$');
  const SECRET_IN_TEXT = new RegExp('((?:' + WORDS + ')["\']?\\s*[=:]\\s*)["\']?[^\\s&,;"\'}]+', 'gi');
  const CARD = /\+?\b((\d{4}[ -]?){3}\d{4}|\d{4}[ -]?\d{6}[ -]?\d{4,5}|\d{13,19})\b/g; // with a plus it is a phone's
  const WEB_TOKEN = /eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g;

  /** JSON without the secrets in it: they neither leave the page nor are kept. */
  const masked = (json) => JSON.parse(json, (key, value) => {
    if (isEmpty(value) || typeof value === 'boolean') return value; // "showPassword": false
    if (SECRET.test(plain(key))) return '[redacted]';
    if (typeof value === 'object') return value;
    const text = maskText(String(value));
    return text === String(value) ? value : text;
  });

  const maskText = (text) => {
    if (/^\s*[[{]/.test(text)) {
      try {
        const inner = JSON.stringify(masked(text));
        return /\[(redacted|card )/.test(inner) ? inner : text;
      } catch (_) { /* braces, but no JSON */ }
    }
    if (text.length > LONGEST_TEXT) return text;
    return text.replace(CARD, maskCard).replace(WEB_TOKEN, '[redacted]').replace(SECRET_IN_TEXT, '$1[redacted]');
  };

  /** Luhn's test (ISO/IEC 7812-1): every second digit from the right counts twice. */
  const maskCard = (text) => {
    const digits = text.replace(/\D/g, '');
    const sum = [...digits].reduceRight((total, digit, index) =>
      total + +((digits.length - index) % 2 ? digit : '0246813579'[digit]), 0);
    return sum % 10 || !/^[2-6]/.test(text) ? text : '[card ****' + digits.slice(-4) + ']';
  };

  // --- identity ---

  // The payload's own address, the call's `user`, the key; identify(); who is signed in; what is remembered. Sites leave copies
  // behind at logout: those who were signed in, and whom the copies named then, count no more, here or on the next page,
  // until they are signed in again. What is known to outlive a logout counts only when it names one.
  let identified;
  let hereNow; // who was found, and where, until something of that changes

  const address = (text) => {
    const email = String(text).trim();
    return /^[^\s@]+@[^\s@]+$/.test(email) && !placeholders.includes(email.toLowerCase()) ? email : '';
  };

  /** Address, name and id of a user's record alone. */
  const personIn = (record) => {
    if (typeof record === 'string') record = { email: record };
    const find = (keys, read) => keys.split(' ').map((key) => read(record?.[key])).find(Boolean);
    const words = (value) => value?.trim?.();
    const email = find('user_email userEmail email', address);
    if (!email) return record?.user && !record.user.user && personIn(record.user);
    return {
      email,
      key: email.toLowerCase(),
      name: find('name fullName full_name user_name userName username', words),
      id: find('id user_id', (id) => /^[\w-]{1,36}$/.test(id) && id),
    };
  };

  /** Whose capture it is; `own` if it says so itself. Name and id are from wherever the address is the same. */
  const personOf = (body, argument, around) => {
    const inside = ['userData', 'user', 'userProfile', 'dashboardData', 'tradingState'].flatMap((key) =>
      [body[key], body[key]?.userProfile, body[key]?.userData]);
    const said = [{ ...body, name: '', id: '', user: null }, ...inside, argument].map(personIn).filter(Boolean);
    const all = said.concat(around).filter(Boolean);
    return all[0] && { ...all.filter(({ key }) => key === all[0].key).reduce(union), own: said.length };
  };

  const stored = (area, ...keys) => keys.map((key) => quietly(() => { // blocked storage throws
    const text = getItem.call(window[area], key);
    return personIn(/^\s*[[{"]/.test(text) ? JSON.parse(text) : text);
  })).filter(Boolean);

  const whoIsHere = () => {
    const text = quietly(() => getItem.call(localStorage, 'current_user'));
    const user = window.currentUser;
    if (!hereNow || hereNow.text !== text || hereNow.user !== user) {
      hereNow = { text, user, person: lookAround(), told: identified };
    }
    return hereNow;
  };

  /** Finds who is signed in, and takes note of who is not any more. Which others count is asked later: the database knows whom
   *  an earlier page saw leave. */
  const lookAround = () => {
    const session = quietly(() => Object.keys(localStorage).find((name) => /^sb-.+-auth-token$/.test(name)));
    const [present] = stored('localStorage', 'current_user', session);
    const kept = stored('localStorage', 'userData', 'currentUser').concat(
      stored('sessionStorage', 'currentUser'), quietly(() => personIn(window.currentUser)) || []);
    const left = stored('localStorage', 'user_data').concat(stored('sessionStorage', 'userData'));
    const before = known.user;
    if (before[0] && before[0] !== present?.key) {
      known.left = known.left.concat(before).slice(-50);
      if (identified?.key === before[0]) identified = null;
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

  /** The payload's own keys stay, unless the address is a placeholder. */
  const attribute = (item, body, person) => {
    if (person) {
      body.user_email = address(body.user_email) || person.email;
      body.user_name = body.user_name || person.name || undefined;
      body.user_id = body.user_id || body.userId || person.id || undefined;
      item.email = person.key;
    }
    item.text = JSON.stringify(body);
    item.bytes = new Blob([item.text]).size + RECORD_BYTES;
    unsaved.add(item);
  };

  const attributeWaiting = () => {
    const here = whoIsHere(); // a logout ends what identify() said
    const person = identified || here.person();
    for (const item of queue) if (person && !item.email && !item.parts) attribute(item, JSON.parse(item.text), person);
    save();
  };

  // --- queue ---

  // A record of IndexedDB for each, until it is confirmed; else a small item of localStorage; else this array. # is no capture.
  let queue = [];
  const unsaved = new Set();
  const seen = new Set();
  let db;
  let small;
  let writing = 0;
  let loaded;

  const size = (items) => items.reduce((sum, item) => sum + item.bytes, 0);
  const waiting = () => queue.filter((item) => !item.aside);

  /** Not awaited: a navigation would lose it. */
  const save = () => {
    if (!active() || (!unsaved.size && !knownChanged)) return;
    const records = {};
    for (const item of unsaved) {
      const { parts, person, out, parked, ...record } = item;
      records[item.id] = queue.includes(item) && record;
    }
    unsaved.clear();
    if (knownChanged && db) records[known.id] = known;
    knownChanged = false;
    persist(records);
  };

  /** By their ids; nothing in the place of a record deletes it. `then` comes when they are there. */
  const persist = (records, then) => quietly(() => {
    if (small) quietly(() => persistSmall(records));
    if (!db) return;
    const transaction = db.transaction(NAME, 'readwrite');
    const shelf = transaction.objectStore(NAME);
    for (const id in records) records[id] ? shelf.put(records[id]) : shelf.delete(id);
    transaction.commit();
    writing++;
    transaction.oncomplete = () => {
      writing--;
      if (then) quietly(then);
    };
  });

  const readSmall = () => JSON.parse(getItem.call(localStorage, NAME));

  /** Only while the page has four times as much left: when full, its own setItem throws. */
  const persistSmall = (records) => {
    let room = SMALL;
    const kept = { ...readSmall(), ...records };
    for (const id in kept) if (!kept[id] || (room -= JSON.stringify(kept[id]).length) < 0) delete kept[id];
    const text = JSON.stringify(kept);
    removeItem.call(localStorage, NAME);
    for (const length of text[2] ? [4 * SMALL, 0] : []) setItem.call(localStorage, NAME, text.padEnd(length));
  };

  const pause = (ms) => new Promise((over) => setTimeout(over, ms));
  const answered = (request) => new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = failed;
  });
  const readAll = async () => {
    const all = (small && readSmall()) || {};
    const reading = db?.transaction(NAME);
    const records = reading?.objectStore(NAME).getAll();
    reading?.commit(); // else a page that goes now takes with it what waits behind this to be written
    for (const record of (records && await answered(records)) || []) all[record.id] = record;
    return all;
  };

  const load = async () => {
    const open = async () => {
      const request = indexedDB.open(NAME, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(NAME, { keyPath: 'id' });
      db = await answered(request);
      db.onversionchange = () => { // the page deletes it
        db.close();
        db = null;
      };
    };
    await Promise.race([open(), pause(OPEN_MS)]).catch(log);
    const left = quietly(readSmall);
    small = !db && left !== undefined; // storage that is blocked throws
    const all = await readAll();
    for (const name in may) may[name] = may[name] && all['#off']?.[name] !== false;
    if (all['#off']) tell();
    if (db && left) { // by a page that went before its database was open; this one may go before they are there
      persist(active() ? left : {}, () => removeItem.call(localStorage, NAME));
    }
    lookAround();
    const saved = all[known.id] || known;
    Object.assign(known, saved, { left: known.left.concat(saved.left) });
  };

  /** In WebKitGTK a page's database may hang after another page: what is in memory goes all the same. */
  const refresh = () => Promise.race([readNew(), pause(OPEN_MS)]).catch(log);

  const readNew = async () => {
    const all = await readAll();
    for (const item of queue) if (item.kept && !all[item.id]) forget(item, { success: true });
    const left = Object.values(all).filter((record) => record.kind && !seen.has(record.id));
    queue = left.map((record) => {
      const wait = Math.min(record.until - Date.now(), ACTION_MS); // its page may send it
      seen.add(record.id);
      return { ...record, tries: 0, kept: true, dueAt: record.until && performance.now() + wait };
    }).concat(queue);
  };

  /** Its page does not keep it for itself any longer. */
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
    known.dropped[item.kind] = (known.dropped[item.kind] || 0) + 1;
    knownChanged = true;
    forget(item, { success: false, error });
  };

  const makeRoom = () => {
    while (queue.length > QUEUE_COUNT || size(queue) > QUEUE_BYTES) {
      const oldest = (kind) => queue.find((item) => item.aside || item.kind === kind);
      drop(['dashboard', 'activity', 'questionnaire', 'payment'].map(oldest).find(Boolean), 'no room');
    }
  };

  // --- delivery ---

  let gone = false; // to return, perhaps
  let busy = null;
  let quietUntil = 0; // Retry-After is for all, a failure for its captures
  const queued = { success: false, queued: true };

  /** Each person's captures of a kind in order. */
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

  /** One page sends at a time; where two do, receipts make it harmless. */
  const exclusively = async (work) => {
    if (db && navigator.locks) { // not on plain http
      const stop = new AbortController();
      setTimeout(() => stop.abort(), TIMEOUT_MS); // a frozen page may hold it
      return navigator.locks.request(NAME, stop, work).catch(work); // for its signal
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
    persist({ '#lease': null });
  };

  /** Backoff is over; what Retry-After asked for still holds. */
  const hurry = () => queue.forEach((item) => item.tries && (item.dueAt = 0));

  const wake = async () => {
    hurry();
    await refresh();
    quietly(pump);
  };

  const leave = () => {
    small = small || !db || !loaded || writing; // what the database has not confirmed may be lost
    const maySend = loaded || quietly(() => !localStorage[OFF]);
    gone = true; // no lock from here on
    drain(true);
    if (!active()) return;
    finish(Infinity);
    queue.forEach(release);
    attributeWaiting();
    const rest = waiting().filter((item) => item.email && !item.parked && !item.out).sort((one, other) => one.bytes - other.bytes);
    if (rest[0] && maySend) deliver(batchOf(rest, KEEPALIVE_BYTES - keepaliveBytes), true).catch(log);
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
    const [status, said, retryAfter] = await request(more ? 'batch' : kind, { method: 'POST', body, keepalive }, bytes);
    keepaliveBytes -= held;
    const answer = quietly(() => JSON.parse(said)); // or not the service's
    const wait = retryAfter * 1000 || Date.parse(retryAfter) - Date.now();
    if (wait > 0) quietUntil = performance.now() + Math.min(wait, RETRY_AFTER_MS);
    items.forEach((item, index) => {
      item.out = false;
      const own = more && answer?.answers && (answer.answers[index] || {});
      if (queue.includes(item)) judge(item, own ? own.status : status, own || answer);
    });
    save();
  };

  /** Confirmed, refused (set aside), not allowed (parked), or to be sent again. */
  const judge = (item, status, answer) => {
    log(item.kind, status);
    const refusal = { error: 'HTTP ' + status, ...answer, success: false };
    const why = { capture_id: item.id, kind: item.kind, status, reason: refusal.error };
    if (status < 300 && answer?.success === true) {
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
   * Where this script came from, if its Server-Timing says that a capture service is there; else what the tag says; else where
   * it came from, if not from the page's own host; else port 5003 of the page's host. WebKitGTK tells no Server-Timing: a service
   * on the page's own host has to be named by the tag there.
   */
  const locate = () => {
    const isService = JSON.stringify(performance.getEntriesByName(source)).includes('"' + NAME);
    const port = (location.hostname ? '//' + location.hostname : 'http://127.0.0.1') + ':5003';
    const own = isService || (isOwnFile && !isNear) ? new URL('.', source) : port;
    return new URL((!isService && config.endpoint) || own, document.baseURI).href.replace(/\/+$/, '');
  };

  async function exchange(send, url, options) {
    try {
      const response = await send(url, options);
      const text = await response.text(); // an answer cut short is none
      return [response.status, text, response.headers.get('Retry-After')];
    } catch (_) { /* unreachable, blocked or given up */ }
    return [0];
  }

  // For a request that finds nobody browsers print an error in a page's console, in a worker's they do not. So requests are a
  // worker's where none can be forbidden: on the page's own origin, and in a page from disk. It does not outlive the page.
  let courierWorks = isNear || /^file/.test(location);
  const underWay = new Set();
  const hangUp = () => underWay.forEach((stop) => stop.abort());

  const request = async (path, options, bytes = 0) => {
    const url = locate() + '/api/data-capture/' + path;
    options = {
      credentials: 'omit',
      redirect: 'error',
      referrerPolicy: 'no-referrer', // an address may hold secrets
      ...options,
    };
    const stop = new AbortController();
    setTimeout(() => stop.abort(), TIMEOUT_MS + bytes / UPLINK_BYTES_PER_MS);
    underWay.add(stop);
    let courier;
    const answer = await new Promise((settle) => {
      const direct = () => exchange(fetch, url, { ...options, signal: stop.signal }).then(settle);
      stop.signal.onabort = () => settle([0]); // in Firefox a page that was frozen hears nothing of its requests
      if (!courierWorks || options.keepalive) return direct();
      const code = 'data:,' + encodeURIComponent('onmessage=async({data})=>postMessage(await(' + exchange + ')(fetch,...data))');
      courier = new Worker(isNear ? source : code, { name: NAME });
      courier.onmessage = ({ data }) => settle(data);
      courier.onerror = (event) => {
        event.preventDefault(); // the page's error else
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
    const one = signal({ kind }, API, '', ...snapshot(kind, args));
    await ready;
    drain(true);
    while (busy) await busy;
    return one.answer || one.item.answer || queued;
  };

  const untap = () => undo.splice(0).forEach(quietly);

  /** For a page that goes before its database is open; pages clear localStorage. */
  const tell = () => quietly(() => {
    if (active()) delete localStorage[OFF];
    else localStorage[OFF] = 1;
  });

  /** Off it is at once; on, when it is known what an earlier page was told. */
  const turn = async (name, wanted) => {
    may[name] = may[name] && wanted;
    await ready;
    may[name] = Boolean(wanted);
    if (active()) start();
    else untap(); // the page has its functions back
    persist({ '#off': { ...may, id: '#off' } });
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
        signals = [];
        forgetAll();
        for (const id in all) all[id] = null;
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
        return { success: false, error: reason?.message || 'unusable' };
      }
    };
  }
  api.version = '0.1.0';
  window.enhancedDataCapture = Object.freeze(api);

  // --- start ---

  const start = () => {
    if (undo.length) return;
    const listen = (types, handle, target = window) => types.split(' ').forEach((type) => {
      const listener = (event) => quietly(() => handle(event));
      target.addEventListener(type, listener, true);
      undo.push(() => target.removeEventListener(type, listener, true));
    });
    tapAll();

    // Before a function is used comes a script or a click.
    const observer = new MutationObserver(look);
    observer.observe(document, { childList: true, subtree: true });
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
      if (persisted) hangUp(); // in Firefox what was under way is never answered
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
