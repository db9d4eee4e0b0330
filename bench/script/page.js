// What is run in a page to measure a sender. `bare` is everything as it is before the sender comes.
const filler = { notes: Array.from({ length: 10 }, (_, n) => `line ${n}: ${'lorem ipsum dolor sit amet '.repeat(3)}`) };

/** A payment of 1.4 KB. */
const payment = (id) => ({
  id, user_id: 'u-17', user_email: 'person@example.com', user_name: 'Example User', plan_name_payment: 'Pro',
  original_price: 199.99, discount_amount: '20.00', final_price: 179.99, coupon_code: 'SAVE10', payment_method: 'card',
  transaction_id: id, payment_status: 'completed', payment_provider: 'stripe',
  crypto_transaction_hash: 'NON-CRYPTO-1700000000000', crypto_from_address: 'N/A', crypto_amount: '0',
  selectedPlan: { name: 'Pro', price: 199.99 }, ...filler,
});

function savePaymentToSupabase(paymentData) {
  return paymentData.final_price;
}

const bare = { save: savePaymentToSupabase, fetch: window.fetch.bind(window), setItem: Storage.prototype.setItem };
const posted = (body) => ({ method: 'POST', body });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// By way of saving: the call as a page makes it, and the same past the sender.
const ways = {
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

window.measure = {
  /** Milliseconds from a sender's text to its being ready for a call: no network is in that. */
  async start([code, attributes]) {
    const script = document.createElement('script');
    for (const [name, value] of Object.entries(attributes)) script.setAttribute(name, value);
    script.textContent = code;
    const start = performance.now();
    document.head.append(script);
    await window.senderReady;
    return performance.now() - start;
  },

  /** Microseconds of so many calls, one by one, through the sender and past it; neither is always the first. */
  async calls([way, count, between]) {
    const saves = [...ways[way].entries()], times = saves.map(() => []);
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

  /** Milliseconds of so many calls in a row, and the long tasks in the two seconds from then on. */
  async burst([way, count, longest]) {
    const captures = Array.from({ length: count }, (_, n) => payment(`capture-${Date.now()}-${n}`));
    const [save] = ways[way];
    let long = 0, watching = true;
    if (PerformanceObserver.supportedEntryTypes.includes('longtask')) {
      new PerformanceObserver((list) => { long += list.getEntries().length; }).observe({ entryTypes: ['longtask'] });
    } else {
      // Elsewhere than in Chromium a gap between two turns of the event loop is one.
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

  /** Milliseconds of the calls of a page that rewrites the same thing so many times a second, for so long. */
  rewriting: ([aSecond, seconds]) => new Promise((resolve) => {
    const capture = payment('LOOP-1');
    let times = aSecond * seconds, spent = 0;
    const timer = setInterval(() => {
      const text = JSON.stringify({ ...capture, timestamp: new Date().toISOString() });
      const start = performance.now();
      localStorage.setItem('payment_success_data', text);
      spent += performance.now() - start;
      if (--times === 0) {
        clearInterval(timer);
        resolve(spent);
      }
    }, 1000 / aSecond);
  }),
};
