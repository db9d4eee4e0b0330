<?php require 'head.php' ?>
<p>Answers saved: <?= htmlspecialchars($_SESSION['answers']) ?></p>
