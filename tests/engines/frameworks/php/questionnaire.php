<?php require 'head.php' ?>
<p>Payment saved: <?= htmlspecialchars($_SESSION['payment']) ?></p>
<form id="questionnaire-form" method="post" action="/save-questionnaire.php">
  <select name="trades_per_day"><option>1-2</option><option selected>3-5</option></select>
  <select name="crypto_assets[]" multiple>
    <option selected>BTC</option><option selected>ETH</option><option>SOL</option>
  </select>
  <input name="account_size" value="50000">
  <input name="risk_percentage" value="1.5">
  <button id="save">Send</button>
</form>
