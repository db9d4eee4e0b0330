// Makes what the script needs of the browser fail at random: storage, worker, locks, network,
// timers and others. It runs before the script. `browserFaults.seed` chooses the faults: for each
// part of the browser one way to fail, or none. The page's own calls do not fail.
{
  const { seed } = window.browserFaults;
  const native = { fetch: fetch.bind(window), Worker };
  const later = setTimeout.bind(window);

  let state = seed >>> 0;
  const random = () => { // mulberry32
    state = (state + 0x6D2B79F5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  for (let n = 0; n < 5; n++) random(); // seeds that follow each other begin alike
  const pick = (...choices) => choices[Math.floor(random() * choices.length)];
  const chance = (share) => faults.active && random() < share;

  /**
   * @property modes the way in which each part of the browser fails
   * @property calls how often the script called a part of the browser
   * @property areas, fetch, setTimeout what the page itself uses
   */
  const faults = Object.assign(window.browserFaults, {
    active: true, modes: {}, calls: 0, fetch: native.fetch, setTimeout: later,
    areas: { localStorage, sessionStorage },
  });
  const mode = (part, healthy, ...modes) => {
    faults.modes[part] = random() < healthy ? 'healthy' : pick(...modes);
    return faults.modes[part];
  };
  /** Counts a call, and says whether the faults last. */
  const isFaulty = () => {
    faults.calls += 1;
    return faults.active;
  };
  const error = (name) => new DOMException('a fault of the test', name);
  const fail = (name) => { throw error(name); };

  // What hangs ends with the faults, as a network does that comes back.
  const hanging = new Set();
  const hang = (signal) => new Promise((_, reject) => {
    hanging.add(reject);
    if (signal && random() < 0.7) signal.addEventListener('abort', () => reject(signal.reason));
  });
  faults.end = () => {
    faults.active = false;
    for (const reject of hanging) reject(error('NetworkError'));
  };

  const replace = (owner, name, make) => {
    const descriptor = Object.getOwnPropertyDescriptor(owner, name);
    if (typeof descriptor?.value !== 'function') return;
    const original = descriptor.value;
    Object.defineProperty(owner, name, { ...descriptor, value: make(original) });
  };
  const replaceGlobal = (name, get) => {
    const value = window[name];
    Object.defineProperty(window, name, {
      configurable: true, enumerable: true, get: () => (isFaulty() ? get(value) : value),
    });
  };

  // IndexedDB: only the script uses it.
  const database = mode(
    'indexedDB', 0.35, 'absent', 'forbidden', 'open throws', 'open fails', 'open hangs',
    'open is slow', 'closes', 'closes for good', 'version changes', 'calls throw', 'requests fail',
    'requests hang', 'transactions abort', 'everything sometimes',
  );
  const fails = (...modes) => (
    modes.includes(database) || (database === 'everything sometimes' && chance(0.2))
  );
  if (database === 'absent') replaceGlobal('indexedDB', () => undefined);
  if (database === 'forbidden') replaceGlobal('indexedDB', () => fail('SecurityError'));
  const passing = new WeakSet();
  const intercept = (target, type, then) => target.addEventListener(type, (event) => {
    if (!faults.active || passing.has(event)) return;
    event.stopImmediatePropagation();
    then?.();
  });
  const dispatch = (target, type) => {
    const event = new Event(type);
    passing.add(event);
    target.dispatchEvent(event);
  };
  let closed = 0;
  replace(IDBFactory.prototype, 'open', (open) => function (...args) {
    if (!isFaulty()) return open.apply(this, args);
    if (fails('open throws')) fail('InvalidStateError');
    if (database === 'closes for good' && closed) fail('UnknownError');
    const request = open.apply(this, args);
    if (fails('open fails')) {
      intercept(request, 'success', () => {
        request.result.close();
        dispatch(request, 'error');
      });
    } else if (fails('open hangs')) {
      intercept(request, 'success', () => request.result.close());
    } else if (fails('open is slow')) {
      const ms = random() * 3000;
      intercept(request, 'success', () => later(() => dispatch(request, 'success'), ms));
    } else if (fails('closes', 'closes for good', 'version changes')) {
      const type = database === 'version changes' ? 'versionchange' : 'close';
      request.addEventListener('success', () => later(() => {
        if (!faults.active) return;
        closed += 1;
        if (type === 'close') request.result.close(); // the event comes after that
        dispatch(request.result, type);
      }, pick(0, 5, 50, 300)));
    }
    return request;
  });
  replace(IDBDatabase.prototype, 'transaction', (transaction) => function (...args) {
    if (isFaulty() && fails('calls throw') && chance(0.5)) fail('InvalidStateError');
    const opened = transaction.apply(this, args);
    if (faults.active && fails('transactions abort') && chance(0.6)) {
      later(() => { try { opened.abort(); } catch { /* it is over */ } }, pick(0, 1));
    }
    if (faults.active && fails('requests hang') && chance(0.6)) intercept(opened, 'complete');
    return opened;
  });
  for (const name of ['put', 'add', 'delete', 'get', 'getAll', 'clear', 'openCursor']) {
    replace(IDBObjectStore.prototype, name, (call) => function (...args) {
      if (isFaulty() && fails('calls throw') && chance(0.5)) {
        fail(pick('DataError', 'TransactionInactiveError', 'QuotaExceededError'));
      }
      const request = call.apply(this, args);
      if (faults.active && fails('requests hang') && chance(0.6)) intercept(request, 'success');
      if (faults.active && fails('requests fail') && chance(0.6)) {
        intercept(request, 'success', () => dispatch(request, 'error'));
      }
      return request;
    });
  }
  replace(IDBTransaction.prototype, 'commit', (commit) => function () {
    if (isFaulty() && fails('calls throw') && chance(0.5)) fail('InvalidStateError');
    return commit.call(this);
  });

  // Web storage. The page keeps its own references, and has other keys than the script.
  for (const area of ['localStorage', 'sessionStorage']) {
    const found = mode(area, 0.5, 'absent', 'forbidden', 'full', 'reading throws', 'garbage');
    if (found === 'absent') replaceGlobal(area, () => null);
    if (found === 'forbidden') replaceGlobal(area, () => fail('SecurityError'));
  }
  const isOfScript = (key) => /^enhanced-data-capture|user|token|auth|session/i.test(key);
  const modeOf = (storage) => {
    const name = storage === faults.areas.localStorage ? 'localStorage' : 'sessionStorage';
    return faults.modes[name];
  };
  replace(Storage.prototype, 'getItem', (getItem) => function (key) {
    if (isOfScript(key) && isFaulty()) {
      if (modeOf(this) === 'reading throws' && chance(0.5)) fail('SecurityError');
      if (modeOf(this) === 'garbage') {
        return pick('{', 'null', '[1]', '"x"', '{"c1":{"id":"c1","kind":"payment"}}', '{"c2":7}');
      }
    }
    return getItem.call(this, key);
  });
  for (const name of ['setItem', 'removeItem']) {
    replace(Storage.prototype, name, (call) => function (key, ...rest) {
      if (isOfScript(key) && isFaulty() && modeOf(this) === 'full') fail('QuotaExceededError');
      return call.call(this, key, ...rest);
    });
  }
  const cookie = Object.getOwnPropertyDescriptor(Document.prototype, 'cookie');
  if (mode('cookie', 0.7, 'forbidden') === 'forbidden') {
    Object.defineProperty(Document.prototype, 'cookie', {
      ...cookie, get() { return isFaulty() ? fail('SecurityError') : cookie.get.call(this); },
    });
  }

  // The network: requests to the service. What a worker sends meets the same faults.
  const network = mode(
    'network', 0.2, 'refused', 'throws', 'hangs', 'garbage', 'unavailable', 'pauses', 'blocks',
    'breaks off', 'everything sometimes',
  );
  const garbage = () => pick(
    '', '<!doctype html><title>log in</title>', '{}', 'null', '[]', '{"success":"yes"}', '{"answers":',
    '{"answers":[{"status":503}]}', '{"answers":{"length":1e9}}', JSON.stringify('x'.repeat(1e5)),
  );
  /** Returns [status, text, Retry-After], or nothing if there is no response. */
  const response = () => {
    const kind = network === 'everything sometimes'
      ? pick('refused', 'garbage', 'unavailable', 'healthy') : network;
    if (kind === 'garbage') return [pick(200, 201, 202, 500, 302, 599), garbage(), null];
    if (kind === 'unavailable') return [pick(408, 425, 429, 500, 502, 503, 504), garbage(), null];
    if (kind === 'pauses') {
      return [pick(429, 503), '', pick(
        '99999999999999999999', '1e400', '-1', 'soon', '', '3600', 'Fri, 31 Dec 9999 23:59:59 GMT',
      )];
    }
    if (kind === 'blocks') return [pick(401, 403, 404, 405, 410, 421), garbage(), null];
    return kind;
  };
  window.fetch = function fetch(...args) {
    const url = String(args[0]?.url ?? args[0]);
    if (!url.includes('/api/data-capture/') || !isFaulty()) {
      return native.fetch(...args);
    }
    const answer = response();
    if (answer === 'throws') fail('SecurityError');
    if (answer === 'refused') return Promise.reject(new TypeError('Failed to fetch'));
    if (answer === 'hangs') return hang(args[1]?.signal);
    if (answer === 'healthy') return native.fetch(...args);
    if (answer === 'breaks off') {
      const body = new ReadableStream({ start: (c) => later(() => c.error(error('NetworkError')), 5) });
      return Promise.resolve(new Response(body, { status: 200 }));
    }
    const [status, text, retryAfter] = answer;
    const headers = retryAfter === null ? {} : { 'Retry-After': retryAfter };
    return Promise.resolve(new Response(text, { status, headers }));
  };
  const worker = mode('worker', 0.4, 'absent', 'forbidden', 'error', 'silent', 'nonsense');
  if (worker === 'absent') replaceGlobal('Worker', () => undefined);
  class FaultyWorker extends native.Worker {
    constructor(...args) {
      if (isFaulty() && worker === 'forbidden') fail('SecurityError');
      super(...args);
    }

    postMessage(...args) {
      const say = (data) => later(() => this.dispatchEvent(new MessageEvent('message', { data })), 1);
      if (!isFaulty()) return super.postMessage(...args);
      if (worker === 'error') later(() => dispatch(this, 'error'), 1);
      else if (worker === 'nonsense') say(pick(null, undefined, 7, 'x', {}, [], [{}], [0], [NaN, 5]));
      else if (worker !== 'silent') {
        const answer = response();
        if (answer === 'healthy') return super.postMessage(...args);
        if (answer !== 'hangs') say(Array.isArray(answer) ? answer : [0]);
      }
      return undefined;
    }
  }
  if (worker !== 'absent') window.Worker = FaultyWorker;

  // Locks, timers and others.
  const locks = mode(
    'locks', 0.4, 'absent', 'forbidden', 'throws', 'rejects', 'hangs', 'late', 'rejects afterwards',
  );
  if (navigator.locks) {
    const manager = navigator.locks;
    const faulty = {
      request(...args) {
        if (!isFaulty()) return manager.request(...args);
        if (locks === 'throws') fail('SecurityError');
        if (locks === 'rejects') return Promise.reject(error('InvalidStateError'));
        if (locks === 'hangs') return hang(args[1].signal);
        if (locks === 'rejects afterwards') {
          return manager.request(...args).then(() => Promise.reject(error('AbortError')));
        }
        if (locks !== 'late') return manager.request(...args);
        return new Promise((resolve) => later(resolve, 200)).then(() => manager.request(...args));
      },
      query: () => manager.query(),
    };
    Object.defineProperty(Navigator.prototype, 'locks', {
      configurable: true,
      get() {
        if (!isFaulty()) return manager;
        if (locks === 'forbidden') fail('SecurityError');
        return locks === 'absent' ? undefined : faulty;
      },
    });
  }
  const timers = mode('timers', 0.5, 'clamped', 'late');
  for (const name of ['setTimeout', 'setInterval']) {
    const timer = window[name];
    window[name] = (work, ms = 0, ...rest) => {
      faults.calls += 1;
      if (timers === 'clamped' && faults.active) ms = Math.max(ms, 1000);
      if (timers === 'late' && faults.active) ms += random() * 200;
      return timer.call(window, work, ms, ...rest);
    };
  }
  const entries = mode('performance', 0.6, 'cleared', 'throws');
  for (const name of ['getEntries', 'getEntriesByName', 'getEntriesByType']) {
    replace(Performance.prototype, name, (get) => function (...args) {
      if (isFaulty() && entries === 'throws') fail('InvalidAccessError');
      return faults.active && entries === 'cleared' ? [] : get.apply(this, args);
    });
  }
  if (mode('crypto', 0.8, 'throws') === 'throws') {
    replace(Crypto.prototype, 'getRandomValues', (get) => function (array) {
      return isFaulty() ? fail('OperationError') : get.call(this, array);
    });
    replace(Crypto.prototype, 'randomUUID', (get) => function () {
      return isFaulty() ? fail('OperationError') : get.call(this);
    });
  }
  const observer = mode('MutationObserver', 0.85, 'absent', 'throws', 'observe throws');
  replace(MutationObserver.prototype, 'observe', (observe) => function (...args) {
    if (isFaulty() && observer === 'observe throws') fail('NotSupportedError');
    return observe.apply(this, args);
  });
  if (observer === 'absent') replaceGlobal('MutationObserver', () => undefined);
  if (observer === 'throws') {
    replaceGlobal('MutationObserver', () => class { constructor() { fail('NotSupportedError'); } });
  }
  if (mode('others', 0.6, 'throw') === 'throw') {
    for (const name of ['BroadcastChannel', 'structuredClone', 'requestIdleCallback']) {
      if (name in window) replaceGlobal(name, () => () => fail('NotSupportedError'));
    }
    replace(Blob.prototype, 'text', (text) => function () {
      return isFaulty() ? Promise.reject(error('NotReadableError')) : text.call(this);
    });
  }
}
