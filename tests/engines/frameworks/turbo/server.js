// Answers as a Rails application does: forms with nested names, redirects and streams.
import { firstScripts, readForm, sendHtml, userOf } from '../http.mjs';

const TOKEN = '<input type="hidden" name="authenticity_token" value="csrf-token-of-the-page">';

const signIn = () => `
  <form action="/session" method="post">${TOKEN}
    <input type="email" name="session[email]">
    <input type="password" name="session[password]">
    <input type="submit" name="commit" value="Sign in" id="sign-in">
  </form>`;

const newPayment = () => `
  <p>Signed in</p>
  <form class="new_payment" id="new_payment" action="/payments" method="post">${TOKEN}
    <input type="hidden" name="payment[plan_name]" value="Pro">
    <input type="hidden" name="payment[original_price]" value="199.99">
    <input type="hidden" name="payment[discount_amount]" value="20.00">
    <input type="hidden" name="payment[final_price]" value="179.99">
    <input name="payment[coupon_code]" value="SAVE10">
    <input type="hidden" name="payment[payment_method]" value="card">
    <input name="payment[card_number]" autocomplete="cc-number">
    <input name="payment[cvv]" autocomplete="cc-csc">
    <input name="payment[transaction_id]" id="reference">
    <input type="submit" name="commit" value="Pay" id="pay">
  </form>`;

const questionnaire = () => `
  <p>Payment saved</p>
  <turbo-frame id="answers">
    <form action="/questionnaires/7" method="post">${TOKEN}
      <input type="hidden" name="_method" value="patch">
      <input name="questionnaire[trades_per_day]" value="3-5">
      <select name="questionnaire[crypto_assets][]" multiple>
        <option selected>BTC</option><option selected>ETH</option><option>SOL</option>
      </select>
      <input name="questionnaire[account_size]" value="50000">
      <input name="questionnaire[risk_percentage]" value="1.5">
      <input type="submit" name="commit" value="Send" id="save">
    </form>
  </turbo-frame>`;

const SAVED = `<turbo-stream action="replace" target="answers">
  <template><p>Answers saved</p></template></turbo-stream>`;

const PAGES = { '/': signIn, '/payments/new': newPayment, '/payments/1': questionnaire };
const REDIRECTS = { '/session': '/payments/new', '/payments': '/payments/1' };

const cookiesOf = (request) => new URLSearchParams((request.headers.cookie ?? '').replace(/; /g, '&'));

/** The layout, with what the gem gon tells scripts. */
function layout(request, content) {
  const email = cookiesOf(request).get('turbo_session');
  const gon = JSON.stringify({ current_user: email && userOf(email) });
  return `<!doctype html><html><head><meta charset="utf-8"><title>Turbo</title>
    ${firstScripts(request, 'data-person="gon.current_user"')}
    <meta name="csrf-token" content="csrf-token-of-the-page">
    <script type="module" src="/main.js"></script></head>
    <body><script>window.gon = ${gon};</script>${content}</body></html>`;
}

export async function respond(request, response, pathname) {
  if (request.method === 'GET') {
    const page = PAGES[pathname];
    return page ? sendHtml(response, layout(request, page())) : response.writeHead(404).end();
  }
  const form = await readForm(request);
  const location = REDIRECTS[pathname];
  if (!location) return sendHtml(response, SAVED, 200, 'text/vnd.turbo-stream.html');
  const email = form.get('session[email]');
  const cookie = email && { 'Set-Cookie': `turbo_session=${encodeURIComponent(email)}; HttpOnly; Path=/` };
  return response.writeHead(303, { Location: location, ...cookie }).end();
}
