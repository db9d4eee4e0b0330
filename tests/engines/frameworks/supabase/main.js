import { createBrowserClient } from '@supabase/ssr';

// The session is kept in cookies, in several parts, since it does not fit in one.
const supabase = createBrowserClient(location.origin, 'anon-key-of-the-project');
const root = document.querySelector('#root');
const result = document.createElement('p');

function show(html, handlers) {
  root.innerHTML = html;
  for (const [id, handler] of Object.entries(handlers)) {
    root.querySelector(`#${id}`).addEventListener('click', handler);
  }
  root.append(result);
}

const valueOf = (selector) => root.querySelector(selector).value;

async function signIn() {
  const { error } = await supabase.auth.signInWithPassword({
    email: valueOf('[type=email]'), password: valueOf('[type=password]'),
  });
  const { data } = await supabase.from('payments').select();
  result.textContent = error?.message ?? `Signed in, ${data.length} payments`;
  show(`<input autocomplete="cc-number"> <input autocomplete="cc-csc"> <input id="reference">
    <button id="pay">Pay</button> <button id="save">Save</button>`, { pay, save });
}

async function pay() {
  const { data: { session } } = await supabase.auth.getSession();
  const { data, error } = await supabase.from('payments').insert({
    user_id: session.user.id, plan_name: 'Pro', original_price: 199.99, discount_amount: 20,
    final_price: 179.99, coupon_code: 'SAVE10', payment_method: 'card',
    transaction_id: valueOf('#reference'),
    card_number: valueOf('[autocomplete=cc-number]'), cvv: valueOf('[autocomplete=cc-csc]'),
  }).select().single();
  result.textContent = error?.message ?? `Payment saved as ${data.id}`;
}

/** Saves the dashboard in Supabase, and the answers by the site's own route, which has cookies. */
async function save() {
  const { data: { session } } = await supabase.auth.getSession();
  const { error } = await supabase.from('dashboard_data').upsert({
    user_id: session.user.id, current_equity: 10250.5, total_pnl: 250.5, win_rate: 62.5,
    total_trades: 8,
  }, { onConflict: 'user_id' });
  await fetch('/api/questionnaire', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      trades_per_day: '3-5', crypto_assets: ['BTC', 'ETH'], account_size: 50000,
      risk_percentage: 1.5,
    }),
  });
  result.textContent = error?.message ?? 'Answers saved';
}

show(`<input type="email"> <input type="password"> <button id="sign-in">Sign in</button>`, {
  'sign-in': signIn,
});
