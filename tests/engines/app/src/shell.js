// Wraps the page's built-in functions, as many applications do before anything else runs.

/** Wraps fetch so that it adds a header, as tracing and token refreshing do. */
function addFetchLayer(name) {
  const inner = window.fetch;
  window.fetch = async function (input, init = {}) {
    const headers = new Headers(init.headers);
    headers.append('X-Layers', name);
    return inner.call(this, input, { ...init, headers });
  };
}

export function wrapBuiltIns() {
  ['trace', 'refresh', 'retry'].forEach(addFetchLayer);

  const open = XMLHttpRequest.prototype.open;
  XMLHttpRequest.prototype.open = function (...call) {
    this.openedWith = call;
    return open.apply(this, call);
  };

  // localStorage gets a setItem of its own, which hides any later patch of Storage.prototype.
  const setItem = localStorage.setItem.bind(localStorage);
  localStorage.setItem = (key, value) => setItem(key, value);

  const fallBack = (reason) => {
    document.body.dataset.fallback = String(reason);
  };
  addEventListener('error', (event) => {
    if (event.error instanceof TypeError) fallBack(event.message);
  });
  addEventListener('unhandledrejection', ({ reason }) => {
    if (/fetch|network/i.test(String(reason))) fallBack(reason);
  });
}
