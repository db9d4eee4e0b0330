"""Test that keys of providers, private keys and passwords in URLs are masked by their form."""

from __future__ import annotations

import pytest
from mnemonic import Mnemonic

from data_capture.redaction.redact import REDACTED, redact, redact_text

LETTERS = "aB3" * 40
HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "token",
    [
        f"sk_live_{LETTERS[:24]}", f"rk_test_{LETTERS[:24]}", f"sk_org_live_{LETTERS[:24]}",
        f"whsec_{LETTERS[:32]}", f"ghp_{LETTERS[:36]}", f"gho_{LETTERS[:36]}",
        f"github_pat_{LETTERS[:22]}_{LETTERS[:59]}", f"glpat-{LETTERS[:20]}",
        f"xoxb-123456789012-1234567890123-{LETTERS[:24]}", f"AIzaSy{LETTERS[:33]}",
        f"AKIA{'ABCD2345' * 2}", f"ya29.{LETTERS[:40]}", f"sk-{LETTERS[:48]}",
        f"sk-proj-{LETTERS[:40]}", f"sk-ant-api03-{LETTERS[:40]}",
        f"SG.{LETTERS[:22]}.{LETTERS[:43]}", f"pypi-{LETTERS[:80]}", f"shpat_{HEX[:32]}",
        f"sq0atp-{LETTERS[:22]}", f"dop_v1_{HEX}", f"sbp_{HEX[:40]}", f"key-{HEX[:32]}",
        f"access_token$production${HEX[:16]}${HEX[:32]}", f"1102015430:AA{LETTERS[:33]}",
        f"xprv{LETTERS[:107]}",
        "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
        "KwdMAjGmerYanjeui5SHS7JkmpZvVipYvB2LJGU1ZxJwYvP98617",
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{LETTERS}\n-----END PGP PRIVATE KEY BLOCK-----",
    ],
)  # fmt: skip
def test_tokens_are_masked_wherever_they_are(token: str) -> None:
    assert redact({"x": token}) == {"x": REDACTED}
    assert redact({"x": {"y": [f"({token}) thanks"]}}) == {"x": {"y": [f"({REDACTED}) thanks"]}}
    assert token not in redact_text(f"https://example.com/?k={token}")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://bob:hunter2@example.com/a", f"https://bob:{REDACTED}@example.com/a"),
        ("postgres://bob:p:w@db:5432/x", f"postgres://bob:{REDACTED}@db:5432/x"),
        ("redis://:hunter2@cache:6379", f"redis://:{REDACTED}@cache:6379"),
        ("smtp://a%40b.co:hunter2@mail", f"smtp://a%40b.co:{REDACTED}@mail"),
        (f"pi_3Mtw_secret_{LETTERS[:25]}", f"pi_3Mtw_secret_{REDACTED}"),
        (f"https://hooks.slack.com/services/T0/B0/{LETTERS[:24]}",
         f"https://hooks.slack.com/services/{REDACTED}"),
        (f"https://discord.com/api/webhooks/456226577798135801/{LETTERS[:68]}",
         f"https://discord.com/api/webhooks/456226577798135801/{REDACTED}"),
    ],
)  # fmt: skip
def test_only_the_secret_in_a_url_or_an_id_is_masked(text: str, masked: str) -> None:
    assert redact_text(text) == masked
    assert redact({"x": text}) == {"x": masked}


@pytest.mark.parametrize(
    "text",
    [
        f"pk_live_{LETTERS[:24]}", f"pi_{LETTERS[:24]}", f"cs_test_{LETTERS[:58]}",
        f"0x{HEX}", HEX, "https://user@example.com/", "https://example.com:8080/a@b",
        "https://medium.com/@user/post-1:2", "git@github.com:a/b.git", "risk-reward 1:2",
        "task-management", "sk-three-bounce-container-of-the-page",
        "1Lbcfr7sAHTD9CgdQo3HTMTkV8LK4ZnX71", "keyboard-shortcuts",
        "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTK",  # a wrong checksum
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "msg.example.com",
    ],
)  # fmt: skip
def test_public_keys_hashes_and_addresses_are_kept(text: str) -> None:
    assert redact({"x": text}) == {"x": text}
    assert redact_text(f"see {text} here") == f"see {text} here"


def test_words_of_a_wordlist_are_no_private_key() -> None:
    text = "".join(Mnemonic("english").wordlist)
    assert redact_text(text) == text
