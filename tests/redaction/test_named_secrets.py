"""Test that secrets are masked after their names in texts, to their ends and no further."""

from __future__ import annotations

import json

import pytest

from data_capture.redaction.redact import REDACTED, redact, redact_text
from tests.redaction.test_secret_names import CASES

X = REDACTED


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password: correct horse battery", f"password: {X}"),
        ("password: correct horse battery\nplan: pro", f"password: {X}\nplan: pro"),
        ("password: hunter2, plan=Pro", f"password: {X}, plan=Pro"),
        ("password: hunter2; plan = Pro; x", f"password: {X}; plan = Pro; x"),
        ("password: two words plan: Pro", f"password: {X} plan: Pro"),
        ("password=a b&plan=pro", f"password={X}&plan=pro"),
        ('my password = "a b c" and then', f"my password = {X} and then"),
        ("password: 'a b c' and then", f"password: {X} and then"),
        ("password: don't tell anyone", f"password: {X}"),
        ("seed phrase: abandon ability able about above", f"seed phrase: {X}"),
        ("my seed phrase = zoo zoo zoo\nthanks", f"my seed phrase = {X}\nthanks"),
        ("Recovery phrase: one two three, email: a@b.co", f"Recovery phrase: {X}, email: a@b.co"),
        ("API key: abc def", f"API key: {X}"),
        ("Authorization: Bearer abc.def/ghi=\nHost: x", f"Authorization: {X}\nHost: x"),
        ("https://x.co/reset?token=abc&plan=pro", f"https://x.co/reset?token={X}&plan=pro"),
        ("https://x.co/?access_token=abc and paid 99 EUR",
         f"https://x.co/?access_token={X} and paid 99 EUR"),
        ("https://x.co/#token=abc, thanks", f"https://x.co/#token={X}, thanks"),
        ("token=abc&plan=pro", f"token={X}&plan=pro"),
        ("mfa_code: 482913 please", f"mfa_code: {X} please"),
        ("verification code: 482913, thanks", f"verification code: {X}, thanks"),
        ("Passwort: Mein Geheimnis", f"Passwort: {X}"),
        ("Mot de passe : secret à moi", f"Mot de passe : {X}"),
        ("contraseña: hola mundo", f"contraseña: {X}"),
        ("Пароль: мой секрет", f"Пароль: {X}"),
        ("密码：我的 秘密", f"密码：{X}"),
        ("パスワード: ひみつ", f"パスワード: {X}"),
        ("κωδικός πρόσβασης: μυστικό", f"κωδικός πρόσβασης: {X}"),
        ("login: 5001, investor_pw: ab cd, server: IC",
         f"login: 5001, investor_pw: {X}, server: IC"),
        ("user[password]=abc def", f"user[password]={X}"),
        ("secret answer: my dog Rex", f"secret answer: {X}"),
        ("{password: hunter2, plan: pro}", f"{{password: {X}, plan: pro}}"),
        ("{password: hunter2}", f"{{password: {X}}}"),
        ("my password is hunter2", f"my password is {X}"),
        ("The password is correct horse. Thanks!", f"The password is {X}. Thanks!"),
        ("Mein Passwort ist Geheim 1!", f"Mein Passwort ist {X}!"),
        ("My seed phrase is zoo zoo zoo\nBye", f"My seed phrase is {X}\nBye"),
        ("password confirmation: abc def", f"password confirmation: {X}"),
        ("password: a, pin: 1234, plan: pro", f"password: {X}, pin: {X}, plan: pro"),
        ("new password (again): abc", f"new password (again): {X}"),
    ],
)  # fmt: skip
def test_a_secret_ends_with_its_line_or_before_the_next_name(text: str, masked: str) -> None:
    assert redact_text(text) == masked
    assert redact({"note": text}) == {"note": masked}


@pytest.mark.parametrize(
    "text",
    [
        f"password: {X} and more",
        f"password:   {X} and more",
        f"token={X}, then the plan",
        "the password is required", "my password is correct.", "palabra clave: oro",
        "Your password is not correct: try again", "token: USDT",
        "What is the password policy? answer: yes", "password policy: 12 characters",
        "password strength: strong", "cvc_check: pass", "authorization_status: approved",
        "Phase 1 pass: yes", "baseToken: SOL", "pay_token=USDT", "pincode: 560001, Pune",
        "keyboard: qwerty", "code: SAVE10, coupon code: SAVE10", "currency code: USD", "key: value",
        "passed: yes", "compass: N", "passengers: 2", "the authority: x", "author: Ann", "spin: 7",
        "I forgot my password, please help: it was long", "monkey: 1", "turkey=2", "words: 12",
        "password last changed: 2026-01-15", "session_id=cs_test_a1b2c3", "answer: yes",
        "passwordless: yes", "The password is in the mail", "cookie: accepted", "10:30 pass 11:30",
        "secret_question: First pet?", "has_password=true",
    ],
)  # fmt: skip
def test_texts_that_tell_no_secret_are_kept(text: str) -> None:
    assert redact_text(text) == text
    assert redact({"note": text}) == {"note": text}


@pytest.mark.parametrize("key", CASES["secret"])
def test_each_name_of_a_secret_counts_in_texts_too(key: str) -> None:
    value = str(CASES["secret"][key])
    assert redact_text(f"plan=pro&{key}={value}&x=1") == f"plan=pro&{key}={X}&x=1"
    assert redact_text(f"{key} = {value}") == f"{key} = {X}"


@pytest.mark.parametrize("key", CASES["not_secret"])
def test_each_other_name_keeps_its_value_in_texts_too(key: str) -> None:
    value = CASES["not_secret"][key]
    if isinstance(value, str):
        assert redact_text(f"plan=pro&{key}={value}&x=1") == f"plan=pro&{key}={value}&x=1"


def test_a_secret_in_a_broken_json_text_ends_with_its_quotes() -> None:
    text = json.dumps({"password": "two words", "plan": "pro"})[:-1]
    assert redact_text(text) == f'{{"password": {X}, "plan": "pro"'
    escaped = json.dumps(text)
    assert redact_text(escaped).endswith('\\"plan\\": \\"pro\\""')
    assert "two words" not in redact_text(escaped)
