/*!
 * Enhanced Data Capture: a second copy of what a page saves, without a change to the page.
 *
 *   <script src="http://127.0.0.1:5003/frontend_data_capture_integration.js" crossorigin></script>
 *
 * First in <head>, without async or defer, so that it runs before the page's own scripts keep references of their own.
 * Settings, all optional, are attributes of the tag, or members of window.enhancedDataCaptureConfig set before it:
 * data-endpoint, data-placeholders, data-enabled="false", data-debug.
 *
 * It reads in the order in which data moves: settings, signals, one capture, identity, queue, network, API.
 * The rule above all others: nothing in here may be felt by the page. It throws nothing, rejects nothing, writes no
 * storage, prints nothing (unless data-debug is set), and never touches what the page's functions return.
 */
(function () {
  'use strict';

  const VERSION = '0.1.0';
  const COURIER = 'enhanced-data-capture courier';
  const MARKER = Symbol.for('enhanced-data-capture');

  // Started as this script's own worker (see "network"): nothing but requests.
  if (typeof window === 'undefined' && typeof self === 'object' && self.name === COURIER) {
    self.onmessage = async ({ data: [number, ...call] }) => self.postMessage([number, await exchange(self, ...call)]);
    return;
  }

  // Included a second time, or rendered on a server by a bundler: nothing to do.
  if (typeof window === 'undefined' || window[MARKER] || !window.fetch || !window.Proxy) return;

  // Every wrapper that we made. It lives on the marker so that no copy of this script ever wraps another's wrapper.
  const wrappers = new WeakSet();
  Object.defineProperty(window, MARKER, { value: Object.freeze({ version: VERSION, wrappers }) });

  // As they are now: pages wrap fetch later, and zone.js turns each timer into work for the page.
  const { setTimeout, clearTimeout, setInterval } = window;
  const page = { fetch: window.fetch.bind(window), setTimeout: setTimeout.bind(window), clearTimeout: clearTimeout.bind(window) };
  const readItem = window.Storage && Storage.prototype.getItem;

  // ---------------------------------------------------------------------------------------------------- settings

  const POLL_MS = 3000; // looking again for functions and people that no event announces; costs microseconds
  const ECHO_MS = 10000; // a page's own wrapper may pass a call on to ours only after awaiting something
  const TIMEOUT_MS = 10000; // a service that has not answered by then is treated as down
  const SLOWEST_UPLINK_BYTES_PER_MS = 32; // so that a large body on a phone is not cut off by the timeout
  const RETRY_BASE_MS = 1000;
  const RETRY_CAP_MS = 5 * 60 * 1000;
  const RETRY_AFTER_CAP_MS = 60 * 60 * 1000; // a longer Retry-After is a mistake, and would mean "never"
  const KEEPALIVE_BUDGET_BYTES = 60000; // browsers refuse more than 64 KiB in flight per page; the rest is the page's
  const COURIER_IDLE_MS = 5000; // a worker costs a few MB, and starting one costs the page less than a millisecond
  const IN_FLIGHT_AT_ONCE = 3; // of a browser's six connections to one host, which may be the page's own
  const QUEUE_COUNT = 1000;
  const QUEUE_BYTES = 24 * 1024 * 1024; // holds one questionnaire with the largest screenshot that the service takes
  const KEPT_LONGEST = ['payment', 'questionnaire', 'activity', 'dashboard']; // dashboards are replaced soon anyway

  // Modules and bundles have no currentScript; a module with our own file name can still be found.
  const tag = document.currentScript || document.querySelector('script[src*="frontend_data_capture_integration"]');
  const config = Object.assign({}, tag && tag.dataset, window.enhancedDataCaptureConfig);
  const source = tag && /^https?:/.test(tag.src) ? tag.src.split('#')[0] : '';
  const log = [undefined, null, false, 'false'].includes(config.debug)
    ? () => {}
    : (...words) => console.debug('[enhanced-data-capture]', ...words); // never what a capture holds
  const placeholders = new Set(
    ['unknown@example.com'].concat(config.placeholders || []).join(' ').toLowerCase().split(/[\s,]+/)
  );
  let enabled = String(config.enabled) !== 'false';

  // ----------------------------------------------------------------------------------------------------- signals

  let running = null; // the wrapped call that is on the stack now

  /**
   * The one way in which this script puts itself before a function of the page. A Proxy with nothing but `apply` keeps
   * `this`, length, name, own properties, instanceof and the AsyncFunction type. `observe(args, wrapper, outer)` sees the
   * arguments before the call, since pages change them afterwards; what the call returns is nobody's business: a
   * Supabase query sends a request for each `.then`, and a `.then` on a rejected promise hides its unhandledrejection.
   */
  function wrap(original, kind, observe) {
    const wrapper = new Proxy(original, {
      apply(target, self, args) {
        const outer = running;
        running = { kind, wrapper };
        try {
          if (enabled) quietly(() => observe(args, wrapper, outer));
          return Reflect.apply(target, self, args);
        } finally {
          running = outer;
        }
      },
    });
    wrappers.add(wrapper);
    return wrapper;
  }

  // A bare name reaches what `window.name` cannot: a top-level `let`. Assigning throws for `const` and for names that
  // do not exist (this is strict mode), so the only thing that can happen is that the function is wrapped.
  /* global savePaymentToSupabase:writable, storeQuestionnaireData:writable, saveDashboardToSupabase:writable */
  const NAMED = [
    {
      kind: 'payment',
      name: 'savePaymentToSupabase',
      read: () => (typeof savePaymentToSupabase === 'function' ? savePaymentToSupabase : null),
      write: (f) => { savePaymentToSupabase = f; },
    },
    {
      kind: 'questionnaire',
      name: 'storeQuestionnaireData',
      read: () => (typeof storeQuestionnaireData === 'function' ? storeQuestionnaireData : null),
      write: (f) => { storeQuestionnaireData = f; },
    },
    {
      kind: 'dashboard',
      name: 'saveDashboardToSupabase',
      read: () => (typeof saveDashboardToSupabase === 'function' ? saveDashboardToSupabase : null),
      write: (f) => { saveDashboardToSupabase = f; },
    },
  ];

  /**
   * Wraps what is there by now. No trap is left under a name that does not exist yet: a page that asks
   * `if (!('savePaymentToSupabase' in window))` would then never define it. Looking again costs less than that.
   */
  function look() {
    if (!enabled) return;
    for (const named of NAMED) {
      const own = Object.getOwnPropertyDescriptor(window, named.name);
      if (own && !('value' in own)) continue; // the page's own accessor: reading it could do anything
      install(named, 'fixed', named.read, named.write);
      if (own) install(named, 'fixedOnWindow', () => window[named.name], (f) => { window[named.name] = f; });
    }
  }

  /** Puts a wrapper in one place. One that cannot be written (const, frozen) is remembered and left alone. */
  function install(named, fixed, read, write) {
    quietly(() => { // a `let` before its declaration throws when it is read
      const f = read();
      if (typeof f !== 'function' || wrappers.has(f) || named[fixed] === f) return;
      named[fixed] = f;
      write(wrap(f, named.kind, (args, wrapper, outer) => observeNamed(named, args, wrapper, outer)));
      named[fixed] = null;
      log('wrapped', named.name);
    });
  }

  /**
   * One call of a named function. When the page has put a function of its own over our wrapper, one save passes two
   * wrappers: the inner one runs inside the outer one, or brings the same arguments a moment later.
   */
  function observeNamed(named, args, wrapper, outer) {
    if (outer && outer.kind === named.kind && outer.wrapper !== wrapper) return;
    const text = snapshot(named.kind, args);
    const echo = named.last && named.last.wrapper !== wrapper && named.last.text === text;
    if (echo && performance.now() - named.last.at < ECHO_MS) return;
    named.last = { wrapper, text, at: performance.now() };
    capture(named.kind, text, named.kind === 'dashboard' ? args[3] : null).catch(log);
  }

  function quietly(work) {
    try {
      return work();
    } catch (reason) {
      log(reason);
      return undefined;
    }
  }

  // ------------------------------------------------------------------------------------------------- one capture

  /** What a call of each kind is about, from its arguments. */
  const PAYLOADS = {
    payment: (payment) => payment,
    questionnaire: (answers) => answers,
    dashboard: (dashboardData, tradingState, theme) => ({ dashboardData, tradingState, theme }),
    activity: (activity_type, activity_data) => ({ activity_type, activity_data }),
  };

  /** The payload as it is at this moment, as JSON text (faster than structuredClone, and what is sent in the end). */
  function snapshot(kind, args) {
    const payload = PAYLOADS[kind](...args);
    if (kind === 'dashboard' && !payload.dashboardData && !payload.tradingState) throw new TypeError('no dashboard given');
    const text = JSON.stringify(payload);
    if (!text || text[0] !== '{') throw new TypeError('a ' + kind + ' must be an object');
    return text;
  }

  /**
   * Makes a capture of a snapshot and queues it. Who and when are those of the call; everything else waits for the
   * microtask after it, when the page's own save is already on its way (and a navigation has not begun yet).
   */
  async function capture(kind, text, user) {
    const capture_id = uuid();
    const capture_timestamp = new Date().toISOString();
    const here = whoIsHere(); // first: a logout ends what identify() said
    const nearby = [identified, quietly(() => personIn(user)), here];
    await null;
    const body = mask(JSON.parse(text));
    const person = personOf(body, nearby);
    // A dashboard rewritten by the logout itself holds default figures; they are nobody's.
    if (kind === 'dashboard' && departed.size && (!person || departed.has(keyOf(person)))) {
      throw new Error('nobody is signed in any more');
    }
    Object.assign(body, { capture_id, capture_timestamp });
    const item = { id: capture_id, kind, email: '', text: '', bytes: 0, failures: 0, retryAt: 0, sending: 0, leaving: 0 };
    write(item, body);
    if (person) attribute(item, person);
    log('captured', kind, capture_id);
    return new Promise((settle) => {
      item.settle = settle;
      keep(item);
      pump();
    });
  }

  function write(item, body) {
    item.text = JSON.stringify(body);
    item.bytes = new TextEncoder().encode(item.text).length;
  }

  /** On plain http other than localhost there is no randomUUID, but there are random bytes. */
  function uuid() {
    if (crypto.randomUUID) return crypto.randomUUID();
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64; // version 4
    bytes[8] = (bytes[8] & 63) | 128; // variant of RFC 9562
    const hex = Array.from(bytes, (byte) => (byte + 256).toString(16).slice(1)).join('');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  // How a key ends, in lower case and without what stands between words: accessToken, API_KEY, "card number".
  const SECRET = new RegExp(
    '(password|passwd|passphrase|passcode|pwd|cvv|cvc|securitycode|cardnumber|token|apikey|accesskey|secretkey|privatekey|' +
    'secret|seedphrase|recoveryphrase|mnemonic|authorization)$|^(card)?pin$'
  );
  const REDACTED = '[redacted]';

  /** Secrets leave neither this page nor this function. The value is a fresh parse, so it is changed in place. */
  function mask(value) {
    if (!value || typeof value !== 'object') return value;
    for (const key of Object.keys(value)) {
      const inner = value[key];
      if (inner === null || inner === '' || typeof inner === 'boolean') continue; // "showPassword": false is no secret
      if (SECRET.test(key.toLowerCase().replace(/[^a-z0-9]/g, ''))) value[key] = REDACTED;
      else if (typeof inner === 'object') mask(inner);
      else if (typeof inner === 'string' && /^\s*[[{]/.test(inner)) value[key] = maskText(inner);
    }
    return value;
  }

  /** JSON inside a string, as pages keep it in storage and pass it on. It stays as it was when it holds no secret. */
  function maskText(text) {
    try {
      const masked = JSON.stringify(mask(JSON.parse(text)));
      return masked.includes(REDACTED) ? masked : text;
    } catch (_) {
      return text; // braces, but no JSON
    }
  }

  // ---------------------------------------------------------------------------------------------------- identity

  // Who it is: the payload's own user_email; identify(); the call's `user` argument; any other address in the payload;
  // then what the site keeps. There, who is signed in (current_user, a Supabase session) comes before what is merely
  // remembered. Sites leave remembered copies behind at logout, so:
  //  - once somebody who was signed in is not any more, neither they nor anyone that the remembered copies named
  //    meanwhile count, until they are signed in again, or a copy names somebody new;
  //  - the copies known to outlive a logout (LEFT_BEHIND) count only when nothing else names somebody different.
  const REMEMBERED = [['localStorage', 'userData'], ['localStorage', 'currentUser'], ['sessionStorage', 'currentUser']];
  const LEFT_BEHIND = [['localStorage', 'user_data'], ['sessionStorage', 'userData']];

  let identified = null; // what identify() was told
  let signedIn = null; // {person, others}: who was signed in at the last look, and whom the copies named then
  const departed = new Set(); // addresses that were signed out while we looked

  /** A usable address, or nothing. */
  function address(text) {
    const email = typeof text === 'string' ? text.trim() : '';
    return /^[^\s@]+@[^\s@]+$/.test(email) && !placeholders.has(email.toLowerCase()) ? email : '';
  }

  function firstText(record, keys) {
    for (const key of keys) {
      const text = record[key];
      if (typeof text === 'string' && text.trim()) return text.trim();
    }
    return '';
  }

  function firstAddress(record, keys) {
    return keys.map((key) => address(record[key])).find(Boolean) || '';
  }

  const keyOf = (person) => person.email.toLowerCase();

  /** The person in a user's record: address, name and id, and never what lies beside them (token, password). */
  function personIn(record) {
    if (typeof record === 'string') record = { email: record };
    if (!record || typeof record !== 'object') return null;
    const email = firstAddress(record, ['email', 'user_email', 'userEmail']);
    if (!email) return record.user && record.user !== record && !record.user.user ? personIn(record.user) : null;
    const id = [record.id, record.user_id].find((value) => /number|string/.test(typeof value));
    return {
      email,
      name: firstText(record, ['name', 'fullName', 'full_name', 'user_name', 'userName', 'username']) ||
        firstText(record.user_metadata || {}, ['full_name', 'name']),
      id: /^(\d{1,15}|[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12})$/i.test(id) ? id : '',
    };
  }

  /** Whose capture it is. The name and the id may come from another place that names the same address. */
  function personOf(body, nearby) {
    const name = firstText(body, ['user_name', 'userName']);
    const named = (email) => email && { email, name, id: '' };
    const [told, argument, here] = nearby;
    const candidates = [
      named(firstAddress(body, ['user_email', 'userEmail'])),
      told,
      argument,
      named(firstAddress(body, ['email', 'customer_email'])),
      ...[body.userData, body.user, body.userProfile, body.dashboardData, body.tradingState].map(personInside),
      here,
    ].filter(Boolean);
    const person = candidates[0];
    if (!person) return null;
    const same = candidates.filter((other) => keyOf(other) === keyOf(person));
    const known = (member) => same.map((other) => other[member]).find(Boolean) || '';
    return { email: person.email, name: known('name'), id: known('id') };
  }

  function personInside(record) {
    return personIn(record) || (record && typeof record === 'object' ? personIn(record.userProfile || record.userData) : null);
  }

  function stored([area, key]) {
    return quietly(() => { // where storage is blocked, touching it throws
      const text = readItem.call(window[area], key);
      return personIn(text && /^\s*[{"]/.test(text) ? JSON.parse(text) : text);
    });
  }

  /** supabase-js keeps its session under sb-<project>-auth-token. */
  function supabaseUser() {
    return quietly(() => {
      const key = Object.keys(localStorage).find((name) => /^sb-.+-auth-token$/.test(name));
      return key && stored(['localStorage', key]);
    });
  }

  /** Who the site says is here, now; and takes note of who is not any more. */
  function whoIsHere() {
    const present = stored(['localStorage', 'current_user']) || supabaseUser();
    const kept = REMEMBERED.map(stored).concat(quietly(() => personIn(window.currentUser))).filter(Boolean);
    const left = LEFT_BEHIND.map(stored).filter(Boolean);
    if (signedIn && !(present && keyOf(present) === keyOf(signedIn.person))) {
      for (const person of signedIn.others.concat(signedIn.person)) departed.add(keyOf(person));
      if (identified && keyOf(identified) === keyOf(signedIn.person)) identified = null;
    }
    signedIn = present ? { person: present, others: kept.concat(left) } : null;
    if (present) {
      departed.delete(keyOf(present));
      return present;
    }
    const counts = (person) => !departed.has(keyOf(person));
    const named = kept.filter(counts);
    if (named.length) return named[0];
    const [first, ...rest] = left.filter(counts);
    return first && rest.every((person) => keyOf(person) === keyOf(first)) ? first : null;
  }

  /** Gives a capture its person. The payload's own keys stay, unless the address there is a placeholder. */
  function attribute(item, person) {
    const body = JSON.parse(item.text);
    if (!address(body.user_email)) body.user_email = person.email;
    if (!body.user_name && person.name) body.user_name = person.name;
    if (!body.user_id && !body.userId && person.id) body.user_id = person.id;
    item.email = keyOf(person);
    write(item, body);
  }

  /** Captures made before anybody was known get their person as soon as there is one. */
  function attributeWaiting() {
    const here = whoIsHere(); // first, as above
    const person = identified || here;
    if (person) waiting().filter((item) => !item.email).forEach((item) => attribute(item, person));
  }

  // ------------------------------------------------------------------------------------------------------- queue

  // Where captures wait, in order. Nothing but these three functions knows that it is an array in memory.
  let queue = [];

  function waiting() {
    return queue;
  }

  function forget(item) {
    queue = queue.filter((other) => other !== item);
  }

  function keep(item) {
    queue.push(item);
    while (queue.length > QUEUE_COUNT || queue.reduce((sum, { bytes }) => sum + bytes, 0) > QUEUE_BYTES) {
      const kind = KEPT_LONGEST.slice().reverse().find((name) => queue.some((other) => other.kind === name));
      const oldest = queue.find((other) => other.kind === kind);
      forget(oldest);
      log('no room for', oldest.kind, oldest.id);
      oldest.settle({ success: false, error: 'too much is waiting: the oldest was dropped' });
    }
  }

  let gone = false; // the page was left; it may come back from the back/forward cache
  let inFlight = 0;
  let timer = 0;
  let quietUntil = 0; // Retry-After speaks for the whole service, a failure only for its own capture
  let whenIdle = [];
  const queued = () => ({ success: false, queued: true });

  /** Sends what is due: of each person and kind the oldest only, so that their order is kept. */
  function pump() {
    clearTimeout(timer);
    if (gone) return;
    if (waiting().some((item) => !item.email)) attributeWaiting();
    const base = waiting().length ? locate() : '';
    const now = performance.now();
    if (base === null) {
      if (probing) return; // its answer pumps
      for (const item of waiting()) item.settle(queued());
      timer = setTimeout(pump, probeAt - now);
      return letGo();
    }
    const heads = new Map();
    let next = Infinity;
    for (const item of waiting().slice()) {
      const lane = item.kind + ' ' + item.email;
      if (!item.email) item.settle(queued()); // nobody yet
      else if (heads.has(lane)) {
        if (heads.get(lane).retryAt > now) item.settle(queued());
      } else {
        heads.set(lane, item);
        const due = Math.max(item.retryAt, quietUntil);
        if (item.sending) continue;
        if (due > now) {
          next = Math.min(next, due);
          item.settle(queued());
        } else if (inFlight < IN_FLIGHT_AT_ONCE) send(base, item, false);
      }
    }
    if (next < Infinity) timer = setTimeout(pump, next - now);
    if (!inFlight) letGo();
  }

  /** Whoever waits for flush() waits no longer: what could be sent has been. */
  function letGo() {
    whenIdle.splice(0).forEach((idle) => idle());
  }

  /** Online again, visible again, somebody known: backoff is over. What Retry-After asked for still holds. */
  function wake() {
    for (const item of waiting()) item.retryAt = 0;
    probeAt = 0;
    pump();
  }

  /** Full jitter, so that the pages of a site do not come back all at once. */
  function jitter(failures) {
    return Math.random() * Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** failures);
  }

  function postpone(item, unreachable) {
    item.unreachable = unreachable;
    item.retryAt = performance.now() + jitter(item.failures);
    item.failures += 1;
    item.settle(queued());
  }

  /** The page is going, perhaps for good: only keepalive requests outlive it, so all that fits leaves by one now. */
  function leave() {
    attributeWaiting();
    const base = waiting().length && locate();
    if (!base) return;
    const order = waiting().slice().sort((a, b) => KEPT_LONGEST.indexOf(a.kind) - KEPT_LONGEST.indexOf(b.kind));
    for (const item of order) {
      if (item.email && !item.leaving && !(item.unreachable && afterwards(base, item))) send(base, item, true);
    }
  }

  /** Chromium can send after the page is gone. Where nobody answered just now that fails, too, but without a console error. */
  function afterwards(base, item) {
    return quietly(() => window.fetchLater && fetchLater(base + '/api/data-capture/' + item.kind, {
      method: 'POST', body: item.text, credentials: 'omit', referrerPolicy: 'no-referrer', activateAfter: 0,
    }));
  }

  // ----------------------------------------------------------------------------------------------------- network

  let endpoint = ''; // of the capture service, without a slash at its end
  let probing = null;
  let probes = 0; // in vain
  let probeAt = 0;
  let keepaliveBytes = 0;

  /**
   * Where captures go: where this script came from, if that is a capture service. Payloads are not sent to find out:
   * the service says so in the Server-Timing of the script itself; where nothing says so, its health is asked for.
   * Returns null as long as nobody knows.
   */
  function locate() {
    if (endpoint) return endpoint;
    const base = source && new URL('.', source).href.slice(0, -1);
    if (base && cameFromService()) endpoint = base;
    else if (config.endpoint) endpoint = quietly(() => new URL(config.endpoint, document.baseURI).href.replace(/\/+$/, ''));
    if (!endpoint && !base) endpoint = besideThePage();
    if (endpoint) return endpoint;
    if (!probing && performance.now() >= probeAt) probing = probe([base, besideThePage()]);
    return null;
  }

  /** Asks one after the other who they are. */
  async function probe(candidates) {
    for (const base of candidates) {
      if (!endpoint && (await health(base)).service === 'enhanced-data-capture') endpoint = base;
    }
    probing = null;
    if (!endpoint) probeAt = performance.now() + jitter(probes++);
    log('endpoint', endpoint);
    pump();
  }

  function cameFromService() {
    return performance.getEntriesByName(source).some((entry) =>
      Array.from(entry.serverTiming || []).some((metric) => metric.name === 'enhanced-data-capture'));
  }

  /** Port 5003 of the page's own host. An https page may not call http, and a file has no host. */
  function besideThePage() {
    return /^https?:/.test(location.protocol)
      ? location.protocol + '//' + location.hostname + ':5003'
      : 'http://127.0.0.1:5003';
  }

  /**
   * One request, with an end: {status, text, retryAfter}; status 0 when there was no answer. It runs in the page and in
   * the courier, so it uses nothing of what is around it.
   */
  async function exchange(scope, url, options, patience) {
    const abort = new AbortController();
    const limit = scope.setTimeout(() => abort.abort(), patience);
    const result = { status: 0, text: '', retryAfter: null, reason: '' };
    try {
      const response = await scope.fetch(url, Object.assign({ signal: abort.signal }, options));
      result.retryAfter = response.headers.get('Retry-After');
      result.text = await response.text();
      result.status = response.status; // only now: an answer cut short is none
    } catch (reason) {
      result.reason = String(reason); // unreachable, blocked or timed out
    }
    scope.clearTimeout(limit);
    return result;
  }

  // The browser writes an error into the page's console for each request that finds nobody, and no script can keep it
  // from that; for a worker's it does not. So ordinary requests are a worker's where one can be had for certain: from
  // this script's own URL on its own origin, or from a blob in a file. Elsewhere a Content Security Policy might forbid
  // it, which would be an error of its own, and there is no way to ask.
  let courier = null;
  let courierWorks = window.Worker && (location.protocol === 'file:' || (source && new URL(source).origin === location.origin));
  let courierRest = 0;
  let callCount = 0;
  const calls = new Map(); // number → how to settle it

  /** What `exchange` returns, from the courier or, where there is none, from the page itself. */
  function outside(...call) {
    if (!courierWorks || !(courier || startCourier())) return exchange(page, ...call);
    clearTimeout(courierRest);
    return new Promise((settle) => {
      const number = (callCount += 1);
      calls.set(number, { settle, again: () => exchange(page, ...call).then(settle) });
      courier.postMessage([number, ...call]);
    });
  }

  function startCourier() {
    return quietly(() => {
      const inFile = () => URL.createObjectURL(new Blob([
        exchange + '\nonmessage = async ({ data: [number, ...call] }) => postMessage([number, await exchange(self, ...call)]);',
      ]));
      const url = location.protocol === 'file:' ? inFile() : source;
      courier = new Worker(url, { name: COURIER });
      courier.onmessage = ({ data: [number, result] }) => {
        const waits = calls.get(number);
        calls.delete(number);
        if (!calls.size) courierRest = setTimeout(() => dismissCourier(), COURIER_IDLE_MS);
        if (waits) waits.settle(result);
      };
      courier.onerror = (event) => {
        event.preventDefault(); // or it would be the page's error
        courierWorks = false;
        dismissCourier();
      };
      return courier;
    });
  }

  /** What it was still about is done by the page itself; or, when the page is going, not at all. */
  function dismissCourier(going) {
    clearTimeout(courierRest);
    if (courier) courier.terminate();
    courier = null;
    const outstanding = Array.from(calls.values());
    calls.clear();
    for (const call of outstanding) {
      if (going) call.settle({ status: 0, text: '', retryAfter: null, reason: 'the page was left' });
      else call.again();
    }
  }

  /** One request to the service: {status, answer, retryAfter}; status 0 when the service did not answer. */
  async function request(url, options, bytes, direct) {
    const { status, text, retryAfter, reason } = await (direct ? exchange.bind(null, page) : outside)(
      url,
      Object.assign({
        mode: 'cors', // nothing readable without it, and a capture is only safe when its answer is read
        credentials: 'omit',
        cache: 'no-store',
        redirect: 'error', // a payload goes to the endpoint and nowhere else
        referrerPolicy: 'no-referrer', // a page's address may hold what is not ours
      }, options),
      TIMEOUT_MS + bytes / SLOWEST_UPLINK_BYTES_PER_MS
    );
    if (reason) log(reason);
    return { status, answer: quietly(() => JSON.parse(text || 'null')), retryAfter };
  }

  async function health(base) {
    const { answer } = await request(base + '/api/data-capture/health', {}, 0);
    const none = { success: false, status: 'unreachable', error: 'no answer from ' + base };
    return answer && typeof answer === 'object' ? answer : none;
  }

  /**
   * Sends one capture. A plain string goes as text/plain, which needs no preflight: a preflighted request does not
   * outlive a navigation. Retries are sent without keepalive, in case it was the browser's budget that failed them.
   */
  async function send(base, item, leaving) {
    const direct = leaving || !courierWorks; // a courier does not outlive the page, so there is nothing to keep alive
    const keepalive = direct && keepaliveBytes + item.bytes <= KEEPALIVE_BUDGET_BYTES && (leaving || !item.failures);
    if (leaving && !keepalive) return;
    const held = keepalive ? item.bytes : 0;
    inFlight += 1;
    item.sending += 1;
    item.leaving += keepalive ? 1 : 0;
    keepaliveBytes += held;
    const { status, answer, retryAfter } = await request(
      base + '/api/data-capture/' + item.kind,
      { method: 'POST', body: item.text, keepalive },
      item.bytes,
      direct
    );
    inFlight -= 1;
    item.sending -= 1;
    item.leaving -= keepalive ? 1 : 0;
    keepaliveBytes -= held;
    log(item.kind, item.id, status);
    if (retryAfter) quietUntil = performance.now() + waitOf(retryAfter);
    if (status >= 200 && status < 300 && answer && answer.success === true) {
      forget(item);
      item.settle(answer);
      for (const other of waiting()) if (other.unreachable) other.retryAt = 0; // it can be reached again
    } else if (status >= 400 && status < 500 && ![408, 425, 429].includes(status)) {
      forget(item);
      item.settle(Object.assign({ error: 'HTTP ' + status }, answer, { success: false }));
    } else postpone(item, !status);
    pump();
  }

  /** Milliseconds asked for by a Retry-After, in seconds or as a date (RFC 9110, 10.2.3). */
  function waitOf(retryAfter) {
    const wait = /^\s*\d+\s*$/.test(retryAfter) ? retryAfter * 1000 : Date.parse(retryAfter) - Date.now();
    return Math.max(0, Math.min(wait || 0, RETRY_AFTER_CAP_MS));
  }

  // --------------------------------------------------------------------------------------------------------- API

  /** Whatever is handed in or goes wrong: a promise, and it is never rejected. */
  function harmless(work) {
    return async (...args) => {
      try {
        return await work(...args);
      } catch (reason) {
        log(reason);
        return { success: false, error: quietly(() => String((reason && reason.message) || reason)) || 'unusable' };
      }
    };
  }

  const captures = (kind) => harmless((...args) => {
    if (!enabled) throw new Error('capturing is switched off');
    return capture(kind, snapshot(kind, args), kind === 'dashboard' ? args[3] : null);
  });

  window.enhancedDataCapture = Object.freeze({
    version: VERSION,
    capturePaymentData: captures('payment'),
    captureQuestionnaireData: captures('questionnaire'),
    captureDashboardData: captures('dashboard'),
    captureTradingActivity: captures('activity'),

    /** identify({email, name}) tells who is here; identify(null), that it is nobody that we were told of. */
    identify: harmless((user) => {
      const person = personIn(user);
      if (user && !person) throw new TypeError('no usable email');
      identified = person;
      if (person) wake();
      return { success: true };
    }),

    /** What was captured before is still delivered; nothing more is captured in this page until it is enabled again. */
    setEnabled: harmless((wanted) => {
      enabled = Boolean(wanted);
      look();
      return { success: true, enabled };
    }),

    /** Tries everything that waits, now. */
    flush: harmless(async () => {
      await null; // a capture made just before has reached the queue by then
      await new Promise((idle) => {
        whenIdle.push(idle);
        wake();
      });
      const left = waiting().length;
      return left ? Object.assign({ waiting: left }, queued()) : { success: true };
    }),

    healthCheck: harmless(async () => {
      if (!locate()) await probing;
      return health(endpoint || besideThePage());
    }),
  });

  // ------------------------------------------------------------------------------------------------------- start

  // Everything that can come before a new definition is used: a node added (the parser adds the next script before it
  // runs it), a script loaded, a stage of loading reached, a click about to be handled. `load` does not pass through
  // window on its way to an element, so both are listened to. Looking is cheaper than asking what the event was about.
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
  for (const type of ['load', 'readystatechange']) document.addEventListener(type, look, true);
  for (const type of ['DOMContentLoaded', 'load', 'click', 'submit']) window.addEventListener(type, look, true);

  setInterval(() => {
    look();
    if (enabled) quietly(whoIsHere);
    if (waiting().some((item) => !item.email)) quietly(pump);
  }, POLL_MS);

  // pagehide, not unload: an unload listener would cost the page its back/forward cache.
  window.addEventListener('pagehide', () => {
    gone = true;
    quietly(leave);
    quietly(() => dismissCourier(true)); // a page with a worker may not be kept for the way back
  });
  window.addEventListener('pageshow', (event) => {
    gone = false;
    if (event.persisted) quietly(wake);
  });
  window.addEventListener('online', () => quietly(wake));
  document.addEventListener('visibilitychange', () => document.hidden || quietly(wake));

  look();
  setTimeout(() => enabled && quietly(whoIsHere)); // later: the first touch of storage may read it from disk
})();
