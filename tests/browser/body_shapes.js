// Texts and objects that are expensive to capture, each of about `size` characters, and the saves
// with them. Every entry prepares its data and returns the save, so that only the save is measured.
(() => {
  const fill = (unit) => (size) => unit.repeat(Math.ceil(size / unit.length)).slice(0, size);
  const count = (size, each) => Math.round(size / each);

  const TEXTS = {
    'token beginnings': fill('eyJ'),
    'token beginnings with hyphens': fill('eyJ-'),
    'halves of tokens': fill('eyJaaaaaaaa.'),
    'tokens': fill('eyJaaaaaaaa.aaaaaaaa.a '),
    'one digit': fill('4'),
    'digits and spaces': fill('4 '),
    'groups of four': fill('4242 '),
    'card numbers': fill('4242424242424242 '),
    'card numbers with hyphens': fill('4242-4242-4242-4242-'),
    'pass=': fill('pass='),
    'pass': fill('pass'),
    'secrets': fill('token=abc '),
    'a secret word and spaces': (size) => 'token' + ' '.repeat(size),
    'secret words and spaces': fill('token    '),
    'a secret word and backslashes': (size) => 'token' + '\\'.repeat(size),
    'a secret word, equals and spaces': (size) => 'token=bearer' + ' '.repeat(size),
    'open quotes': fill('token="'),
    'quotes': fill('"'),
    'apostrophes': fill("'"),
    'backslashes': fill('\\'),
    'private keys that end': fill('-----BEGIN PRIVATE KEY-----x-----END PRIVATE KEY-----'),
    'private keys without an end': fill('-----BEGIN PRIVATE KEY-----'),
    'hyphens': fill('-'),
    'bearers': fill('Bearer '),
    'bearer tokens': fill('Bearer abcdefghijklmnop '),
    'key beginnings': fill('sk_live_'),
    'wallet keys': fill('xprv'),
    'open brackets': fill('['),
    'open objects': fill('{"a":'),
    'unfinished JSON': fill('{"token":"'),
    'mail addresses': fill('a@'),
    'dots': fill('.'),
    'slashes': fill('/'),
    'words with gaps': fill('api key security code card number '),
    'line ends': fill('\n'),
    'lone surrogates': fill('\ud800'),
    'letters beyond ASCII': fill('\u0130\u00df'),
    'a text that begins like a picture': (size) => 'iVBORw0KGg' + 'A'.repeat(size) + '!',
    'JSON in JSON in JSON': (size) => {
      let text = JSON.stringify({ note: 'x'.repeat(size / 2), token: 's3cret' });
      while (text.length < size) text = JSON.stringify({ text });
      return text;
    },
  };

  const nested = (levels, wrap) => {
    let value = 1;
    for (let level = 0; level < levels; level++) value = wrap(value);
    return value;
  };
  const list = (length, item) => Array.from({ length }, (_, n) => item(n));
  const object = (length, key, value) =>
    Object.fromEntries(list(length, (n) => [key(n), value(n)]));

  const PAYLOADS = {
    'nested arrays': (size) => nested(count(size, 20), (value) => [value]),
    'nested objects': (size) => nested(count(size, 20), (a) => ({ a })),
    'nested arrays with texts': (size) =>
      nested(count(size, 100), (value) => ['x'.repeat(90), value]),
    'keys': (size) => object(count(size, 8), (n) => 'k' + n, () => 1),
    'keys that mask alike': (size) =>
      object(count(size, 16), (n) => 'pwd=a'.padEnd(9, n), () => 1),
    'keys that are spelled alike': (size) =>
      object(count(size, 16), (n) => 'a' + '_'.repeat(n % 7) + n, () => ''),
    'a long key': (size) => ({ ['k'.repeat(size)]: 1 }),
    'a long key of signs': (size) => ({ ['_-'.repeat(size / 2)]: 1 }),
    'small texts': (size) => list(count(size, 6), () => 'abc'),
    'small numbers': (size) => list(count(size, 3), (n) => n % 10),
    'numbers like cards': (size) => list(count(size, 17), (n) => 4242424242424242 + n),
    'holes': (size) => Array(count(size, 5)),
    'order numbers': (size) => list(count(size, 24), (order_id) => ({ order_id })),
    'bytes': (size) => ({ file: new Uint8Array(count(size, 10)) }),
  };
  const thrower = (error) => () => { throw error; };
  const OBJECTS = {
    'a hundred million holes': () => ({ list: Array(1e8) }),
    'ten million bytes': () => ({ file: new Uint8Array(1e7) }),
    'an object that is reached by a billion paths': () =>
      nested(30, (value) => ({ a: value, b: value })),
    'a cycle': () => { const cycle = {}; cycle.self = cycle; return cycle; },
    'a getter that throws': () => ({ get amount() { throw new Error('no'); } }),
    'a getter that throws an object with traps': () => ({
      get amount() { throw new Proxy({}, { get: thrower(1), getPrototypeOf: thrower(2) }); },
    }),
    'a toJSON that throws': () => ({ toJSON() { throw null; } }),
    'a proxy that throws': () =>
      new Proxy({}, { get: thrower(1), ownKeys: thrower(2), getPrototypeOf: thrower(3) }),
    'a revoked proxy': () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
    'a proxy of endless depth': () => {
      const endless = new Proxy({}, {
        get: (_, name) => (name === 'a' ? endless : undefined),
        ownKeys: () => ['a'],
        getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }),
      });
      return endless;
    },
    'a BigInt': () => ({ amount: 1n }),
    'symbols': () => ({ [Symbol('a')]: 1, b: Symbol('b') }),
    'an invalid date': () => ({ at: new Date(NaN) }),
    'maps and sets': () => ({ map: new Map([[1, 2]]), set: new Set([1]) }),
    'an element': () => ({ form: document.body }),
    'the window': () => window,
    'the window inside': () => ({ window }),
    'a foreign window': () => ({ frame: document.querySelector('iframe').contentWindow }),
    'a function': () => () => 0,
    'nothing': () => undefined,
    'null': () => null,
  };

  const post = (path, body) => () => { fetch(path, { method: 'POST', body }).catch(() => 0); };
  const xhr = (path, body) => () => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    request.send(body);
  };
  const beacon = (path) => () => navigator.sendBeacon(path, '{}');
  const many = (size, each, save) => () => { for (let n = 0; n < count(size, each); n++) save(n); };
  const submit = () => {
    const event = new Event('submit', { bubbles: true, cancelable: true });
    document.querySelector('#checkout').dispatchEvent(event);
  };
  const form = (attributes, inputs) => {
    document.querySelector('#checkout')?.remove();
    document.body.insertAdjacentHTML('beforeend',
      `<form id="checkout" class="payment" target="away" hidden ${attributes}>${inputs}</form>`);
    return submit;
  };

  const SAVES = {
    'a URL of slashes': (size) => post('/' + 'a/'.repeat(10) + '/'.repeat(size) + 'x', '{"a":1}'),
    'a URL of one word': (size) => post('/a' + '_payment'.repeat(size / 8) + '!', '{"a":1}'),
    'a URL of words': (size) => post('/payments/verify'.repeat(size / 16) + '%0Ax', '{"a":1}'),
    'a URL of a rule\'s words': (size) => xhr('/shop/order'.repeat(size / 11) + 'x', '{"a":1}'),
    'a beacon to a URL of escapes': (size) => beacon('/payments/' + '%20'.repeat(size / 3)),
    'a list of saves': (size) =>
      post('/api/payments', JSON.stringify(list(count(size, 12), (id) => ({ id })))),
    'a body of one name': (size) => post('/api/payments', 'a=1&'.repeat(size / 4)),
    'a form of one name': (size) => {
      const body = new FormData();
      for (let n = 0; n < count(size, 12); n++) body.append('a', n);
      return post('/api/payments', body);
    },
    'a body of bytes': (size) => post('/api/payments', new Uint8Array(size)),
    'a body that is no JSON': (size) => post('/api/payments', '{'.repeat(size)),
    'a storage key of a rule': (size) => () =>
      localStorage.setItem('trading_state_' + 'x_'.repeat(size / 2), '{"a":1}'),
    'spaces under a storage key': (size) => () =>
      localStorage.setItem('payment_details', ' '.repeat(size)),
    'many storage keys': (size) => many(size, 100, (n) =>
      sessionStorage.setItem('dashboard_data_' + n, '{"a":' + n + '}')),
    'many writes between saves': (size) => many(size, 100, (n) => {
      sessionStorage.setItem('other_' + n, n);
      sessionStorage.setItem('payment_details', '{"a":' + n + '}');
    }),
    'many URLs': (size) => many(size, 1000, (n) => {
      xhr('/api/' + n + '/payments', '{"a":' + n + '}')();
    }),
    'many calls': (size) => many(size, 200, (n) =>
      savePaymentToSupabase({ n, a: 'x'.repeat(150) })),
    'many calls that grow': (size) => many(size, 2000, (n) =>
      saveDashboardToSupabase({ n: 'x'.repeat(2000 * n / count(size, 2000)) }, {})),
    'a form of fields': (size) => form('', '<input name="a" value="1">'.repeat(size / 26)),
    'a form with a long attribute': (size) =>
      form('data-x="' + ' id=payment'.repeat(size / 11) + '"', '<input name="a" value="1">'),
  };

  for (const [name, text] of Object.entries(TEXTS)) {
    SAVES['note: ' + name] = (size) => {
      const note = text(size);
      return () => savePaymentToSupabase({ note });
    };
  }
  for (const [name, payload] of Object.entries(PAYLOADS)) {
    SAVES['payload: ' + name] = (size) => {
      const members = payload(size);
      return () => savePaymentToSupabase({ members });
    };
  }
  for (const [name, payload] of Object.entries(OBJECTS)) {
    SAVES['object: ' + name] = () => {
      const payment = payload();
      return () => savePaymentToSupabase(payment);
    };
  }

  window.savePaymentToSupabase = function savePaymentToSupabase() { return 'saved'; };
  window.saveDashboardToSupabase = function saveDashboardToSupabase() { return 'saved'; };
  window.shapes = {
    names: Object.keys(SAVES),
    unsized: Object.keys(OBJECTS).map((name) => 'object: ' + name),

    /** Return the outcome of a save, and the longest and total turns of the event loop in ms. */
    async save(name, size) {
      localStorage.clear();
      sessionStorage.clear();
      if (window.enhancedDataCapture) {
        await enhancedDataCapture.consent(false); // empties the queue
        await enhancedDataCapture.consent(true);
      }
      const save = SAVES[name](size);
      const turns = [];
      const { port1, port2 } = new MessageChannel();
      let outcome;
      await new Promise((resolve) => {
        let last = performance.now();
        const until = last + 60;
        const turn = () => {
          const now = performance.now();
          turns.push(now - last);
          last = performance.now();
          if (now > until) resolve();
          else port2.postMessage(0);
        };
        port1.onmessage = turn;
        port2.postMessage(0);
        try {
          outcome = String(save());
        } catch (error) {
          outcome = 'threw ' + error.name;
        }
      });
      const total = turns.filter((ms) => ms > 0.5).reduce((sum, ms) => sum + ms, 0);
      return { outcome, longest: Math.max(...turns), total };
    },
  };
})();
