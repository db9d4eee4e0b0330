'use client';

import { useActionState, useState } from 'react';
import { applyCoupon, pay } from '../actions';

export default function Page() {
  const [coupon, setCoupon] = useState(null);
  const [state, payAction] = useActionState(pay, { message: '' });
  return (
    <>
      <p>Signed in</p>
      <button id="apply" onClick={async () => setCoupon(await applyCoupon('SAVE10'))}>
        Apply coupon
      </button>
      {coupon && <p>Coupon applied</p>}
      <form action={payAction}>
        <input type="hidden" name="planName" value="Pro" />
        <input type="hidden" name="originalPrice" value="199.99" />
        <input type="hidden" name="discountAmount" value={String(coupon?.discount ?? 0)} />
        <input type="hidden" name="finalPrice" value="179.99" />
        <input type="hidden" name="couponCode" value={coupon?.code ?? ''} />
        <input type="hidden" name="paymentMethod" value="card" />
        <input name="cardNumber" autoComplete="cc-number" />
        <input name="cvc" autoComplete="cc-csc" />
        <input name="transactionId" id="reference" />
        <button id="pay">Pay</button>
      </form>
      <p>{state.message}</p>
    </>
  );
}
