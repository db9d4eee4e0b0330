/* The payment page. Its save function is global, as on real sites; the rest is private. */

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
    userData: {
      id: paymentData.user_id,
      email: paymentData.user_email,
      fullName: paymentData.user_name,
    },
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
  // Without I, O, 0 and 1, because people read transaction ids out loud.
  const ID_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

  const form = byId("payment-form");

  function byId(id) {
    return document.getElementById(id);
  }

  function setText(id, text) {
    byId(id).textContent = text;
  }

  function formatDollars(cents) {
    return (cents / 100).toLocaleString("en-US", { style: "currency", currency: "USD" });
  }

  function randomBytes(count) {
    return Array.from(crypto.getRandomValues(new Uint8Array(count)));
  }

  function createTransactionId() {
    // 256 is a multiple of 32, so every letter is equally likely.
    const letters = randomBytes(12).map((byte) => ID_LETTERS[byte % ID_LETTERS.length]).join("");
    return "SD-" + letters.match(/.{4}/g).join("-");
  }

  function createSampleHex(bytes) {
    return "0x" + randomBytes(bytes).map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function checkedInput(name) {
    return form.querySelector(`input[name=${name}]:checked`);
  }

  function readCouponCode() {
    const code = byId("coupon").value.trim().toUpperCase();
    return Object.hasOwn(COUPON_PERCENT, code) ? code : null;
  }

  // Prices are computed in whole cents: in binary floating point, 0.1 + 0.2 is not 0.3.
  function computePrice() {
    const originalCents = Number(checkedInput("plan").dataset.cents);
    const coupon = readCouponCode();
    const discountCents = coupon ? Math.round((originalCents * COUPON_PERCENT[coupon]) / 100) : 0;
    return { originalCents, discountCents, finalCents: originalCents - discountCents, coupon };
  }

  function showPrice() {
    const price = computePrice();
    setText("plan-name", checkedInput("plan").value);
    setText("original-price", formatDollars(price.originalCents));
    setText("discount", "−" + formatDollars(price.discountCents));
    setText("final-price", formatDollars(price.finalCents));
    setText("pay", `Pay ${formatDollars(price.finalCents)}`);
    byId("discount-row").hidden = !price.coupon;
  }

  function showCoupon() {
    const code = readCouponCode();
    setText("coupon-note", code ? `${COUPON_PERCENT[code]}% off applied` : "");
    byId("coupon-note").classList.toggle("gain-text", Boolean(code));
  }

  // Called when the visitor leaves the field: an incomplete code is not yet wrong.
  function showUnknownCoupon() {
    if (byId("coupon").value.trim() && !readCouponCode()) {
      setText("coupon-note", "We don't know this code.");
    }
  }

  function showMethod() {
    const method = checkedInput("method").value;
    for (const name of ["card", "crypto"]) {
      const fields = byId(`${name}-fields`);
      fields.hidden = name !== method;
      // Disabled fields are not validated. A hidden required field would block the form silently.
      fields.disabled = name !== method;
    }
  }

  function readSignedInUser() {
    try {
      return JSON.parse(localStorage.getItem("current_user"));
    } catch {
      return null;
    }
  }

  function readBuyer() {
    const email = byId("email").value.trim();
    const details = { user_email: email, user_name: byId("name").value.trim() };
    const user = readSignedInUser();
    const isBuyer = user && String(user.email).toLowerCase() === email.toLowerCase();
    return isBuyer ? { user_id: user.id, ...details } : details;
  }

  // Only the card processor may get the card number and the security code. They are not part of
  // paymentData, because saved data is copied, logged and backed up, and a shop must not keep them
  // (PCI DSS 3.3).
  function readMethodDetails(finalCents) {
    if (checkedInput("method").value === "card") {
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

  function readPayment() {
    const price = computePrice();
    return {
      ...readBuyer(),
      plan_name_payment: checkedInput("plan").value,
      original_price: price.originalCents / 100,
      discount_amount: (price.discountCents / 100).toFixed(2),
      final_price: price.finalCents / 100,
      coupon_code: price.coupon,
      transaction_id: createTransactionId(),
      payment_status: "completed",
      ...readMethodDetails(price.finalCents),
    };
  }

  function showResult(payment) {
    const result = byId("payment-result");
    setText("paid-name", payment.user_name);
    setText("paid-email", payment.user_email);
    setText("paid-plan", payment.plan_name_payment);
    setText("paid-amount", formatDollars(Math.round(payment.final_price * 100)));
    setText("paid-method", METHOD_NAMES[payment.payment_method]);
    setText("paid-transaction", payment.transaction_id);
    result.dataset.transactionId = payment.transaction_id;
    byId("order").hidden = true;
    result.hidden = false;
    scrollTo(0, 0);
    result.focus({ preventScroll: true });
  }

  function showProblem() {
    const problem = byId("payment-problem");
    problem.textContent =
      "Your payment could not be saved. " +
      "Allow this site to store data in your browser, then try again.";
    problem.hidden = false;
  }

  async function pay(event) {
    event.preventDefault();
    byId("pay").disabled = true; // a second click would pay twice
    byId("payment-problem").hidden = true;
    try {
      const payment = readPayment();
      await savePaymentToSupabase(payment);
      showResult(payment);
    } catch {
      showProblem();
    } finally {
      byId("pay").disabled = false;
    }
  }

  function fillSamples() {
    byId("crypto-hash").value = createSampleHex(32);
    byId("crypto-from").value = createSampleHex(20);
  }

  function startOver() {
    fillSamples();
    byId("payment-result").hidden = true;
    delete byId("payment-result").dataset.transactionId;
    byId("order").hidden = false;
    scrollTo(0, 0);
    checkedInput("plan").focus({ preventScroll: true });
  }

  function fillKnownVisitor() {
    const user = readSignedInUser();
    if (!user) return;
    byId("name").value = user.name || "";
    byId("email").value = user.email || "";
  }

  form.addEventListener("submit", pay);
  form.addEventListener("input", showPrice);
  form.addEventListener("change", showMethod);
  byId("coupon").addEventListener("input", showCoupon);
  byId("coupon").addEventListener("change", showUnknownCoupon);
  byId("again").addEventListener("click", startOver);

  fillSamples();
  fillKnownVisitor();
  // After a reload, the browser has already restored the fields: show their values.
  showCoupon();
  showPrice();
  showMethod();
})();
