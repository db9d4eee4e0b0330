// What the pages' servers share: bodies, responses, users, tokens and the tag.
import crypto from 'node:crypto';

const FAR_FUTURE_SECONDS = 4102444800; // 2100-01-01

/** The user who signs in with this address; the password is not checked. */
export const userOf = (email) => ({ id: 7, name: 'Example User', email });

/** The first scripts of the page's <head>: the tests' observer, and the tag if one is asked for. */
export function firstScripts(request, attributes = '') {
  const service = request.headers['x-capture-service'];
  const source = `${service}/frontend_data_capture_integration.js`;
  const tag = service ? `<script src="${source}" crossorigin ${attributes}></script>` : '';
  return `<script src="/observer.js"></script>${tag}`;
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A JSON Web Token that says who its bearer is. Two tokens of one user are equal. */
export function tokenFor(email) {
  const claims = { sub: '7', email, exp: FAR_FUTURE_SECONDS };
  const content = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  const signature = crypto.createHmac('sha256', 'of the tests').update(content);
  return `${content}.${signature.digest('base64url')}`;
}

/** The address in a request's bearer token. */
export function bearerOf(request) {
  const claims = request.headers.authorization?.split('.')[1];
  return claims && JSON.parse(Buffer.from(claims, 'base64url')).email;
}

export async function readText(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

export const readJson = async (request) => JSON.parse(await readText(request));

export const readForm = async (request) => new URLSearchParams(await readText(request));

export function sendJson(response, value, status = 200) {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
}

export function sendHtml(response, html, status = 200, type = 'text/html') {
  response.writeHead(status, { 'Content-Type': `${type}; charset=utf-8` }).end(html);
}

/** Answers a JSON API as the small ones do: sign-in, lists, and saves that get an id. */
export async function respondAsApi(request, response, pathname) {
  if (request.method === 'GET') return sendJson(response, []);
  const isJson = request.headers['content-type']?.startsWith('application/json');
  const body = isJson ? await readJson(request) : Object.fromEntries(await readForm(request));
  if (pathname === '/api/login') {
    const { email } = body;
    return sendJson(response, { user: userOf(email), token: tokenFor(email) });
  }
  return sendJson(response, { id: 1, saved: true }, 201);
}
