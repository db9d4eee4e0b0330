// Everything that a page could notice a tap by, as one report. It is run in a page with the tag and in one without.
window.checkBuiltins = async (shop) => {
  const report = {};
  const note = async (name, work) => {
    try {
      report[name] = await work();
    } catch (reason) {
      report[name] = `${reason.name}: ${reason.message}`;
    }
  };
  const thrown = (work) => {
    try {
      return work();
    } catch (reason) {
      return `${reason.name}: ${reason.message}`;
    }
  };
  const json = { 'Content-Type': 'application/json' };
  const payment = (more) => JSON.stringify({ user_email: 'a@example.com', transaction_id: 'B-1', final_price: 1, ...more });
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  // Functions: what they are, and what a call of one gives.
  await note('function', () => {
    const f = window.savePaymentToSupabase;
    return [f.length, f.name, typeof f, f.extra, f instanceof Function, Object.keys(f), 'prototype' in f];
  });
  await note('this and arguments', () => {
    const self = { savePaymentToSupabase: window.savePaymentToSupabase };
    const given = { final_price: 2 };
    return [self.savePaymentToSupabase(given, 2, 3).me === self, window.savePaymentToSupabase(given).given === given];
  });
  await note('construct', () => typeof new window.savePaymentToSupabase({ final_price: 3 }));
  await note('throws the same object', () => {
    try {
      window.storeQuestionnaireData({ throws: true });
    } catch (reason) {
      return reason === window.theReason;
    }
    return 'nothing';
  });
  await note('async function', async () => {
    const f = window.saveDashboardToSupabase;
    return [Object.prototype.toString.call(f), (await f({ equity: 1 }, {}, 'dark')).theme, f({}, {}) instanceof Promise];
  });
  await note('a lazy thenable is not looked at', async () => {
    const query = window.storeQuestionnaireData({ lazy: true });
    await pause(50);
    const before = window.thens;
    await query;
    return [before, window.thens];
  });
  for (const cyclic of [{}]) {
    cyclic.self = cyclic;
    await note('what JSON cannot say', () => [
      window.savePaymentToSupabase(cyclic).given === cyclic,
      window.savePaymentToSupabase({ big: 1n }).given.big === 1n,
      window.savePaymentToSupabase({ get trap() { throw new Error('a getter'); } }).me === undefined,
      window.savePaymentToSupabase().given === undefined,
    ]);
  }

  // fetch, in its many ways.
  const answer = async (response) => [response.status, response.ok, response.type, response.redirected, response.bodyUsed,
    new URL(response.url).pathname, await response.text(), response.bodyUsed];
  await note('fetch is a function', () => [window.fetch.length, window.fetch.name, Object.prototype.hasOwnProperty.call(window, 'fetch')]);
  await note('fetch a string', async () => answer(await fetch('/api/payments', { method: 'POST', headers: json, body: payment() })));
  await note('fetch a URL', async () => answer(await fetch(new URL('/api/payments', location), { method: 'PUT', body: payment() })));
  await note('fetch a Request', async () => {
    const request = new Request('/api/payments', { method: 'POST', headers: json, body: payment() });
    const promise = fetch(request);
    const used = request.bodyUsed;
    return [used, await answer(await promise), request.bodyUsed];
  });
  await note('fetch a Request and init', async () =>
    answer(await fetch(new Request('/api/payments', { method: 'POST', body: '1' }), { method: 'PATCH', body: payment() })));
  await note('fetch a Blob', async () => answer(await fetch('/api/payments', { method: 'POST', body: new Blob([payment()]) })));
  await note('fetch bytes', async () =>
    answer(await fetch('/api/payments', { method: 'POST', body: new TextEncoder().encode(payment()) })));
  await note('fetch form data', async () => {
    const form = new FormData();
    form.append('transaction_id', 'B-2');
    return answer(await fetch('/api/payments', { method: 'POST', body: form }));
  });
  await note('fetch search parameters', async () =>
    answer(await fetch('/api/payments', { method: 'POST', body: new URLSearchParams({ transaction_id: 'B-3' }) })));
  await note('fetch and read as a stream', async () => {
    const reader = (await fetch('/api/payments', { method: 'POST', body: payment() })).body.getReader();
    let bytes = 0;
    for (let part; !(part = await reader.read()).done;) bytes += part.value.length;
    return bytes;
  });
  await note('fetch refused', async () => answer(await fetch('/api/refuses', { method: 'POST', body: payment() })));
  await note('fetch hung up', () => fetch('/api/hangs-up', { method: 'POST', body: payment() }).catch((reason) => reason.name));
  await note('fetch with a bad method', () => fetch('/api/payments', { method: 'B A D', body: payment() }).catch((reason) => reason.name));
  await note('fetch with nothing', () => fetch().catch((reason) => reason.name));
  await note('fetch a body twice', async () => {
    const request = new Request('/api/payments', { method: 'POST', body: payment() });
    await fetch(request);
    return fetch(request).catch((reason) => reason.name);
  });
  await note('fetch aborted', async () => {
    const abort = new AbortController();
    const promise = fetch('/api/payments?aborted', { method: 'POST', body: payment(), signal: abort.signal });
    abort.abort();
    return promise.catch((reason) => reason.name);
  });
  await note('fetch in a frame', async () => {
    const frame = document.body.appendChild(document.createElement('iframe'));
    const { status } = await frame.contentWindow.fetch('/api/payments', { method: 'POST', body: payment() });
    frame.remove();
    return status;
  });

  // XMLHttpRequest and beacons.
  await note('XHR', () => new Promise((resolve) => {
    const request = new XMLHttpRequest(), events = [];
    for (const type of ['readystatechange', 'load', 'loadend', 'error']) request.addEventListener(type, () => events.push(type + request.readyState));
    request.addEventListener('loadend', () => resolve([request.status, request.responseText, events.length, Object.keys(request)]));
    request.open('POST', '/api/payments');
    request.setRequestHeader('Content-Type', 'application/json');
    request.send(payment());
  }));
  await note('XHR in step', () => {
    const request = new XMLHttpRequest();
    request.open('POST', '/api/payments', false);
    request.send(payment());
    return [request.status, request.responseText];
  });
  await note('XHR misused', () => [
    thrown(() => new XMLHttpRequest().send('1')),
    thrown(() => XMLHttpRequest.prototype.open.call({}, 'POST', '/')).split(':')[0],
    XMLHttpRequest.prototype.open.length, XMLHttpRequest.prototype.send.length, XMLHttpRequest.prototype.send.name,
  ]);
  await note('beacon', () => [
    navigator.sendBeacon('/api/payments', payment()),
    navigator.sendBeacon('/api/payments', new Blob([payment()], { type: 'text/plain' })),
    thrown(() => navigator.sendBeacon()).split(':')[0],
    thrown(() => navigator.sendBeacon('http://[', payment())).split(':')[0], navigator.sendBeacon.length, navigator.sendBeacon.name,
  ]);

  // Storage.
  await note('storage', () => [
    localStorage.setItem('questionnaireAnswers', '{"tradesPerDay":"1"}'), localStorage.getItem('questionnaireAnswers'),
    thrown(() => localStorage.setItem('one')).split(':')[0], localStorage.setItem('n', 5), localStorage.n,
    localStorage.setItem.length, localStorage.setItem.name, Object.prototype.hasOwnProperty.call(localStorage, 'setItem'),
    thrown(() => Storage.prototype.setItem.call({}, 'a', 'b')).split(':')[0], sessionStorage.setItem('currentQuestionnaire', '{}'),
  ]);
  await note('storage keys', () => [Object.keys(localStorage).sort(), Object.keys(sessionStorage).sort(), document.cookie]);
  await note('storage headroom', () => {
    const rooms = [];
    for (const storage of [localStorage, sessionStorage]) {
      let room = 0, keys = 0;
      for (let size = 1 << 19; size >= 1; size >>= 2) {
        try {
          for (;;) {
            storage.setItem(`filler${String(keys).padStart(3, '0')}`, 'x'.repeat(size - 1));
            keys += 1;
            room += size + 8;
          }
        } catch (reason) {
          if (reason.name !== 'QuotaExceededError') throw reason;
        }
      }
      for (const key of Object.keys(storage)) if (key.startsWith('filler')) storage.removeItem(key);
      rooms.push(room);
    }
    return rooms;
  });

  // Forms.
  await note('forms', async () => {
    const form = document.body.appendChild(document.createElement('form'));
    form.id = 'payment-form';
    form.innerHTML = '<input name=transaction_id value=B-4><input name=cvv value=123><button name=go value=1></button>';
    const events = [];
    addEventListener('submit', (event) => { events.push(event.defaultPrevented, event.submitter && event.submitter.name); event.preventDefault(); }, { once: true });
    form.requestSubmit(form.querySelector('button'));
    form.remove();
    return events;
  });

  // Errors and rejections that nobody handles reach the page, each once.
  seen.rejections.length = 0;
  setTimeout(() => window.storeQuestionnaireData({ throws: true }));
  window.saveDashboardToSupabase({ rejects: true });
  fetch('/api/hangs-up', { method: 'POST', body: payment() });
  fetch('/api/hangs-up');
  const handledLate = window.saveDashboardToSupabase({ rejects: true });
  for (let waited = 0; waited < 10000 && seen.rejections.length < 4; waited += 50) await pause(50);
  await pause(200);
  handledLate.catch(() => {});

  await note('globals', () => [
    Object.keys(window).filter((name) => /capture/i.test(name) && name !== 'enhancedDataCapture'), 'onunload' in window && window.onunload,
  ]);
  report.shop = shop;
  report.seen = {
    console: seen.console,
    errors: seen.errors.slice().sort(),
    rejections: seen.rejections.slice().sort(),
  };
  return report;
};
