// Helpers for the statements of a case. PEOPLE and FOLDER are replaced.
const { USER, OTHER, GUEST, TOKEN } = PEOPLE;
const number = (n = 1) => `T-${TOKEN}-${n}`;
const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const textOf = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

// Where pages keep who is signed in.
const local = (key, value) => localStorage.setItem(key, textOf(value));
const temporary = (key, value) => sessionStorage.setItem(key, textOf(value));
const cookie = (name, value) => {
  document.cookie = `${name}=${value}; path=FOLDER`;
  if (!document.cookie.includes(`${name}=`)) throw Error(`the browser refuses the cookie ${name}`);
};
const removeCookie = (name) => { document.cookie = `${name}=; path=FOLDER; max-age=0`; };
const base64Url = (value) => btoa(
  Array.from(new TextEncoder().encode(textOf(value)), (byte) => String.fromCharCode(byte)).join(''),
).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const inSeconds = (seconds) => Math.floor(Date.now() / 1000) + seconds;
const jwt = (claims) => `${[{ alg: 'HS256', typ: 'JWT' }, claims].map(base64Url).join('.')}.c2lnbmVk`;

// A session as supabase-js keeps it; `seconds` is how long it is still valid.
const supabase = (email, seconds = 3600) => ({
  access_token: jwt({ sub: `id-${email}`, email, exp: inSeconds(seconds), role: 'authenticated' }),
  token_type: 'bearer',
  expires_in: 3600,
  expires_at: inSeconds(seconds),
  refresh_token: 'secret-refresh-token',
  user: {
    id: '6e1c1d39-3fa5-4f1a-9c6e-0f3a2b1c4d5e',
    aud: 'authenticated',
    role: 'authenticated',
    email,
    app_metadata: { provider: 'email', providers: ['email'] },
    user_metadata: { full_name: 'Žofie Ünal', bio: 'trader '.repeat(400) },
  },
});

// As @supabase/ssr divides a cookie.
const chunked = (name, value, size = 3180) => {
  for (let n = 0; n * size < value.length; n++) {
    cookie(`${name}.${n}`, value.slice(n * size, (n + 1) * size));
  }
};

// What pages save.
const send = (method, address, body, more) => fetch(address, {
  method,
  headers: { 'Content-Type': 'application/json' },
  body: textOf(body),
  ...more,
});
const post = (address, body, more) => send('POST', address, body, more);
const patch = (address, body, more) => send('PATCH', address, body, more);
const payment = (more) => ({
  transaction_id: number(), plan_name: 'Pro', final_price: 49, payment_status: 'completed', ...more,
});
const pay = (more) => post('/api/payments', payment(more));
const dashboard = (more) => ({
  user_email: USER, current_equity: 10000, total_pnl: 10, win_rate: 60, theme: 'light', ...more,
});
