import { createTRPCClient, httpBatchLink } from '@trpc/client';

const trpc = createTRPCClient({
  links: [httpBatchLink({ url: '/trpc' })],
});
const root = document.querySelector('#root');
const valueOf = (selector) => root.querySelector(selector).value;

async function showPayments() {
  const payments = await trpc.payment.list.query();
  root.querySelector('#count').textContent = `Signed in, ${payments.length} payments`;
}

async function signIn() {
  const user = await trpc.session.signIn.mutate({
    email: valueOf('[type=email]'), password: valueOf('[type=password]'),
  });
  localStorage.setItem('session', JSON.stringify({ user, expires: '2100-01-01T00:00:00Z' }));
  root.innerHTML = `<input autocomplete="cc-number"> <input autocomplete="cc-csc">
    <input id="reference"> <button id="pay">Pay</button> <button id="save">Save</button>
    <p id="count"></p> <p id="result"></p>`;
  root.querySelector('#pay').onclick = pay;
  root.querySelector('#save').onclick = save;
  await showPayments();
}

async function pay() {
  await trpc.payment.create.mutate({
    planName: 'Pro', originalPrice: 199.99, discountAmount: 20, finalPrice: 179.99,
    couponCode: 'SAVE10', paymentMethod: 'card', transactionId: valueOf('#reference'),
    card: { number: valueOf('[autocomplete=cc-number]'), cvc: valueOf('[autocomplete=cc-csc]') },
  });
  await showPayments();
  root.querySelector('#result').textContent = 'Payment saved';
}

async function save() {
  await trpc.dashboard.save.mutate({
    currentEquity: 10250.5, totalPnl: 250.5, winRate: 62.5, totalTrades: 8,
  });
  root.querySelector('#result').textContent = 'Dashboard saved';
}

root.innerHTML = `<input type="email"> <input type="password">
  <button id="sign-in">Sign in</button>`;
root.querySelector('#sign-in').onclick = signIn;
