import { signedIn, TOKEN } from './account.js';
import { send, sendOld } from './network.js';

const plan = { name: 'Pro', price: 199.99 };

/** A payment as the page keeps and sends it: five signals, one payment. */
export async function pay(transactionId) {
  const person = signedIn();
  const now = new Date().toISOString();
  const details = { method: 'card', amount: 179.99, plan: plan.name, paymentId: transactionId, coupon_code: 'SAVE10', discount_amount: 20 };
  await send('POST', '/api/create-payment-intent', { amount: 179.99, transaction_id: `not-yet-${transactionId}` });
  localStorage.setItem('payment_details', JSON.stringify(details));
  await sendOld('POST', '/payment/verify-payment', {
    token: TOKEN, plan: plan.name, user_id: person.id, amount_paid: 179.99, coupon_code: 'SAVE10', transaction_id: transactionId,
  });
  await send('POST', '/api/payments', {
    id: transactionId, user_id: person.id, user_email: person.email, user_name: person.name, plan_name_payment: plan.name,
    original_price: 199.99, discount_amount: '20.00', final_price: 179.99, coupon_code: 'SAVE10', payment_method: 'card',
    transaction_id: transactionId, payment_status: 'completed', payment_provider: 'stripe',
    crypto_transaction_hash: 'NON-CRYPTO-1700000000000', crypto_from_address: 'N/A', crypto_amount: '0',
    card: { number: '4242 4242 4242 4242', cvv: '123' },
  }, { Authorization: `Bearer ${TOKEN}`, apikey: 'anon-key-of-the-project' });
  localStorage.setItem('payment_success_data', JSON.stringify({
    userId: person.id, planName: plan.name, originalPrice: 199.99, discount: 20, finalPrice: 179.99, couponCode: 'SAVE10',
    paymentMethod: 'card', transactionId, userData: { id: person.id, email: person.email, fullName: person.name },
    selectedPlan: plan, paymentData: { ...details, timestamp: now }, timestamp: now,
  }));
  localStorage.setItem('payment_success_data', JSON.stringify({ email: person.email, plan: plan.name, paymentData: details, timestamp: now }));
}

/** As the loop of an effect does: the same thing, 80 times a second, as long as the page is there. */
export function rewriteForEver(email) {
  const details = { method: 'card', amount: 179.99, plan: plan.name, paymentId: 'LOOP-1', coupon_code: null, discount_amount: 0 };
  setInterval(() => {
    const kept = { email, plan: plan.name, paymentData: details, timestamp: new Date().toISOString() };
    localStorage.setItem('payment_success_data', JSON.stringify(kept));
  }, 12.5);
}

/** The shop sends and the browser leaves, in one task. */
export function payAndLeave(transactionId, email, address) {
  const body = { user_email: email, transaction_id: transactionId, plan_name_payment: plan.name, final_price: 179.99, payment_status: 'completed' };
  send('POST', '/api/payments', body).catch(() => {});
  location.href = address;
}
