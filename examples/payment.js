/* The payment page. Its save function is a global, as on existing sites; everything else stays inside. */

async function savePaymentToSupabase(paymentData) {
  const record = {
    userId: paymentData.user_id,
    planName: paymentData.plan_name_payment,
    originalPrice: paymentData.original_price,
    discount: Number(paymentData.discount_amount),
    finalPrice: paymentData.final_price,
    couponCode: paymentData.coupon_code,
    paymentMethod: paymentData.payment_method,
    transactionId: paymentData.transaction_id,
    userData: { id: paymentData.user_id, email: paymentData.user_email, fullName: paymentData.user_name },
    selectedPlan: { name: paymentData.plan_name_payment, price: paymentData.original_price },
    paymentData: {
      method: paymentData.payment_method,
      amount: paymentData.final_price,
      plan: paymentData.plan_name_payment,
      paymentId: paymentData.transaction_id,
      coupon_code: paymentData.coupon_code,
      discount_amount: Number(paymentData.discount_amount),
    },
    timestamp: new Date().toISOString(),
  };
  localStorage.setItem("payment_success_data", JSON.stringify(record));
  return { data: record, error: null };
}

(function () {
  "use strict";

  const COUPON_PERCENT = { SAVE10: 10 };
  const METHOD_NAMES = { card: "Card", crypto: "Crypto, USDT" };
  // No I, O, 0 or 1: people read transaction ids out loud.
  const ID_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

  const form = byId("payment-form");

  function byId(id) {
    return document.getElementById(id);
  }

  function write(id, text) {
    byId(id).textContent = text;
  }

  function dollars(cents) {
    return (cents / 100).toLocaleString("en-US", { style: "currency", currency: "USD" });
  }

  function randomBytes(count) {
    return Array.from(crypto.getRandomValues(new Uint8Array(count)));
  }

  function newTransactionId() {
    // 256 is a multiple of 32, so every letter is equally likely.
    const letters = randomBytes(12).map((byte) => ID_LETTERS[byte % ID_LETTERS.length]).join("");
    return "SD-" + letters.match(/.{4}/g).join("-");
  }

  function sampleHex(bytes) {
    return "0x" + randomBytes(bytes).map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function chosen(name) {
    return form.querySelector(`input[name=${name}]:checked`);
  }

  function couponCode() {
    const code = byId("coupon").value.trim().toUpperCase();
    return Object.hasOwn(COUPON_PERCENT, code) ? code : null;
  }

  // Whole cents until the last moment: 0.1 + 0.2 has no place in a price.
  function currentPrice() {
    const originalCents = Number(chosen("plan").dataset.cents);
    const coupon = couponCode();
    const discountCents = coupon ? Math.round((originalCents * COUPON_PERCENT[coupon]) / 100) : 0;
    return { originalCents, discountCents, finalCents: originalCents - discountCents, coupon };
  }

  function showPrice() {
    const price = currentPrice();
    write("plan-name", chosen("plan").value);
    write("original-price", dollars(price.originalCents));
    write("discount", "−" + dollars(price.discountCents));
    write("final-price", dollars(price.finalCents));
    write("pay", `Pay ${dollars(price.finalCents)}`);
    byId("discount-row").hidden = !price.coupon;
  }

  function showCoupon() {
    const code = couponCode();
    write("coupon-note", code ? `${COUPON_PERCENT[code]}% off applied` : "");
    byId("coupon-note").classList.toggle("gain-text", Boolean(code));
  }

  // Said only when the field is left: half a code is not yet a wrong one.
  function judgeCoupon() {
    if (byId("coupon").value.trim() && !couponCode()) write("coupon-note", "We don't know this code.");
  }

  function showMethod() {
    const method = chosen("method").value;
    for (const name of ["card", "crypto"]) {
      const fields = byId(`${name}-fields`);
      fields.hidden = name !== method;
      // Disabled fields are not validated: a hidden required field would block the form without a word.
      fields.disabled = name !== method;
    }
  }

  function signedInUser() {
    try {
      return JSON.parse(localStorage.getItem("current_user"));
    } catch {
      return null;
    }
  }

  function buyer() {
    const email = byId("email").value.trim();
    const person = { user_email: email, user_name: byId("name").value.trim() };
    const user = signedInUser();
    const isBuyer = user && String(user.email).toLowerCase() === email.toLowerCase();
    return isBuyer ? { user_id: user.id, ...person } : person;
  }

  // The card number and the security code are for the card processor alone. They never enter paymentData, because
  // what a page saves is copied, logged and backed up, and a shop may not keep them (PCI DSS 3.3).
  function methodDetails(finalCents) {
    if (chosen("method").value === "card") {
      return {
        payment_method: "card",
        payment_provider: "card_processor",
        crypto_transaction_hash: `NON-CRYPTO-${Date.now()}`,
        crypto_from_address: "N/A",
        crypto_amount: "0",
      };
    }
    return {
      payment_method: "crypto",
      payment_provider: "usdt_transfer",
      crypto_transaction_hash: byId("crypto-hash").value.trim(),
      crypto_from_address: byId("crypto-from").value.trim(),
      crypto_amount: (finalCents / 100).toFixed(2),
    };
  }

  function paymentFromForm() {
    const price = currentPrice();
    return {
      ...buyer(),
      plan_name_payment: chosen("plan").value,
      original_price: price.originalCents / 100,
      discount_amount: (price.discountCents / 100).toFixed(2),
      final_price: price.finalCents / 100,
      coupon_code: price.coupon,
      transaction_id: newTransactionId(),
      payment_status: "completed",
      ...methodDetails(price.finalCents),
    };
  }

  function showResult(payment) {
    const result = byId("payment-result");
    write("paid-name", payment.user_name);
    write("paid-email", payment.user_email);
    write("paid-plan", payment.plan_name_payment);
    write("paid-amount", dollars(Math.round(payment.final_price * 100)));
    write("paid-method", METHOD_NAMES[payment.payment_method]);
    write("paid-transaction", payment.transaction_id);
    result.dataset.transactionId = payment.transaction_id;
    byId("order").hidden = true;
    result.hidden = false;
    scrollTo(0, 0);
    result.focus({ preventScroll: true });
  }

  function showProblem() {
    const problem = byId("payment-problem");
    problem.textContent = "Your payment could not be saved. Please allow this site to store data in your browser, then try again.";
    problem.hidden = false;
  }

  async function pay(event) {
    event.preventDefault();
    byId("pay").disabled = true; // a second click would pay twice
    byId("payment-problem").hidden = true;
    try {
      const payment = paymentFromForm();
      await savePaymentToSupabase(payment);
      showResult(payment);
    } catch {
      showProblem();
    } finally {
      byId("pay").disabled = false;
    }
  }

  function fillSamples() {
    byId("crypto-hash").value = sampleHex(32);
    byId("crypto-from").value = sampleHex(20);
  }

  function startOver() {
    fillSamples();
    byId("payment-result").hidden = true;
    delete byId("payment-result").dataset.transactionId;
    byId("order").hidden = false;
    scrollTo(0, 0);
    chosen("plan").focus({ preventScroll: true });
  }

  function fillKnownVisitor() {
    const user = signedInUser();
    if (!user) return;
    byId("name").value = user.name || "";
    byId("email").value = user.email || "";
  }

  form.addEventListener("submit", pay);
  form.addEventListener("input", showPrice);
  form.addEventListener("change", showMethod);
  byId("coupon").addEventListener("input", showCoupon);
  byId("coupon").addEventListener("change", judgeCoupon);
  byId("again").addEventListener("click", startOver);

  fillSamples();
  fillKnownVisitor();
  // A browser that brings a reloaded page's fields back does so before this runs: show what they say.
  showCoupon();
  showPrice();
  showMethod();
})();
