<?php
session_start();
$_SESSION['payment'] = "{$_POST['plan_name']}, {$_POST['final_price']}";
header('Location: /questionnaire.php', true, 303);
