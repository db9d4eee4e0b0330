<?php
session_start();
$user = $_SESSION['user'] ?? null;
$service = $_SERVER['HTTP_X_CAPTURE_SERVICE'] ?? '';
?>
<!doctype html>
<html>
<head>
<meta charset="utf-8">
<title>PHP</title>
<script src="/observer.js"></script>
<?php if ($service): ?>
<script src="<?= $service ?>/frontend_data_capture_integration.js" crossorigin></script>
<?php endif ?>
<script>window.currentUser = <?= json_encode($user) ?>;</script>
</head>
<body>
