<?php require 'head.php' ?>
<p>Signed in as <?= htmlspecialchars($user['name']) ?></p>
<form id="payment-form" method="post" action="/process-payment.php">
  <input type="hidden" name="csrf_token" value="csrf-token-of-the-page">
  <input type="hidden" name="email" value="<?= htmlspecialchars($user['email']) ?>">
  <input type="hidden" name="plan_name" value="Pro">
  <input type="hidden" name="original_price" value="199.99">
  <input type="hidden" name="discount_amount" value="20.00">
  <input type="hidden" name="final_price" value="179.99">
  <input name="coupon_code" value="SAVE10">
  <label><input type="radio" name="payment_method" value="card" checked> Card</label>
  <label><input type="radio" name="payment_method" value="crypto"> Crypto</label>
  <input name="card_number" autocomplete="billing cc-number">
  <input name="f1" autocomplete="billing cc-csc">
  <input name="transaction_id" id="reference" required>
  <button id="pay" name="action" value="pay">Pay</button>
</form>
<form id="payment-search" method="get" action="/checkout.php">
  <input name="payment_number"><button>Search</button>
</form>
