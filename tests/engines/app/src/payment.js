import { signedInUser, TOKEN } from './account.js';
import { send, sendByXhr } from './network.js';

const plan = { name: 'Pro', price: 199.99 };

/** Saves one payment, which gives five signals. */
export async function pay(transactionId) {
  const user = signedInUser();
  const now = new Date().toISOString();
  const details = {
    method: 'card', amount: 179.99, plan: plan.name, paymentId: transactionId,
    coupon_code: 'SAVE10', discount_amount: 20,
  };
  await send('POST', '/api/create-payment-intent', {
    amount: 179.99, transaction_id: `not-yet-${transactionId}`,
  });
  localStorage.setItem('payment_details', JSON.stringify(details));
  await sendByXhr('POST', '/payment/verify-payment', {
    token: TOKEN, plan: plan.name, user_id: user.id, amount_paid: 179.99, coupon_code: 'SAVE10',
    transaction_id: transactionId,
  });
  await send('POST', '/api/payments', {
    id: transactionId, user_id: user.id, user_email: user.email, user_name: user.name,
    plan_name_payment: plan.name, original_price: 199.99, discount_amount: '20.00',
    final_price: 179.99, coupon_code: 'SAVE10', payment_method: 'card',
    transaction_id: transactionId, payment_status: 'completed', payment_provider: 'stripe',
    crypto_transaction_hash: 'NON-CRYPTO-1700000000000', crypto_from_address: 'N/A',
    crypto_amount: '0', card: { number: '4242 4242 4242 4242', cvv: '123' },
  }, { Authorization: `Bearer ${TOKEN}`, apikey: 'anon-key-of-the-project' });
  localStorage.setItem('payment_success_data', JSON.stringify({
    userId: user.id, planName: plan.name, originalPrice: 199.99, discount: 20, finalPrice: 179.99,
    couponCode: 'SAVE10', paymentMethod: 'card', transactionId,
    userData: { id: user.id, email: user.email, fullName: user.name },
    selectedPlan: plan, paymentData: { ...details, timestamp: now }, timestamp: now,
  }));
  localStorage.setItem('payment_success_data', JSON.stringify({
    email: user.email, plan: plan.name, paymentData: details, timestamp: now,
  }));
}

/** Writes the same payment 80 times a second, as an effect in an endless loop does. */
export function rewriteForever(email) {
  const details = {
    method: 'card', amount: 179.99, plan: plan.name, paymentId: 'LOOP-1', coupon_code: null,
    discount_amount: 0,
  };
  let rewrites = 0;
  setInterval(() => {
    const timestamp = new Date().toISOString();
    const success = { email, plan: plan.name, paymentData: details, timestamp };
    localStorage.setItem('payment_success_data', JSON.stringify(success));
    rewrites += 1;
    document.body.dataset.rewrites = rewrites;
  }, 12.5);
}

/** Sends a payment and leaves the page in the same task. */
export function payAndLeave(transactionId, email, url) {
  const body = {
    user_email: email, transaction_id: transactionId, plan_name_payment: plan.name,
    final_price: 179.99, payment_status: 'completed',
  };
  send('POST', '/api/payments', body).catch(() => {});
  location.href = url;
}
