// Sends generated bodies from a page. Each case is a request that a page could make.
{
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const describe = (error) => `${error?.name}: ${error?.message}`;
  const encoder = new TextEncoder();
  const textOf = ({ text }) => text.replace('<1.1 MB>', () => 'x'.repeat(1.1e6));
  const bytesOf = (spec) => (spec.base64 === undefined
    ? encoder.encode(textOf(spec))
    : Uint8Array.from(atob(spec.base64), (character) => character.charCodeAt()));

  // How often a body of the present case was read. What it says depends on that.
  let reads;

  // Bodies that are none: each function returns what a page passes by mistake or on purpose.
  const oddities = {
    null: () => null,
    undefined: () => undefined,
    zero: () => 0,
    number: () => 17.5,
    NaN: () => NaN,
    bigint: () => 2n ** 70n,
    true: () => true,
    object: () => ({ final_price: 5 }),
    array: () => [1, 'a=b'],
    function: () => function f(a) { return a === 1; },
    date: () => new Date(0),
    symbol: () => Symbol('a=b'),
    URL: () => new URL('https://shop.example/?transaction_id=T-1&final_price=5'),
    'throwing toString': () => ({ toString() { throw new RangeError('of the page'); } }),
    toString: (text) => ({ toString: () => text }),
    'counting toString': (text) => ({
      toString() { reads += 1; return `${text.slice(0, -1)},"reads":${reads}}`; },
    }),
    toPrimitive: (text) => ({ [Symbol.toPrimitive]: () => text }),
    'array of a text': (text) => [text],
    'String object': (text) => new String(text),
    'FormData with other iterators': (text) => {
      const form = new FormData();
      for (const [name, value] of Object.entries(JSON.parse(text))) form.append(name, value);
      const fail = () => { throw new RangeError('of the page'); };
      return Object.assign(form, { [Symbol.iterator]: fail, entries: fail, get: fail });
    },
    'URLSearchParams with another toString': (text) => {
      const params = new URLSearchParams(Object.entries(JSON.parse(text)));
      const toString = () => { throw new RangeError('of the page'); };
      return Object.assign(params, { toString });
    },
    'Blob with other methods': (text) => {
      const fail = () => { throw new RangeError('of the page'); };
      const blob = new Blob([text]);
      return Object.defineProperties(blob, { text: { value: fail }, size: { get: fail } });
    },
    'Proxy of an object': (text) => new Proxy({}, {
      get: (_, name) => (name === 'toString' ? () => text : undefined),
    }),
    stream: (text) => new Blob([text]).stream(),
    'locked stream': (text) => {
      const stream = new Blob([text]).stream();
      stream.getReader();
      return stream;
    },
    'XML document': () => new DOMParser().parseFromString('<a b="c">d</a>', 'text/xml'),
    'HTML document': () => new DOMParser().parseFromString('<p id=a>b', 'text/html'),
  };

  // The arguments of fetch that are odd as a whole.
  const oddCalls = {
    'getter in init': (text, url, init) => [url, {
      ...init, get body() { return text; }, get method() { return init.method; },
    }],
    'counting getter in init': (text, url, init) => [url, {
      ...init,
      get body() { reads += 1; return `${text.slice(0, -1)},"reads":${reads}}`; },
    }],
    'inherited by init': (text, url, init) => [url, Object.create({ ...init, body: text })],
    'Proxy as init': (text, url, init) => [url, new Proxy({ ...init, body: text }, {
      get: (target, name) => target[name],
    })],
    'used Request': async (text, url, init) => {
      const request = new Request(url, { ...init, body: text });
      await request.text();
      return [request];
    },
    'Request with other methods': (text, url, init) => {
      const fail = () => { throw new RangeError('of the page'); };
      return [Object.assign(new Request(url, { ...init, body: text }), { clone: fail, text: fail })];
    },
  };

  const makeBody = (spec) => {
    const { type, mediaType, offset = 0 } = spec;
    switch (type) {
      case 'string': return textOf(spec);
      case 'blob': return new Blob([bytesOf(spec)], { type: mediaType });
      case 'file': return new File([bytesOf(spec)], 'save.bin', { type: mediaType });
      case 'buffer': return bytesOf(spec).buffer;
      case 'view': {
        const bytes = bytesOf(spec);
        const all = new Uint8Array(bytes.length + offset + 2).fill(123); // 123 is {
        all.set(bytes, offset);
        return new window[spec.view](all.buffer, offset, bytes.length);
      }
      case 'params': return new URLSearchParams(spec.pairs);
      case 'formData': {
        const form = new FormData();
        for (const [name, value] of spec.pairs) form.append(name, value);
        if (spec.file) {
          form.append('file', new Blob([bytesOf(spec.file)], { type: spec.file.mediaType }), 'a.png');
        }
        return form;
      }
      default: return oddities[spec.name](spec.text);
    }
  };

  const transports = {
    async fetch({ method, url, headers, body: spec }) {
      let call = [url, { method, headers }];
      if (spec.type === 'request') {
        call = [new Request(url, { method, headers, body: makeBody(spec.of) })];
      } else if (spec.type === 'requestAndInit') {
        call = [new Request(url, { method, headers, body: 'a=b' }), { body: textOf(spec) }];
      } else if (oddCalls[spec.name]) {
        call = await oddCalls[spec.name](spec.text, url, { method, headers });
      } else {
        call[1].body = makeBody(spec);
        if (call[1].body instanceof ReadableStream) call[1].duplex = 'half';
      }
      const response = await fetch(...call);
      return `${response.status} ${await response.text()}`;
    },
    xhr: ({ method, url, headers, body }) => new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open(method, url);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.onloadend = () => resolve(`${request.status} ${request.responseText}`);
      const result = request.send(makeBody(body));
      if (result !== undefined) resolve('send returned something');
    }),
    beacon: async ({ url, body }) => `beacon ${navigator.sendBeacon(url, makeBody(body))}`,
    form: ({ case: number, url, body: { attributes, pairs, submit } }) => new Promise((resolve) => {
      const frame = document.createElement('iframe');
      frame.name = `frame-${number}`;
      const form = document.createElement('form');
      for (const [name, value] of Object.entries({ ...attributes, action: url })) {
        form.setAttribute(name, value);
      }
      form.setAttribute('target', frame.name);
      const own = attributes.method === 'get' ? [['case', number]] : [];
      for (const [name, value] of [...pairs, ...own]) {
        const input = document.createElement('input');
        Object.assign(input, { name, value });
        form.append(input);
      }
      const required = document.createElement('input');
      required.required = submit === 'invalid';
      const button = document.createElement('button');
      form.append(required, button);
      if (submit === 'prevented') form.onsubmit = (event) => event.preventDefault();
      document.body.append(frame, form);
      const end = (outcome) => {
        frame.remove();
        form.remove();
        resolve(outcome);
      };
      setTimeout(() => {
        frame.onload = () => end('submitted');
        if (submit === 'submit') HTMLFormElement.prototype.submit.call(form);
        else if (submit === 'requestSubmit') HTMLFormElement.prototype.requestSubmit.call(form);
        else button.click();
        if (submit === 'prevented' || submit === 'invalid') setTimeout(end, 20, submit);
      });
    }),
  };

  /**
   * Sends cases one after the other, and returns what the page sees of each. `flush()` of the
   * script ends a user's action, so that each case is an action of its own.
   */
  window.sendBodies = async (cases) => {
    const outcomes = [];
    for (const one of cases) {
      reads = 0;
      localStorage.setItem('current_user', JSON.stringify({ email: one.user }));
      let outcome;
      try {
        outcome = await transports[one.transport](one);
      } catch (error) {
        outcome = describe(error);
      }
      await pause(); // what the script reads later is read now
      await pause();
      await window.enhancedDataCapture?.flush();
      outcomes.push(outcome);
    }
    outcomes.push(`prototypes: ${'polluted' in {}}`);
    return outcomes;
  };
}
