import { readForm, sendHtml } from '../http.mjs';

const checkout = (email) => `
  <form class="payment-filter" hx-get="/payments" hx-target="#payments" hx-trigger="load, submit">
    <input name="plan_name" value="Pro">
  </form>
  <p id="payments"></p>
  <form hx-post="/checkout" hx-target="#result">
    <input type="hidden" name="billing_email" value="${email}">
    <input type="hidden" name="csrfmiddlewaretoken" value="csrf-token-of-the-page">
    <input type="hidden" name="plan" value="Pro">
    <input type="hidden" name="original_price" value="199.99">
    <input type="hidden" name="discount" value="20.00">
    <input type="hidden" name="total" value="179.99">
    <input name="coupon_code" value="SAVE10">
    <input type="hidden" name="payment_method" value="card">
    <input name="card_number" autocomplete="cc-number">
    <input name="security_code" autocomplete="cc-csc">
    <input name="transaction_id" id="reference">
    <button id="pay">Pay</button>
  </form>
  <form hx-post="/questionnaire/save" hx-target="#result"
      hx-vals='{"user_email": "${email}"}'>
    <input name="trades_per_day" value="3-5">
    <select name="crypto_assets" multiple>
      <option selected>BTC</option><option selected>ETH</option><option>SOL</option>
    </select>
    <input name="account_size" value="50000">
    <input name="risk_percentage" value="1.5">
    <button id="save">Send</button>
  </form>
  <p id="result"></p>`;

const responses = {
  '/payments': () => 'Signed in, 1 payment',
  '/login': (form) => checkout(form.get('email')),
  '/checkout': (form) => `Payment saved: ${form.get('plan')}`,
  '/questionnaire/save': (form) => `Answers saved: ${form.getAll('crypto_assets')}`,
};

export async function respond(request, response, pathname) {
  const answer = responses[pathname];
  if (!answer) return response.writeHead(404).end();
  return sendHtml(response, answer(await readForm(request)));
}
