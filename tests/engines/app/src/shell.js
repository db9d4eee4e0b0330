// What such an application does to the page around it before anything else runs.

/** Wraps fetch once more: each layer adds a header, as tracing and token refreshing do. */
function throughOneMoreLayer(name) {
  const inner = window.fetch;
  window.fetch = async function (input, init = {}) {
    const headers = new Headers(init.headers);
    headers.append('X-Layers', name);
    return inner.call(this, input, { ...init, headers });
  };
}

export function prepare() {
  ['trace', 'refresh', 'retry'].forEach(throughOneMoreLayer);

  const open = XMLHttpRequest.prototype.open;
  XMLHttpRequest.prototype.open = function (...call) {
    this.openedWith = call;
    return open.apply(this, call);
  };

  // An own property of localStorage: from here on a patch of Storage.prototype is not called any more.
  const store = localStorage.setItem.bind(localStorage);
  localStorage.setItem = (key, value) => store(key, value);

  const fallBack = (reason) => {
    document.body.dataset.fallback = String(reason);
  };
  addEventListener('error', (event) => event.error instanceof TypeError && fallBack(event.message));
  addEventListener('unhandledrejection', ({ reason }) => /fetch|network/i.test(String(reason)) && fallBack(reason));
}
