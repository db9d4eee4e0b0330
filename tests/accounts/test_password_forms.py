"""Test that a password is the same in each Unicode form in which a system sends it."""

from __future__ import annotations

import hashlib
import time
import unicodedata
from collections.abc import Callable

import argon2
import bcrypt
import pytest

from data_capture.accounts.fields import find_password_error
from data_capture.accounts.passwords import CheckResult, Passwords, normalise_password
from tests.support.accounts import execute_as_another_program, log_in, register
from tests.support.services import RunningService

PASSWORDS = Passwords()
WORDS = [
    "pässwörd", "contraseña", "mot de passe élevé", "Žluťoučký kůň", "Привет, мой пароль",
    "Ελληνικά ά έ ή", "密码とパスワードが", "비밀번호입니다", "tiếng Việt mật khẩu", "Å-ångström",
]  # fmt: skip


def nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def opens(password: str, stored: str) -> bool:
    return PASSWORDS.check(password, [stored]) is not CheckResult.WRONG


@pytest.mark.parametrize("word", WORDS)
def test_a_new_hash_is_opened_by_both_forms(word: str) -> None:
    assert nfc(word) != nfd(word) or word.isascii()
    for typed in (nfc(word), nfd(word)):
        stored = PASSWORDS.hash(typed)
        assert opens(nfc(word), stored)
        assert opens(nfd(word), stored)
        assert not opens(word + "x", stored)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("form", [nfc, nfd])
def test_an_old_hash_of_a_password_as_typed_is_opened_by_both_forms(
    word: str, form: Callable[[str], str]
) -> None:
    typed = form(word)
    for stored in (
        argon2.PasswordHasher(time_cost=1, memory_cost=64).hash(typed),
        hashlib.sha256(typed.encode()).hexdigest(),
        bcrypt.hashpw(typed.encode(), bcrypt.gensalt(4)).decode(),
    ):
        assert opens(nfc(word), stored)
        assert opens(nfd(word), stored)


@pytest.mark.parametrize(
    ("chosen", "typed"),
    [
        ("pässwörd", "password"),
        ("pässwörd", "pa\u0308ssword"),
        ("pässwörd", "PÄSSWÖRD"),
        ("password", "pässwörd"),
        ("ｐａｓｓｗｏｒｄ", "password"),
        ("ﬁnances!", "finances!"),
        ("stra\u00dfe-1", "strasse-1"),
        ("ångström1", "angstrom1"),
        ("²squared", "2squared"),
        ("пароль-1", "пapoль-1"),
    ],
)
def test_another_password_does_not_open_a_hash(chosen: str, typed: str) -> None:
    assert not opens(typed, PASSWORDS.hash(chosen))
    assert not opens(typed, hashlib.sha256(nfd(chosen).encode()).hexdigest())


@pytest.mark.parametrize(
    ("password", "error"),
    [
        (nfd("éàü") * 1, "at least 6"),
        (nfd("éàüöñ"), "at least 6"),
        (nfd("éàüöñç"), None),
        ("é" * 1024, None),
        (nfd("é" * 1024), None),
        (nfd("é" * 1025), "at most 1024"),
        ("e" + "\u0301" * 5000, "at most 1024"),
        ("각" * 1024, None),
        (nfd("각" * 1024), None),
        ("x" * 1025, "at most 1024"),
    ],
)
def test_the_characters_of_a_password_are_counted_after_normalisation(
    password: str, error: str | None
) -> None:
    found = find_password_error(password)
    assert (found is None) if error is None else (found is not None and error in found)


def test_a_wrong_password_takes_as_long_without_an_account() -> None:
    def measure(stored: list[str | None]) -> float:
        started = time.process_time()
        for _ in range(3):
            PASSWORDS.check("pässwörd", stored)
        return time.process_time() - started

    with_account = min(measure([PASSWORDS.hash("other")]) for _ in range(3))
    without = min(measure([]) for _ in range(3))
    assert 0.5 < with_account / without < 2


def test_ascii_passwords_are_normalised_already() -> None:
    text = "".join(map(chr, range(32, 127)))
    assert normalise_password(text) == text


@pytest.mark.slow
def test_both_forms_log_in_through_the_service(signup_service: RunningService, user: str) -> None:
    word = "pässwörd élevé"
    for number, (chosen, typed) in enumerate(((nfd(word), nfc(word)), (nfc(word), nfd(word)))):
        email = f"{number}{user}"
        assert register(signup_service, email, password=chosen).status_code == 201
        assert log_in(signup_service, email, typed).status_code == 200
        assert log_in(signup_service, email, chosen).status_code == 200
        assert log_in(signup_service, email, "password eleve").status_code == 401


@pytest.mark.slow
def test_a_hash_of_an_earlier_version_opens_and_stays(
    signup_service: RunningService, user: str
) -> None:
    word = "pässwörd élevé"
    register(signup_service, user)
    stored = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash(
        nfd(word)
    )
    execute_as_another_program(
        signup_service.database, "UPDATE users SET password_hash = ? WHERE email = ?", stored, user
    )
    for typed in (nfd(word), nfc(word)):
        assert log_in(signup_service, user, typed).status_code == 200
    [row] = signup_service.rows("SELECT password_hash FROM users WHERE email = ?", user)
    assert row["password_hash"] == stored
