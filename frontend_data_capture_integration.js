/*
 * Enhanced Data Capture: a second copy of what a page saves, without a change to the page.
 * First in <head>, without async or defer, or imported before all else.
 * Settings and API are described in the .d.ts. It reads as data moves; nothing in here may be felt by the page.
 */
(function () {
  'use strict';

  const VERSION = '0.1.0';
  const NAME = 'enhanced-data-capture';
  const FILE = 'frontend_data_capture_integration';
  const MARKER = Symbol.for(NAME);

  if (typeof window === 'undefined' && typeof self === 'object' && self.name === NAME) {
    self.onmessage = async ({ data }) => self.postMessage(await exchange(fetch, ...data));
    return;
  }

  if (typeof window === 'undefined' || window[MARKER] || !window.fetch || !window.Proxy) return;

  // Shared by all copies of this script.
  const wrappers = new WeakMap();
  window[MARKER] = wrappers;

  // Pages wrap fetch later, zone.js the timers.
  const { setTimeout, clearTimeout, setInterval, clearInterval, Request } = window;
  const ownFetch = fetch.bind(window);
  const { getItem, setItem, removeItem } = Storage.prototype;

  // --- rules ---

  // What means a save: a call of a function; a POST, PUT or PATCH to an address; a write to a key, whose group is the person's
  // address; a form by its opening tag. `under` says where it goes, `as` renames. Sites add `rules`; `without` takes names out.
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

  const QUIET_MS = 1000;
  const ACTION_MS = 5000;
  const REPEAT_MS = 10000; // the same again is no new save
  const SLICE_MS = 10; // at a time
  const REWRITE_MS = 200; // for a key that is rewritten
  const DAY_MS = 24 * 60 * 60 * 1000;
  const POLL_MS = 3000;
  const OPEN_MS = 2000;
  const TIMEOUT_MS = 10000;
  const UPLINK_BYTES_PER_MS = 32;
  const RETRY_BASE_MS = 1000;
  const RETRY_CAP_MS = 5 * 60 * 1000;
  const RETRY_AFTER_MS = 60 * 60 * 1000;
  const KEEPALIVE_BYTES = 60000; // of a page's 64 KiB
  const BATCH_BYTES = 512 * 1024;
  const QUEUE_COUNT = 1000;
  const QUEUE_BYTES = 24 * 1024 * 1024;
  const SMALL = 60000; // characters
  const KINDS = ['payment', 'questionnaire', 'activity', 'dashboard']; // kept longest first

  const tag = document.currentScript || document.querySelector('script[src*=' + FILE + ']');
  const config = { ...tag?.dataset, ...window.enhancedDataCaptureConfig };
  const source = /^https?:/.test(tag?.src) ? tag.src.split('#')[0] : '';
  const isOwnFile = source.includes(FILE);
  const log = /^(|1|true)$/.test(config.debug)
    ? (...words) => console.debug('[' + NAME + ']', ...words) // never what a capture holds
    : () => {};
  const listed = (words) => String(words).toLowerCase().split(/[\s,]+/);
  const placeholders = listed(['unknown@example.com', config.placeholders]);
  const added = quietly(() => JSON.parse(config.rules || null)) || config.rules || [];
  const rules = RULES.concat(added).filter(({ kind, name = kind }) =>
    KINDS.includes(kind) && !listed(config.without).includes(name));
  let enabled = String(config.enabled) !== 'false';
  let consented = config.consent !== 'required';
  const active = () => enabled && consented;

  function quietly(work) {
    try {
      return work();
    } catch (reason) {
      return log(reason);
    }
  }

  // --- signals ---

  const undo = [];
  let running = null;

  /**
   * How this script puts itself before a function: a Proxy keeps `this`, length, name, own properties and the AsyncFunction
   * type. Arguments are read before the call, since pages change them. The result is never touched: a Supabase query
   * sends a request for each `.then`, and a `.then` on a rejected promise hides its unhandledrejection.
   */
  const install = (read, write, kind, observe) => {
    const original = read();
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
    write(wrapper);
    undo.push(() => read() === wrapper && write(original));
  };

  // A bare name reaches a top-level `let`; for `const`, and where there is none, strict mode throws.
  const BARE = {
    savePaymentToSupabase: [
      () => typeof savePaymentToSupabase === 'function' && savePaymentToSupabase, (f) => { savePaymentToSupabase = f; }],
    storeQuestionnaireData: [
      () => typeof storeQuestionnaireData === 'function' && storeQuestionnaireData, (f) => { storeQuestionnaireData = f; }],
    saveDashboardToSupabase: [
      () => typeof saveDashboardToSupabase === 'function' && saveDashboardToSupabase, (f) => { saveDashboardToSupabase = f; }],
  };

  /** Wraps what is there by now. A trap under a name that is not there yet would break `if (!('name' in window))`. */
  const look = () => {
    for (const rule of enabled ? rules : []) {
      const name = rule.call;
      const own = name && Object.getOwnPropertyDescriptor(window, name);
      const [read, write] = own ? [() => window[name], (f) => { window[name] = f; }] : BARE[name] || [() => 0];
      quietly(() => { // an uninitialised `let` throws
        if (!own || 'value' in own) install(read, write, rule.kind, (args) =>
          signal(rule, CALL, name, ...snapshot(rule.kind, args)));
      });
    }
  };

  const tapAll = () => {
    const tap = (owner, name, observe) => quietly(() => install(() => owner[name], (f) => { owner[name] = f; }, name, observe));
    const opened = new WeakMap();
    tap(window, 'fetch', ([input, init]) => {
      const request = input instanceof Request && input;
      sent(init?.method || request.method, request.url || input, init?.body || request);
    });
    tap(XMLHttpRequest.prototype, 'open', ([method, url], xhr) => opened.set(xhr, [method, url]));
    tap(XMLHttpRequest.prototype, 'send', ([body], xhr) => sent(...opened.get(xhr), body));
    tap(Navigator.prototype, 'sendBeacon', ([url, body]) => sent('POST', url, body));
    for (const name of ['setItem', 'removeItem', 'clear']) tap(Storage.prototype, name, (args) => written(...args));
    tap(HTMLFormElement.prototype, 'submit', (_, form) => submitted(form));
    look();
  };

  const ruleFor = (type, text) => rules.find((rule) => rule[type] && new RegExp(rule[type], 'i').test(text));

  const sent = (method, url, body) => {
    if (!body || !/^(post|put|patch)$/i.test(method)) return;
    const { origin, pathname } = new URL(url, document.baseURI);
    const path = decodeURIComponent(origin + pathname).replace(/\/+$/, '');
    const rule = !NEVER.test(pathname) && ruleFor('url', path);
    if (!rule) return;
    const then = now();
    const note = (text) => quietly(() => signal(rule, REQUEST, path, text, then));
    if (typeof body === 'string') note(body);
    else if (body instanceof FormData || body instanceof URLSearchParams) note(fields(body));
    else (body instanceof Request ? body.clone() : body).text().then(note, log);
  };

  const written = (key, value) => {
    const rule = /^\s*[[{]/.test(value) && ruleFor('key', key);
    if (rule) signal(rule, KEY, key, String(value), { user: new RegExp(rule.key, 'i').exec(key)[1] });
    else hereNow = null;
  };

  const submitted = (form) => {
    const opening = form.cloneNode().outerHTML; // a field named "id" would hide its own
    const rule = !NEVER.test(opening) && ruleFor('form', opening);
    const inputs = [...form.querySelectorAll('input, select, textarea')].filter(({ name, type, checked, autocomplete }) =>
      name && (checked || !/radio|checkbox|button|submit|password/.test(type)) && !/^cc-/.test(autocomplete));
    if (rule) signal(rule, FORM, 'form', fields(inputs.map(({ name, value }) => [name, value])));
  };

  const fields = (entries) => {
    const form = {};
    for (const [name, value] of entries) {
      const text = value.name || value; // a file is its name
      form[name] = name in form ? [].concat(form[name], text) : text;
    }
    return JSON.stringify(form);
  };

  /** What a call is about at this moment, as JSON text (faster than structuredClone), and a dashboard's `user`. */
  const snapshot = (kind, [first, second, theme, user]) => {
    let payload = first;
    if (kind === 'dashboard') payload = (first || second) && { dashboardData: first, tradingState: second, theme };
    if (kind === 'activity') payload = { activity_type: first, activity_data: second };
    const text = JSON.stringify(payload);
    if (text?.[0] !== '{') throw new TypeError('not an object');
    return [text, { user: kind === 'dashboard' && user }];
  };

  const [API, CALL, REQUEST, KEY, FORM] = [0, 1, 2, 3, 4]; // the richest source first
  let signals = [];
  let draining = 0;
  let soon = null;
  const lookedAt = {};
  const now = () => ({ at: Date.now(), here: loaded ? whoIsHere() : undefined, told: identified });

  /** Who and when are those of the signal. The rest waits for the microtask after it, when no navigation has begun yet. */
  const signal = (rule, rank, from, text, more) => {
    const before = rank === KEY && signals.find((other) => other.from === from);
    if (before && before.by === hereNow) { // nobody came or went: the latest text is what counts
      before.text = text;
      return;
    }
    signals.push({ rule, rank, from, text, ...now(), by: hereNow, ...more });
    if (rank === KEY && performance.now() - lookedAt[from] < REWRITE_MS) {
      draining = draining || setTimeout(() => quietly(drain), REWRITE_MS);
    } else if (!soon) soon = Promise.resolve().then(() => drain()).catch(log);
  };

  const drain = (all) => {
    clearTimeout(draining);
    draining = soon = 0;
    if (!loaded) return;
    const limit = performance.now() + SLICE_MS;
    for (let one; (all || performance.now() < limit) && (one = signals.shift());) {
      if (one.rank === KEY) lookedAt[one.from] = performance.now();
      try {
        if (active()) act(one);
      } catch (reason) {
        log(reason);
        one.settle?.({ success: false, error: reason.message });
      }
    }
    if (signals.length) draining = setTimeout(() => quietly(drain));
    save();
    pump();
  };

  // --- one action ---

  // Grows while the action lasts, in the queue already; without `parts`, its text never changes again.
  let known = {};
  let knownChanged = false;
  let said = {};
  const forgetAll = () => {
    said = {};
    known = { paid: {}, left: [], user: null, dropped: {} };
  };
  forgetAll();

  const names = Object.create(null);
  const plain = (key) => names[key] || (names[key] = key.toLowerCase().replace(/[^a-z0-9]/g, ''));
  const isEmpty = (value) => value === null || value === undefined || value === '';
  const isRecord = (value) => value && typeof value === 'object' && !Array.isArray(value);

  const gist = (body) => JSON.stringify(body, (key, value) =>
    (VOLATILE.test(plain(key)) || (typeof value === 'string' && value.startsWith('NON-CRYPTO-')) ? undefined : value));

  /** Both together; of what both say, the richer's. */
  const union = (richer, poorer) => {
    const whole = { ...richer };
    const names = new Map(Object.keys(richer).map((key) => [plain(key), key]));
    for (const [key, value] of Object.entries(poorer)) {
      const own = names.get(plain(key)) || key;
      if (isEmpty(whole[own])) whole[own] = value;
      else if (isRecord(whole[own]) && isRecord(value)) whole[own] = union(whole[own], value);
    }
    return whole;
  };

  /** The same person and payment, and its source does not contradict itself. */
  const belongs = (part, item) => {
    const differ = (name) => part[name] && item[name] && part[name] !== item[name];
    const before = item.parts.find(({ from }) => from === part.from);
    if (differ('kind') || differ('own') || differ('number')) return false;
    if (!before) return true;
    if (part.rank >= KEY) return !part.ids[0] || !before.ids[0] || part.ids.some((id) => before.ids.includes(id));
    const [fewer, more] = [part.body, before.body].sort((one, other) => Object.keys(one).length - Object.keys(other).length);
    return Object.keys(fewer).every((key) => gist({ [key]: fewer[key] }) === gist({ [key]: more[key] }));
  };

  /** The same from the same source; for a dashboard however long ago. */
  const isRepeat = ({ kind, from, text, who }) => {
    const key = kind + from + who;
    const last = said[key];
    said[key] = { text, at: Date.now() };
    return last?.text === text && (kind === 'dashboard' || isWithin(REPEAT_MS, last.at));
  };

  const isWithin = (most, at) => Math.abs(Date.now() - at) < most; // clocks are set back

  const act = (seen) => {
    const { rule, rank, from, text } = seen;
    const payload = masked(/^\s*[[{]/.test(text) ? text : fields(new URLSearchParams(text)));
    for (const one of [].concat(payload)) {
      let body = {};
      for (const [key, value] of Object.entries(one)) body[{ type: 'payload_type', ...rule.as }[key] || key] = value;
      if (rule.under) body = { [rule.under]: body };
      const person = personOf(body, seen.user, [seen.told, seen.here === undefined ? whoIsHere() : seen.here]);
      // What the logout itself writes is nobody's.
      if (rule.kind === 'dashboard' && known.left.length && (!person || known.left.includes(keyOf(person)))) {
        throw new Error('signed out');
      }
      const who = person && keyOf(person);
      const whole = gist(body);
      const ids = [...whole.matchAll(/"(?:transaction|payment|order)_?id":"?(?!null)([^",}]+)/gi)].map(([, number]) => number);
      const [, number] = /"transaction_?id":"?(?!null)([^",}]+)/i.exec(whole) || [];
      const [, status] = (rank < KEY && /"(?:payment_?)?status":"([^"]+)/i.exec(whole)) || [];
      const part = { kind: rule.kind, rank, from, body, text: whole, ids, number, status, who, own: person?.own && who };
      if (rank < REQUEST || whole !== '{}') join(part, person, seen);
    }
  };

  const paidAs = ({ ids, status }) => ids.map((number) => number + (status ? ' ' + status : ''));

  const join = (part, person, { at, settle }) => {
    const { kind, rank } = part;
    if (rank && isRepeat(part)) return;
    let item = [...queue].reverse().find((open) => open.parts && belongs(part, open));
    if (!item && rank && kind === 'payment' && paidAs(part).some((number) => isWithin(DAY_MS, known.paid[number]))) return;
    if (!item) {
      item = { ...fresh(), id: newId(), kind, email: '', at, until: at + ACTION_MS, parts: [] };
      item.limit = performance.now() + ACTION_MS;
      queue.push(item);
      seen.add(item.id);
    }
    const earlier = item.parts.find(({ from }) => from === part.from);
    if (earlier) part.body = union(part.body, earlier.body);
    item.parts = [part, ...item.parts.filter((other) => other !== earlier)].sort((one, other) => one.rank - other.rank);
    item.number = item.number || part.number;
    if (person && !item.own) item.person = person;
    item.own = item.own || part.own;
    item.ends = Math.min(performance.now() + QUIET_MS, item.limit);
    const whole = item.parts.map(({ body }) => body).reduce(union, {});
    attribute(item, { ...whole, capture_id: item.id, capture_timestamp: new Date(item.at).toISOString() }, item.person);
    makeRoom();
    if (rank) return;
    item.settle = settle;
    for (const open of queue) if (open.kind === kind) open.ends = 0;
    finish(0);
  };

  const finish = (by) => {
    for (const item of queue) {
      if (!item.parts || item.ends > by) continue;
      for (const part of item.kind === 'payment' ? item.parts : []) {
        for (const number of [...paidAs(part), ...part.ids]) known.paid[number] = Date.now();
        knownChanged = true;
      }
      item.parts = null;
    }
    if (knownChanged) known.paid = Object.fromEntries(Object.entries(known.paid).slice(-200));
  };

  /** In the order of time, so that the service adds receipts where the last one is. */
  const newId = () =>
    crypto.getRandomValues(new Uint32Array(3)).reduce((id, bits) => id + bits.toString(36), 'c' + Date.now().toString(36));

  // --- privacy ---

  const WORDS = 'pass(word|wd|phrase|code)|pwd|cvv|cvc|security.?code|card.?number|token|secret|' +
    '(api|access|secret|private).?key|(seed|recovery).?phrase|mnemonic|authorization';
  // How a key ends: accessToken, API_KEY, "card number".
  const SECRET = new RegExp('(' + WORDS + ')$|^((card)?pin|pass|jwt)$');
  const SECRET_IN_TEXT = new RegExp('((?:' + WORDS + ')["\']?\\s*[=:]\\s*)["\']?[^\\s&,;"\'}]+', 'gi');
  const CARD = /\+?\b((\d{4}[ -]?){3}\d{4}|\d{4}[ -]?\d{6}[ -]?\d{4,5}|\d{13,19})\b/g; // with a plus it is a phone's
  const WEB_TOKEN = /eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g;
  const LONGEST_TEXT = 100000;

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
    if (text.length < 8 || text.length > LONGEST_TEXT) return text;
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
  const LEFT_BEHIND = [['localStorage', 'user_data'], ['sessionStorage', 'userData']];

  let identified = null;
  let hereNow = null; // who was found, and where

  const address = (text) => {
    const email = typeof text === 'string' ? text.trim() : '';
    return /^[^\s@]+@[^\s@]+$/.test(email) && !placeholders.includes(email.toLowerCase()) ? email : '';
  };

  const keyOf = ({ email }) => email.toLowerCase();

  /** Address, name and id of a user's record alone. */
  const personIn = (record) => {
    if (typeof record === 'string') record = { email: record };
    const find = (keys, read) => keys.split(' ').map((key) => read(record?.[key])).find(Boolean);
    const words = (value) => typeof value === 'string' && value.trim();
    const email = find('user_email userEmail email customer_email', address);
    if (!email) return record?.user && !record.user.user ? personIn(record.user) : null;
    return {
      email,
      name: find('name fullName full_name user_name userName username', words) || words(record.user_metadata?.full_name),
      id: find('id user_id', (id) => /^[\w-]{1,36}$/.test(id) && id),
    };
  };

  /** Whose capture it is; `own` if it says so itself. Name and id are from wherever the address is the same. */
  const personOf = (body, argument, around) => {
    const inside = ['userData', 'user', 'userProfile', 'dashboardData', 'tradingState'].flatMap((key) =>
      [body[key], body[key]?.userProfile, body[key]?.userData]);
    const said = [{ ...body, name: '', id: '', user: null }, ...inside, argument].map(personIn).filter(Boolean);
    const all = said.concat(around).filter(Boolean);
    const same = all.filter((other) => keyOf(other) === keyOf(all[0]));
    const [name, id] = ['name', 'id'].map((member) => same.map((other) => other[member]).find(Boolean));
    return all[0] && { ...all[0], name, id, own: said.length };
  };

  const stored = ([area, key]) => quietly(() => { // blocked storage throws
    const text = getItem.call(window[area], key);
    return personIn(/^\s*[{"]/.test(text) ? JSON.parse(text) : text);
  });

  const whoIsHere = () => {
    const text = quietly(() => getItem.call(localStorage, 'current_user'));
    const user = window.currentUser;
    if (!hereNow || hereNow.text !== text || hereNow.user !== user) hereNow = { text, user, person: lookAround() };
    return hereNow.person;
  };

  /** Who is signed in; takes note of who is not any more. */
  const lookAround = () => {
    const session = quietly(() => Object.keys(localStorage).find((name) => /^sb-.+-auth-token$/.test(name)));
    const present = stored(['localStorage', 'current_user']) || (session && stored(['localStorage', session]));
    const kept = [['localStorage', 'userData'], ['localStorage', 'currentUser'], ['sessionStorage', 'currentUser']].map(stored)
      .concat(quietly(() => personIn(window.currentUser))).filter(Boolean);
    const left = LEFT_BEHIND.map(stored).filter(Boolean);
    const before = known.user;
    if (before && !(present && keyOf(present) === before[0])) {
      known.left = [...known.left, ...before].slice(-50);
      if (identified && keyOf(identified) === before[0]) identified = null;
    }
    known.user = present ? [present, ...kept, ...left].map(keyOf) : null;
    if (String(before) !== String(known.user)) knownChanged = true;
    if (present) known.left = known.left.filter((email) => email !== keyOf(present));
    const counts = (person) => !known.left.includes(keyOf(person));
    const [one, ...rest] = left.filter(counts);
    return present || kept.find(counts) || (one && rest.every((person) => keyOf(person) === keyOf(one)) ? one : null);
  };

  /** The payload's own keys stay, unless the address is a placeholder. */
  const attribute = (item, body, person) => {
    if (person) {
      body.user_email = address(body.user_email) || person.email;
      body.user_name = body.user_name || person.name || undefined;
      body.user_id = body.user_id || body.userId || person.id || undefined;
      item.email = keyOf(person);
    }
    item.text = JSON.stringify(body);
    item.bytes = new TextEncoder().encode(item.text).length;
    unsaved.add(item);
  };

  const attributeWaiting = () => {
    const here = whoIsHere(); // a logout ends what identify() said
    const person = identified || here;
    for (const item of person ? queue : []) if (!item.email && !item.parts) attribute(item, JSON.parse(item.text), person);
    save();
  };

  // --- queue ---

  // A record of IndexedDB for each, until it is confirmed; else a small item of localStorage; else this array. # is no capture.
  let queue = [];
  const unsaved = new Set();
  const seen = new Set();
  let db = null;
  let small = false;
  let loaded = false;

  const fresh = () => ({ tries: 0, dueAt: 0, settle: () => {} });
  const size = (items) => items.reduce((sum, { bytes }) => sum + bytes + 40, 0);
  const waiting = () => queue.filter(({ aside }) => !aside);
  const byKind = (one, other) => KINDS.indexOf(one.kind) - KINDS.indexOf(other.kind);

  /** Not awaited: a navigation would lose it. */
  const save = () => {
    if (!active()) return;
    const entries = Array.from(unsaved, ({ parts, person, settle, out, parked, ...record }) =>
      [record.id, queue.some(({ id }) => id === record.id) && record]);
    unsaved.clear();
    if (knownChanged && db) entries.push(['#known', known]);
    knownChanged = false;
    persist(entries);
  };

  const persist = (entries) => {
    quietly(() => {
      entries = entries.map(([id, record]) => [id, record && { ...record, id }]);
      if (small) persistSmall(entries);
      if (!entries.length || !db) return;
      const transaction = db.transaction(NAME, 'readwrite', { durability: 'relaxed' });
      const shelf = transaction.objectStore(NAME);
      for (const [id, record] of entries) record ? shelf.put(record) : shelf.delete(id);
      transaction.commit?.();
    });
  };

  const readSmall = () => JSON.parse(getItem.call(localStorage, NAME) || '[]');
  const byId = (records) => new Map(records.map((record) => [record.id, record]));

  /** Only while the page has four times as much left: when full, its own setItem throws. */
  const persistSmall = (entries) => {
    let room = SMALL;
    const kept = [...new Map([...byId(readSmall()), ...entries]).values()].filter((record) =>
      record && (room -= JSON.stringify(record).length) > 0);
    removeItem.call(localStorage, NAME);
    for (const length of kept.length ? [4 * SMALL, 0] : []) {
      setItem.call(localStorage, NAME, JSON.stringify(kept).padEnd(length));
    }
  };

  const pause = (ms) => new Promise((over) => setTimeout(over, ms));
  const answered = (request) => new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = failed;
  });
  const readAll = async () =>
    byId(db ? await answered(db.transaction(NAME).objectStore(NAME).getAll()) : small ? readSmall() : []);

  const load = async () => {
    await Promise.race([pause(OPEN_MS), quietly(() => {
      const request = indexedDB.open(NAME, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(NAME, { keyPath: 'id' });
      return answered(request).then((opened) => {
        db = opened;
        db.onversionchange = () => { // the page deletes it
          db.close();
          db = null;
        };
      });
    })]).catch(log);
    small = !db && !!quietly(readSmall);
    const left = db && quietly(readSmall); // by a page that went before its database was open
    if (left?.[0]) {
      persist([...byId(left)]);
      removeItem.call(localStorage, NAME);
    }
    const all = await readAll();
    const off = all.get('#off');
    const saved = all.get('#known');
    enabled = enabled && !off?.off;
    consented = consented && !off?.refused;
    lookAround();
    Object.assign(known, saved, { left: [...known.left, ...(saved?.left || [])] });
  };

  const refresh = async () => {
    const all = await readAll();
    for (const item of queue) if (item.kept && !all.has(item.id)) forget(item, { success: true });
    const left = [...all.values()].filter(({ id }) => id[0] !== '#' && !seen.has(id)).sort((one, other) => one.at - other.at);
    queue = left.map((record) => {
      const wait = Math.min(record.until + QUIET_MS - Date.now(), ACTION_MS + QUIET_MS); // its page may send it
      seen.add(record.id);
      return { ...record, ...fresh(), kept: true, dueAt: record.until && performance.now() + wait };
    }).concat(queue);
  };

  const forget = (item, answer) => {
    queue = queue.filter((other) => other !== item);
    unsaved.add(item);
    item.settle(answer);
  };

  const drop = (item, error) => {
    known.dropped[item.kind] = (known.dropped[item.kind] || 0) + 1;
    knownChanged = true;
    forget(item, { success: false, error });
  };

  const makeRoom = () => {
    while (queue.length > QUEUE_COUNT || size(queue) > QUEUE_BYTES) {
      const { kind } = [...queue].sort(byKind).pop();
      drop(queue.find(({ aside }) => aside) || queue.find((item) => item.kind === kind), 'no room');
    }
  };

  // --- delivery ---

  let gone = false; // to return, perhaps
  let busy = false;
  let timer = 0;
  let quietUntil = 0; // Retry-After is for all, a failure for its captures
  const queued = { success: false, queued: true };

  /** Each person's captures of a kind in order. */
  const due = () => {
    const held = new Set();
    let soon = Infinity;
    const items = waiting().filter((item) => {
      const lane = item.kind + ' ' + item.email;
      const at = item.parts ? item.ends : Math.max(item.dueAt, quietUntil);
      if (item.parked) return false;
      if (item.email && !held.has(lane) && !item.out) {
        if (!item.parts && at <= performance.now()) return true;
        soon = Math.min(soon, at);
      }
      item.settle(queued);
      held.add(lane);
      return false;
    });
    return { soon, items: items.sort(byKind) };
  };

  const pump = () => {
    clearTimeout(timer);
    if (gone || !loaded || !active()) return;
    if (queue.some(({ email, parts }) => !email && !parts)) quietly(attributeWaiting);
    finish(performance.now());
    const { items, soon } = due();
    if (items.length && !busy) {
      busy = true;
      exclusively(pass).catch(log).then(() => {
        busy = false;
        pump();
      });
    }
    if (soon < Infinity) timer = setTimeout(() => quietly(pump), soon - performance.now());
  };

  const pass = async () => {
    await refresh().catch(log);
    for (let items; !gone && active() && (items = batchOf(due().items, BATCH_BYTES)).length;) await deliver(items);
  };

  const batchOf = (items, most) => items.filter(({ bytes }, index) => ((most -= bytes + 40) > 0 && index < 100) || !index);

  /** One page sends at a time; where two do, receipts make it harmless. */
  const exclusively = async (work) => {
    if (db && navigator.locks) return navigator.locks.request(NAME, work); // not on plain http
    while (db && !(await lease())) await pause(QUIET_MS);
    await work();
    return persist([['#lease']]);
  };

  const lease = async () => {
    const shelf = db.transaction(NAME, 'readwrite').objectStore(NAME);
    const isHeld = isWithin(TIMEOUT_MS, (await answered(shelf.get('#lease')))?.at);
    if (!isHeld) shelf.put({ id: '#lease', at: Date.now() });
    return !isHeld;
  };

  /** Backoff is over; what Retry-After asked for still holds. */
  const wake = async () => {
    for (const item of queue) if (item.tries) item.dueAt = 0;
    if (loaded && active()) await refresh().catch(log);
    quietly(pump);
  };

  const jitter = (tries) => performance.now() + Math.random() * Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** tries);

  const leave = () => {
    loaded = true;
    small = small || !db;
    drain(true);
    gone = true;
    if (!active()) return;
    finish(Infinity);
    attributeWaiting();
    for (const item of queue) {
      if (item.until) unsaved.add(item);
      item.until = 0;
    }
    save();
    let rest = waiting().filter((item) => item.email && !item.parked && !item.out);
    rest.sort((one, other) => byKind(one, other) || one.bytes - other.bytes);
    while (rest.length) {
      const items = batchOf(rest, KEEPALIVE_BYTES - keepaliveBytes);
      rest = rest.slice(items.length);
      deliver(items, true).catch(log);
    }
  };

  const deliver = async (items, out) => {
    const [{ kind, text }, more] = items;
    const body = more ? '{"captures":[' + items.map((item) => '{"type":"' + item.kind + '",' + item.text.slice(1)) + ']}' : text;
    const bytes = size(items);
    const direct = out || !courierWorks; // a courier does not outlive the page
    const keepalive = direct && keepaliveBytes + bytes <= KEEPALIVE_BYTES && (out || !items.some(({ tries }) => tries));
    if (out && !keepalive) return;
    const held = keepalive ? bytes : 0;
    keepaliveBytes += held;
    for (const item of items) item.out = keepalive;
    const options = { method: 'POST', body, keepalive };
    const { status, answer, retryAfter } = await request(more ? 'batch' : kind, options, bytes, direct);
    keepaliveBytes -= held;
    quietUntil = Math.max(quietUntil, performance.now() + Math.min(retryAfter * 1000 || 0, RETRY_AFTER_MS));
    items.forEach((item, index) => {
      item.out = false;
      const own = more && answer?.answers ? answer.answers[index] || {} : answer;
      if (queue.includes(item)) judge(item, own === answer ? status : own.status, own);
    });
    save();
  };

  /** Confirmed, refused (set aside), not allowed (parked), or to be sent again. */
  const judge = (item, status, answer) => {
    log(item.kind, status);
    const refusal = { error: 'HTTP ' + status, ...answer, success: false };
    const why = { status, reason: refusal.error };
    if (status < 300 && answer?.success === true) {
      forget(item, answer);
      for (const other of queue) if (other.tries) other.dueAt = 0;
    } else if (!isWithin(7 * DAY_MS, item.at)) drop(item, 'too old');
    else if ([400, 413, 422].includes(status)) {
      item.aside = why;
      unsaved.add(item);
      item.settle(refusal);
    } else if (/^4/.test(status) && ![408, 425, 429].includes(status)) {
      item.parked = why;
      item.settle({ ...refusal, ...queued });
    } else {
      if (item.until) unsaved.add(item);
      item.until = 0;
      item.dueAt = jitter(item.tries++);
      item.settle(queued);
    }
  };

  // --- network ---

  let keepaliveBytes = 0;

  /**
   * Where this script came from, if its Server-Timing says that a capture service is there; else what the tag says; else where
   * it came from, if not from the page's own host; else port 5003 of the page's host.
   */
  const locate = () => {
    const base = source && new URL('.', source).href.slice(0, -1);
    const isService = performance.getEntriesByName(source)[0]?.serverTiming?.some(({ name }) => name === NAME);
    if (config.endpoint && !isService) return new URL(config.endpoint, document.baseURI).href.replace(/\/+$/, '');
    if (isService || (isOwnFile && !base.startsWith(location.origin))) return base;
    return (location.hostname ? location.protocol + '//' + location.hostname : 'http://127.0.0.1') + ':5003';
  };

  async function exchange(send, url, options, patience) {
    const result = { status: 0 };
    try {
      const response = await send(url, { ...options, signal: AbortSignal.timeout(patience) });
      const text = await response.text();
      result.status = response.status; // an answer cut short is none
      result.retryAfter = response.headers.get('Retry-After');
      result.answer = JSON.parse(text);
    } catch (_) { /* unreachable, blocked, timed out, or not the service's */ }
    return result;
  }

  // For a request that finds nobody browsers print an error in a page's console, in a worker's they do not. So requests are a
  // worker's where none can be forbidden: on the page's own origin, and in a page from disk.
  const onDisk = location.protocol === 'file:';
  let dismissCourier = () => {};
  let courierWorks = window.Worker && (onDisk || (isOwnFile && new URL(source).origin === location.origin));

  const outside = async (...call) => {
    const result = courierWorks && await new Promise((settle) => {
      const courier = new Worker(onDisk
        ? 'data:text/javascript,' + encodeURIComponent('onmessage=async({data})=>postMessage(await(' + exchange + ')(fetch,...data))')
        : source, { name: NAME });
      courier.onmessage = ({ data }) => settle(data);
      courier.onerror = (event) => {
        event.preventDefault(); // the page's error else
        settle(courierWorks = false);
      };
      dismissCourier = () => {
        courier.terminate();
        settle({ status: 0 });
      };
      courier.postMessage(call);
    }).catch(log);
    dismissCourier();
    return result || inside(...call);
  };

  const inside = (...call) => exchange(ownFetch, ...call);
  const request = (path, options, bytes, direct) => (direct ? inside : outside)(locate() + '/api/data-capture/' + path, {
    credentials: 'omit',
    redirect: 'error',
    referrerPolicy: 'no-referrer', // an address may hold secrets
    ...options,
  }, TIMEOUT_MS + bytes / UPLINK_BYTES_PER_MS);

  // --- API ---

  const harmless = (work) => async (...args) => {
    try {
      return await work(...args);
    } catch (reason) {
      log(reason);
      return { success: false, error: quietly(() => String(reason?.message || reason)) || 'unusable' };
    }
  };

  const captures = (kind) => (...args) => {
    if (!active()) throw new Error('switched off');
    const [text, user] = snapshot(kind, args);
    return new Promise((settle) => signal({ kind }, API, newId(), text, { ...user, settle }));
  };

  const untap = () => undo.splice(0).forEach(quietly);

  /** Switched off, the page has its functions back, and what waits stays. */
  const switched = async (off) => {
    if (active()) start();
    else untap();
    await ready;
    persist([['#off', off]]);
    await wake();
    return { success: true };
  };

  const api = {
    version: VERSION,
    capturePaymentData: captures('payment'),
    captureQuestionnaireData: captures('questionnaire'),
    captureDashboardData: captures('dashboard'),
    captureTradingActivity: captures('activity'),

    identify: async (user) => {
      const person = personIn(user);
      if (user && !person) throw new TypeError('no email');
      identified = person;
      await wake();
      return { success: true };
    },

    setEnabled: async (wanted) => {
      enabled = Boolean(wanted);
      return { ...await switched(!enabled && { off: true }), enabled };
    },

    consent: async (given) => {
      consented = Boolean(given);
      if (given) return switched();
      for (const item of queue) forget(item, { success: false, error: 'no consent' });
      await ready;
      queue = signals = [];
      unsaved.clear();
      forgetAll();
      persist([...await readAll()].map(([id]) => [id]));
      return switched({ refused: true });
    },

    flush: async () => {
      await ready;
      drain(true);
      finish(Infinity);
      await wake();
      while (busy) await pause(20);
      return waiting().length ? { ...queued, waiting: waiting().length } : { success: true };
    },

    status: async () => {
      await ready;
      const list = (state) => queue.filter((item) => item[state]).map((item) =>
        ({ capture_id: item.id, kind: item.kind, ...item[state] }));
      return {
        enabled,
        consent: consented,
        endpoint: locate(),
        storage: db ? 'indexedDB' : small ? 'localStorage' : 'memory',
        waiting: waiting().length,
        unattributed: queue.filter(({ email }) => !email).length,
        parked: list('parked'),
        setAside: list('aside'),
        dropped: { ...known.dropped },
      };
    },

    healthCheck: async () => {
      const { answer } = await request('health', {}, 0);
      return answer || { success: false, status: 'unreachable' };
    },

    uninstall: async () => {
      leave();
      enabled = false;
      untap();
      dismissCourier();
      db?.close();
      delete window.enhancedDataCapture;
      delete window[MARKER];
      return { success: true };
    },
  };
  for (const name of Object.keys(api)) if (name !== 'version') api[name] = harmless(api[name]);
  window.enhancedDataCapture = Object.freeze(api);

  // --- start ---

  const start = () => {
    if (undo.length) return;
    const listen = (target, type, handle) => {
      const listener = (event) => quietly(() => handle(event));
      target.addEventListener(type, listener, true);
      undo.push(() => target.removeEventListener(type, listener, true));
    };
    tapAll();

    // Before a definition is used comes a script or a click.
    const observer = new MutationObserver(look);
    observer.observe(document, { childList: true, subtree: true });
    for (const type of ['load', 'DOMContentLoaded', 'click']) listen(document, type, look);
    listen(window, 'load', look);
    listen(window, 'submit', ({ target }) => {
      look();
      if (active()) submitted(target);
    });

    const poll = setInterval(() => {
      look();
      hereNow = null;
      if (loaded && active()) quietly(attributeWaiting);
      quietly(pump);
    }, POLL_MS);
    undo.push(() => observer.disconnect(), () => clearInterval(poll));

    // unload would cost the page its back/forward cache.
    listen(window, 'pagehide', () => {
      quietly(leave);
      dismissCourier(); // it would, too
    });
    listen(window, 'pageshow', () => {
      gone = false;
      wake();
    });
    listen(window, 'online', wake);
    listen(document, 'visibilitychange', wake);
  };

  if (enabled) start();
  setTimeout(() => active() && quietly(lookAround)); // the first touch reads from disk
  const ready = load().catch(log).then(() => {
    loaded = true;
    if (!enabled) untap();
    if (active()) whoIsHere();
    drain();
    return wake();
  }).catch(log);
})();
