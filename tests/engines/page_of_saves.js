// A page that saves in all ways while the browser's parts fail, and reports what it sees of it.
// It reports to its own server, so that a page that hangs is one that does not report.
{
  const { run, areas, fetch: report, setTimeout: later, settleMs, idleMs } = window.browserFaults;
  const pause = (ms) => new Promise((resolve) => later(resolve, ms));
  const payment = (step) => ({
    user_email: window.browserFaults.user, transaction_id: `${run}-${step}`, plan_name: 'Pro',
    final_price: 10, payment_status: 'completed',
  });
  const post = (step, method = 'POST') => ({
    method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(payment(step)),
  });
  const answer = async (response) => [response.status, (await response.json()).ok];

  window.savePaymentToSupabase = async function savePaymentToSupabase(given) {
    return [this === window, given.final_price, arguments.length];
  };
  window.storeQuestionnaireData = () => { throw window.theError; };
  window.theError = new RangeError('of the page');

  const saves = {
    call: () => window.savePaymentToSupabase(payment('call'), 2),
    fetch: async () => answer(await fetch(`/api/payments?run=${run}&step=fetch`, post('fetch'))),
    xhr: () => new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open('POST', `/rest/v1/payments?run=${run}&step=xhr`);
      request.onloadend = () => resolve([request.status, request.responseText]);
      request.send(JSON.stringify(payment('xhr')));
    }),
    localStorage: () => {
      const text = JSON.stringify(payment('localStorage'));
      areas.localStorage.setItem('payment_success_data', text);
      return areas.localStorage.getItem('payment_success_data') === text;
    },
    sessionStorage: () => {
      const text = JSON.stringify(payment('sessionStorage'));
      areas.sessionStorage.setItem('payment_details', text);
      return areas.sessionStorage.getItem('payment_details') === text;
    },
    blob: async () => {
      const body = new Blob([JSON.stringify(payment('blob'))], { type: 'application/json' });
      const url = `/api/payments?run=${run}&step=blob`;
      return answer(await fetch(new Request(url, { method: 'POST', body })));
    },
    form: async () => {
      const form = document.querySelector('form');
      let submitted;
      form.onsubmit = (event) => {
        event.preventDefault();
        const body = new URLSearchParams(new FormData(form));
        submitted = fetch(`/api/payments?run=${run}&step=form`, { method: 'POST', body });
      };
      for (const [name, value] of Object.entries(payment('form'))) {
        const input = document.createElement('input');
        Object.assign(input, { name, value });
        form.append(input);
      }
      form.querySelector('button').click();
      return answer(await submitted);
    },
    error: () => {
      try {
        return window.storeQuestionnaireData({ tradesPerDay: '3-5' });
      } catch (error) {
        return error === window.theError;
      }
    },
    put: async () => answer(await fetch(`/api/dashboard/equity?run=${run}&step=put`, post('x', 'PUT'))),
    api: () => {
      window.enhancedDataCapture?.capturePaymentData(payment('api'));
    },
    beacon: async () => {
      const url = `/api/payments?run=${run}&step=beacon`;
      return navigator.sendBeacon(url, JSON.stringify(payment('beacon')));
    },
  };

  let last = performance.now(), longest = 0;
  const beat = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    later(beat, 20);
  };
  const restart = () => {
    longest = 0;
    last = performance.now();
    window.browserFaults.calls = 0;
  };
  const tell = (phase, more) => report(`/api/report?phase=${phase}`, {
    method: 'POST',
    body: JSON.stringify({
      phase, longest, observed: window.observed, calls: window.browserFaults.calls,
      modes: window.browserFaults.modes, ...more,
    }),
  });

  const saveEverything = async () => {
    beat();
    const results = {};
    for (const [name, save] of Object.entries(saves)) {
      try {
        results[name] = await save();
      } catch (error) {
        results[name] = `${error?.name}: ${error?.message}`;
      }
    }
    await tell('saved', { results });
    await pause(settleMs);
    await tell('settled');
    restart();
    await pause(idleMs);
    await tell('idle');
  };

  /** Ends the faults, sends what waits, and reports. */
  window.endFaults = async () => {
    restart();
    window.browserFaults.end();
    const flushed = await Promise.race([window.enhancedDataCapture?.flush(), pause(4000)]);
    await tell('ended', { flushed: flushed ?? null });
  };
  addEventListener('load', () => later(saveEverything, 50));
}
