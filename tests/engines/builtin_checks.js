// Reports everything by which a page could notice the script. A test compares the reports of a
// page with the tag and of one without it.
window.checkBuiltins = async (shop) => {
  const report = {};
  const check = async (name, work) => {
    try {
      report[name] = await work();
    } catch (error) {
      report[name] = `${error.name}: ${error.message}`;
    }
  };
  const thrownBy = (work) => {
    try {
      return work();
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
  };
  const json = { 'Content-Type': 'application/json' };
  const payment = (more) => JSON.stringify(
    { user_email: 'a@example.com', transaction_id: 'B-1', final_price: 1, ...more },
  );
  const post = (body) => fetch('/api/payments', { method: 'POST', body });
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  // The page's functions, and the results of their calls.
  await check('function', () => {
    const f = window.savePaymentToSupabase;
    return [
      f.length, f.name, typeof f, f.extra, f instanceof Function, Object.keys(f), 'prototype' in f,
    ];
  });
  await check('this and arguments', () => {
    const self = { savePaymentToSupabase: window.savePaymentToSupabase };
    const argument = { final_price: 2 };
    return [
      self.savePaymentToSupabase(argument, 2, 3).me === self,
      window.savePaymentToSupabase(argument).argument === argument,
    ];
  });
  await check('construct', () => typeof new window.savePaymentToSupabase({ final_price: 3 }));
  await check('throws the same object', () => {
    try {
      window.storeQuestionnaireData({ throws: true });
    } catch (error) {
      return error === window.theError;
    }
    return 'nothing';
  });
  await check('async function', async () => {
    const f = window.saveDashboardToSupabase;
    return [
      Object.prototype.toString.call(f),
      (await f({ equity: 1 }, {}, 'dark')).theme,
      f({}, {}) instanceof Promise,
    ];
  });
  await check('a lazy thenable is not started', async () => {
    const query = window.storeQuestionnaireData({ lazy: true });
    await pause(50); // nothing may happen meanwhile
    const before = window.thenCalls;
    await query;
    return [before, window.thenCalls];
  });
  for (const cyclic of [{}]) {
    cyclic.self = cyclic;
    await check('values that JSON lacks', () => [
      window.savePaymentToSupabase(cyclic).argument === cyclic,
      window.savePaymentToSupabase({ big: 1n }).argument.big === 1n,
      window.savePaymentToSupabase({
        get trap() { throw new Error('a getter'); },
      }).me === undefined,
      window.savePaymentToSupabase().argument === undefined,
    ]);
  }

  // fetch, with every kind of argument.
  const describe = async (response) => [
    response.status, response.ok, response.type, response.redirected, response.bodyUsed,
    new URL(response.url).pathname, await response.text(), response.bodyUsed,
  ];
  await check('fetch is a function', () => [
    window.fetch.length, window.fetch.name, Object.prototype.hasOwnProperty.call(window, 'fetch'),
  ]);
  await check('fetch a string', async () =>
    describe(await fetch('/api/payments', { method: 'POST', headers: json, body: payment() })));
  await check('fetch a URL', async () => {
    const url = new URL('/api/payments', location);
    return describe(await fetch(url, { method: 'PUT', body: payment() }));
  });
  await check('fetch a Request', async () => {
    const request = new Request('/api/payments', {
      method: 'POST', headers: json, body: payment(),
    });
    const promise = fetch(request);
    const used = request.bodyUsed;
    return [used, await describe(await promise), request.bodyUsed];
  });
  await check('fetch a Request and init', async () => {
    const request = new Request('/api/payments', { method: 'POST', body: '1' });
    return describe(await fetch(request, { method: 'PATCH', body: payment() }));
  });
  await check('fetch a Blob', async () => describe(await post(new Blob([payment()]))));
  await check('fetch bytes', async () => describe(await post(new TextEncoder().encode(payment()))));
  await check('fetch form data', async () => {
    const form = new FormData();
    form.append('transaction_id', 'B-2');
    return describe(await post(form));
  });
  await check('fetch search parameters', async () =>
    describe(await post(new URLSearchParams({ transaction_id: 'B-3' }))));
  await check('fetch and read as a stream', async () => {
    const reader = (await post(payment())).body.getReader();
    let bytes = 0;
    for (let part; !(part = await reader.read()).done;) bytes += part.value.length;
    return bytes;
  });
  await check('fetch with an error status', async () =>
    describe(await fetch('/api/refuses', { method: 'POST', body: payment() })));
  await check('fetch without a response', () =>
    fetch('/api/hangs-up', { method: 'POST', body: payment() }).catch((error) => error.name));
  await check('fetch with a bad method', () =>
    fetch('/api/payments', { method: 'B A D', body: payment() }).catch((error) => error.name));
  await check('fetch without arguments', () => fetch().catch((error) => error.name));
  await check('fetch a body twice', async () => {
    const request = new Request('/api/payments', { method: 'POST', body: payment() });
    await fetch(request);
    return fetch(request).catch((error) => error.name);
  });
  await check('fetch aborted', async () => {
    const abort = new AbortController();
    const promise = fetch('/api/payments?aborted', {
      method: 'POST', body: payment(), signal: abort.signal,
    });
    abort.abort();
    return promise.catch((error) => error.name);
  });
  await check('fetch in a frame', async () => {
    const frame = document.body.appendChild(document.createElement('iframe'));
    const { status } = await frame.contentWindow.fetch('/api/payments', {
      method: 'POST', body: payment(),
    });
    frame.remove();
    return status;
  });

  // XMLHttpRequest and beacons.
  await check('XHR', () => new Promise((resolve) => {
    const request = new XMLHttpRequest(), events = [];
    for (const type of ['readystatechange', 'load', 'loadend', 'error']) {
      request.addEventListener(type, () => events.push(type + request.readyState));
    }
    request.addEventListener('loadend', () => {
      resolve([request.status, request.responseText, events.length, Object.keys(request)]);
    });
    request.open('POST', '/api/payments');
    request.setRequestHeader('Content-Type', 'application/json');
    request.send(payment());
  }));
  await check('synchronous XHR', () => {
    const request = new XMLHttpRequest();
    request.open('POST', '/api/payments', false);
    request.send(payment());
    return [request.status, request.responseText];
  });
  await check('XHR misused', () => [
    thrownBy(() => new XMLHttpRequest().send('1')),
    thrownBy(() => XMLHttpRequest.prototype.open.call({}, 'POST', '/')).split(':')[0],
    XMLHttpRequest.prototype.open.length, XMLHttpRequest.prototype.send.length,
    XMLHttpRequest.prototype.send.name,
  ]);
  await check('beacon', () => [
    navigator.sendBeacon('/api/payments', payment()),
    navigator.sendBeacon('/api/payments', new Blob([payment()], { type: 'text/plain' })),
    thrownBy(() => navigator.sendBeacon()).split(':')[0],
    thrownBy(() => navigator.sendBeacon('http://[', payment())).split(':')[0],
    navigator.sendBeacon.length, navigator.sendBeacon.name,
  ]);

  // Storage.
  await check('storage', () => [
    localStorage.setItem('questionnaireAnswers', '{"tradesPerDay":"1"}'),
    localStorage.getItem('questionnaireAnswers'),
    thrownBy(() => localStorage.setItem('one')).split(':')[0],
    localStorage.setItem('n', 5), localStorage.n,
    localStorage.setItem.length, localStorage.setItem.name,
    Object.prototype.hasOwnProperty.call(localStorage, 'setItem'),
    thrownBy(() => Storage.prototype.setItem.call({}, 'a', 'b')).split(':')[0],
    sessionStorage.setItem('currentQuestionnaire', '{}'),
  ]);
  await check('storage keys', () => [
    Object.keys(localStorage).sort(), Object.keys(sessionStorage).sort(), document.cookie,
  ]);
  await check('free storage', () => {
    const free = [];
    for (const storage of [localStorage, sessionStorage]) {
      let characters = 0, keys = 0;
      for (let size = 1 << 19; size >= 1; size >>= 2) {
        try {
          for (;;) {
            storage.setItem(`filler${String(keys).padStart(3, '0')}`, 'x'.repeat(size - 1));
            keys += 1;
            characters += size + 8; // the key has nine characters, the value size - 1
          }
        } catch (error) {
          if (error.name !== 'QuotaExceededError') throw error;
        }
      }
      for (const key of Object.keys(storage)) {
        if (key.startsWith('filler')) storage.removeItem(key);
      }
      free.push(characters);
    }
    return free;
  });

  // Forms.
  await check('forms', async () => {
    const form = document.body.appendChild(document.createElement('form'));
    form.id = 'payment-form';
    form.innerHTML = '<input name=transaction_id value=B-4><input name=cvv value=123>'
      + '<button name=go value=1></button>';
    const events = [];
    addEventListener('submit', (event) => {
      events.push(event.defaultPrevented, event.submitter && event.submitter.name);
      event.preventDefault();
    }, { once: true });
    form.requestSubmit(form.querySelector('button'));
    form.remove();
    return events;
  });

  // Each unhandled error and rejection reaches the page once.
  observed.rejections.length = 0;
  setTimeout(() => window.storeQuestionnaireData({ throws: true }));
  window.saveDashboardToSupabase({ rejects: true });
  fetch('/api/hangs-up', { method: 'POST', body: payment() });
  fetch('/api/hangs-up');
  const handledLate = window.saveDashboardToSupabase({ rejects: true });
  for (let waited = 0; waited < 30000 && observed.rejections.length < 4; waited += 50) {
    await pause(50);
  }
  await pause(200); // no further rejection may follow
  handledLate.catch(() => {});

  await check('globals', () => [
    Object.keys(window).filter((name) => /capture/i.test(name) && name !== 'enhancedDataCapture'),
    'onunload' in window && window.onunload,
  ]);
  report.shop = shop;
  report.observed = {
    console: observed.console,
    errors: observed.errors.slice().sort(),
    rejections: observed.rejections.slice().sort(),
  };
  return report;
};
