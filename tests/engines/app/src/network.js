// Sends requests to the application's own server, with fetch and with XMLHttpRequest.

export function send(method, path, body, headers = {}) {
  return fetch(path, {
    method,
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

export function sendByXhr(method, path, body) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open(method, path);
    request.setRequestHeader('Content-Type', 'application/json');
    request.onloadend = () => resolve(request.status);
    request.send(JSON.stringify(body));
  });
}
