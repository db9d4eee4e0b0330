<?php
session_start();
$_SESSION['answers'] = implode(', ', $_POST['crypto_assets']);
header('Location: /thanks.php', true, 303);
