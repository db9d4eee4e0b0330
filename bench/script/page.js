// Measures a sender in a page. `bare` has the page's functions from before the sender wraps them.
const filler = {
  notes: Array.from(
    { length: 10 },
    (_, n) => `line ${n}: ${'lorem ipsum dolor sit amet '.repeat(3)}`,
  ),
};

/** Returns a payment of 1.4 KB. */
const payment = (id) => ({
  id, user_id: 'u-17', user_email: 'person@example.com', user_name: 'Example User',
  plan_name_payment: 'Pro', original_price: 199.99, discount_amount: '20.00', final_price: 179.99,
  coupon_code: 'SAVE10', payment_method: 'card', transaction_id: id,
  payment_status: 'completed', payment_provider: 'stripe',
  crypto_transaction_hash: 'NON-CRYPTO-1700000000000', crypto_from_address: 'N/A',
  crypto_amount: '0',
  selectedPlan: { name: 'Pro', price: 199.99 }, ...filler,
});

function savePaymentToSupabase(paymentData) {
  return paymentData.final_price;
}

const bare = {
  save: savePaymentToSupabase,
  fetch: window.fetch.bind(window),
  setItem: Storage.prototype.setItem,
};
const posted = (body) => ({ method: 'POST', body });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// For each kind of call: the call as a page makes it, and the same call past the sender.
const callsByKind = {
  sdk: [(capture) => window.sendCapture(capture)],
  function: [(capture) => window.savePaymentToSupabase(capture), (capture) => bare.save(capture)],
  fetch: [
    (_, text) => void window.fetch('/api/payments', posted(text)),
    (_, text) => void bare.fetch('/api/payments', posted(text)),
  ],
  storage: [
    (_, text) => localStorage.setItem('payment_success_data', text),
    (_, text) => bare.setItem.call(localStorage, 'payment_success_data', text),
  ],
  otherFetch: [
    (_, text) => void window.fetch('/api/other', posted(text)),
    (_, text) => void bare.fetch('/api/other', posted(text)),
  ],
  otherStorage: [
    (_, text) => localStorage.setItem('cart', text),
    (_, text) => bare.setItem.call(localStorage, 'cart', text),
  ],
};

/**
 * Returns a payment of at most `bytes` in JSON, and hardly less: with one long text, as a screenshot is, or with many
 * members, as trades are.
 */
const largePayment = (shape, bytes) => {
  const capture = payment(`capture-${Date.now()}-${shape}`);
  const rest = bytes - JSON.stringify(capture).length - 100;
  if (shape === 'text') return { ...capture, screenshot: 'x'.repeat(rest) };
  const trade = (id) => ({
    id, pair: 'EURUSD', side: id % 2 ? 'buy' : 'sell', size: 0.5, open: 1.0825, close: 1.0871,
    pnl: 23.5, openedAt: '2024-01-15T10:30:00.000Z', closedAt: '2024-01-15T12:00:00.000Z',
    tags: ['london', 'breakout'], note: '',
  });
  const count = Math.floor(rest / (JSON.stringify(trade(100000)).length + 1));
  return { ...capture, trades: Array.from({ length: count }, (_, n) => trade(n)) };
};

/** Watches the event loop; returns a function that ends it and returns the longest turn in ms. */
const watchTurns = () => {
  const { port1, port2 } = new MessageChannel();
  let last = performance.now(), longest = 0, watching = true;
  port1.onmessage = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (watching) port2.postMessage(0);
  };
  port2.postMessage(0);
  return () => {
    watching = false;
    return longest;
  };
};

window.measure = {
  /** Returns the milliseconds from a sender's text until it is ready, without any network. */
  async start([code, attributes]) {
    const script = document.createElement('script');
    for (const [name, value] of Object.entries(attributes)) script.setAttribute(name, value);
    script.textContent = code;
    const start = performance.now();
    document.head.append(script);
    await window.senderReady;
    return performance.now() - start;
  },

  /**
   * Returns the microseconds of `count` single calls, through the sender and past it. Which of the
   * two comes first alternates.
   */
  async calls([kind, count, between]) {
    const saves = [...callsByKind[kind].entries()], times = saves.map(() => []);
    for (let n = 0; n < count; n++) {
      for (const [which, save] of n % 2 ? saves.toReversed() : saves) {
        const capture = payment(`capture-${Date.now()}-${n}`), text = JSON.stringify(capture);
        const start = performance.now();
        save(capture, text);
        times[which].push((performance.now() - start) * 1000);
        await pause(between);
      }
    }
    return times;
  },

  /**
   * Returns the milliseconds of `count` calls in a row, and the number of long tasks in the two
   * seconds after that.
   */
  async burst([kind, count, longest]) {
    const captures = Array.from({ length: count }, (_, n) => payment(`capture-${Date.now()}-${n}`));
    const [save] = callsByKind[kind];
    let long = 0, watching = true;
    if (PerformanceObserver.supportedEntryTypes.includes('longtask')) {
      const observer = new PerformanceObserver((list) => { long += list.getEntries().length; });
      observer.observe({ entryTypes: ['longtask'] });
    } else {
      // Only Chromium reports long tasks. Elsewhere, a gap between two turns of the event loop is
      // one.
      const { port1, port2 } = new MessageChannel();
      let last = performance.now();
      port1.onmessage = () => {
        const now = performance.now();
        if (now - last > longest) long += 1;
        last = now;
        if (watching) port2.postMessage(0);
      };
      port2.postMessage(0);
    }
    await pause(100);
    long = 0;
    const start = performance.now();
    captures.forEach((capture) => save(capture));
    const took = performance.now() - start;
    await pause(2000);
    watching = false;
    return [took, long];
  },

  /**
   * Returns the milliseconds of the longest turn of the event loop during and after one call with
   * `bytes` of data.
   */
  async large([kind, shape, bytes, seconds]) {
    const capture = largePayment(shape, bytes);
    const text = kind === 'fetch' ? JSON.stringify(capture) : '';
    const [save] = callsByKind[kind];
    await pause(300); // what the preparation left to the garbage collector
    const longestTurn = watchTurns();
    await pause(50);
    save(capture, text);
    await pause(seconds * 1000);
    return longestTurn();
  },

  /**
   * Returns the milliseconds of all calls of a page that rewrites one key `perSecond` times a
   * second, for `seconds`.
   */
  rewriting: ([perSecond, seconds]) => new Promise((resolve) => {
    const capture = payment('LOOP-1');
    let times = perSecond * seconds, spent = 0;
    const timer = setInterval(() => {
      const text = JSON.stringify({ ...capture, timestamp: new Date().toISOString() });
      const start = performance.now();
      localStorage.setItem('payment_success_data', text);
      spent += performance.now() - start;
      if (--times === 0) {
        clearInterval(timer);
        resolve(spent);
      }
    }, 1000 / perSecond);
  }),
};
