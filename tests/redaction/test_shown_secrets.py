"""Test secrets that no `=` or `:` separates from their names, and texts that show none."""

from __future__ import annotations

import time

import pytest

from data_capture.redaction.redact import REDACTED, redact, redact_text

X = REDACTED
HEX = "8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password hunter2", f"password {X}"),
        ("MT5 password - Hunter2!", f"MT5 password - {X}"),
        ("password -> hunter2, plan Pro", f"password -> {X}, plan Pro"),
        ("password → hunter2", f"password → {X}"),
        ("password (hunter2)", f"password ({X})"),
        ("use password hunter2.", f"use password {X}."),
        ("password\nhunter2", f"password\n{X}"),
        ("password\thunter2", f"password\t{X}"),
        ("password is: hunter2", f"password is: {X}"),
        ("the password was hunter2", f"the password was {X}"),
        ("my API key is a1b2c3d4e5", f"my API key is {X}"),
        ("access token is a1b2c3d4e5", f"access token is {X}"),
        ("the secret is a1b2c3d4e5", f"the secret is {X}"),
        (f"my private key is {HEX}", f"my private key is {X}"),
        (f"priv key 0x{HEX}", f"priv key {X}"),
        (f"Here's my pk {HEX}", f"Here's my pk {X}"),
        ("minha senha é hunter2", f"minha senha é {X}"),
        ("mitt lösenord är hunter2", f"mitt lösenord är {X}"),
        ("мой пароль hunter2", f"мой пароль {X}"),
        ("şifrem hunter2", f"şifrem {X}"),
        ("密码是hunter2", f"密码是{X}"),
        ("パスワードはhunter2", f"パスワードは{X}"),
        ("login: 5001 pass: hunter2", f"login: 5001 pass: {X}"),
        ("seed: a1b2c3d4e5", f"seed: {X}"),
        ("<password>abc</password>", f"<password>{X}</password>"),
        ("<pin>4821</pin>", f"<pin>{X}</pin>"),
        ('<input name="password" value="abc">', f'<input name="password" value="{X}">'),
        ("<input type=password value='abc'>", f"<input type=password value='{X}'>"),
        ('form-data; name="pw"\r\n\r\nabc\r\n--x', f'form-data; name="pw"\r\n\r\n{X}\r\n--x'),
        ("Cookie: sid=abc; a=b", f"Cookie: {X}"),
        ("Authorization: Basic Ym9iOmh1bnRlcjI=", f"Authorization: {X}"),
    ],
)
def test_secrets_behind_their_names_are_masked(text: str, masked: str) -> None:
    assert redact_text(text) == masked
    assert redact({"note": text}) == {"note": masked}


@pytest.mark.parametrize(
    "text",
    [
        "password reset requested", "Password must be 8 characters long", "Wrong password!",
        "password strength - strong", "password manager - 1Password", "no password, 2FA only",
        "password changed 2026-01-15", "password 12-character minimum", "password ********",
        "email, password, name", "password • username", "the password is required",
        "my secret is patience", "secret of success: patience", "the private key never leaves it",
        "private key for support@example.com", "access token expired",
        "pk is public", "seed: Series A", "token: 0x52908400098527886E0F7030069857D2E4169EE7",
        "pass: valid until May", "<token>USDT</token>", "<plan>pro</plan>",
        "<pincode>560001</pincode>", '<input name="plan" value="pro1">',
        "<b>password</b> reset", "passwords are https://example.com/help1", "Cookie: accepted",
        "Bearer of news", "the passage to London2", "keyboard a1b2c3",
    ],
)  # fmt: skip
def test_texts_that_show_no_secret_are_kept(text: str) -> None:
    assert redact_text(text) == text
    assert redact({"note": text}) == {"note": text}


@pytest.mark.parametrize(
    "part",
    ["password is ", "password ", "<password>", "name=a ", "<input name=pw ", "cookie: a=", "pk ",
     "密码是", 'form-data; name="pw"\r\n\r\n', "://a:", "%3D", "&#", "\\n", "password is\n"],
)  # fmt: skip
def test_repeated_names_take_time_in_proportion(part: str) -> None:
    begun_at = time.process_time()
    redact({"note": part * (90_000 // len(part))})
    assert time.process_time() - begun_at < 2
