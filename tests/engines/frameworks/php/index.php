<?php
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    session_start();
    session_regenerate_id(true);
    $_SESSION['user'] = ['id' => 7, 'name' => 'Example User', 'email' => $_POST['email']];
    header('Location: /checkout.php', true, 303);
    exit;
}
require 'head.php';
?>
<form method="post" action="/index.php">
  <input type="email" name="email" required>
  <input type="password" name="password" required>
  <button id="sign-in">Sign in</button>
</form>
