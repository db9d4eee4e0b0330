"""Test that secrets are masked behind the encodings of URLs, HTML, JSON and full-width typing."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from data_capture.redaction.plain_text import mask_named_secrets
from data_capture.redaction.redact import REDACTED, redact, redact_text

X = REDACTED
CARD = "[card ****1111]"
SPACED = "4111 1111 1111 1111"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password%3Dhunter2", f"password={X}"),
        ("password%3A%20hunter2", f"password: {X}"),
        ("user%5Bpassword%5D=hunter2&plan=pro", f"user[password]={X}&plan=pro"),
        ("https://x.co/?d=" + quote(json.dumps({"password": "hunter2", "plan": "pro"})),
         f'https://x.co/?d={{"password": {X}, "plan": "pro"}}'),
        (f"next={quote(quote('https://x.co/?token=abc'))}", f"next=https://x.co/?token={X}"),
        (quote(quote(SPACED)), CARD),
        ("4111&nbsp;1111&nbsp;1111&nbsp;1111", CARD),
        ("&#52;111111111111111", CARD),
        ("password&#61;hunter2", f"password={X}"),
        ("4111<br>1111<br/>1111<br />1111", CARD),
        ("<b>4111</b><b>1111</b><b>1111</b><b>1111</b>", f" {CARD} "),
        (r"4111\n1111\n1111\n1111", CARD),
        (r"a\tpassword: hunter2\nplan: pro", rf"a\tpassword: {X}"),
        (r"4111\u20071111\u20071111\u20071111", CARD),
        ("ｐａｓｓｗｏｒｄ：hunter2", f"password:{X}"),
        ("password＝hunter2", f"password={X}"),
        ("p\u200bass\u00adword: hunter2", f"password: {X}"),
        ("password\u200b: hunter2", f"password: {X}"),
        ("４１１１／１１１１／１１１１／１１１１", CARD),
        ("4111．1111．1111．1111", CARD),
        ("4111\u061c1111\u061c1111\u061c1111", CARD),
    ],
)  # fmt: skip
def test_a_secret_in_an_encoding_is_masked_in_the_decoded_text(text: str, masked: str) -> None:
    assert redact_text(text) == masked
    assert redact({"note": text}) == {"note": masked}


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/?q=100%25%20sure&x=%7B%7D", "a&amp;b &lt;b&gt; &copy; 2026",
        "<p>plan: <b>Pro</b></p>", r"C:\new\table\readme", r"\u00e4\u00f6", "Ｐｒｏ　プラン",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 family", "ｒｅｓｅｔ", "%E2%82%AC 99",
        "x" * 50 + "%41", "\u202atext\u202c", r"\ud800 \udfff",
    ],
)  # fmt: skip
def test_encoded_texts_without_a_secret_stay_encoded(text: str) -> None:
    assert redact_text(text) == text
    assert redact({"note": text}) == {"note": text}


@pytest.mark.parametrize(
    "separator",
    ['","', "', '", "`", "→", ">", "^", "!", "$", ") (", "][", " -- ", "│", "¦", "、", "。", "═"],
)
def test_more_signs_separate_the_groups_of_cards(separator: str) -> None:
    assert redact_text(separator.join(SPACED.split())) == CARD


def test_a_decoded_surrogate_is_no_error() -> None:
    masked = redact_text(r"password: hunter2 \ud800 %ED%A0%80")
    assert masked.encode()
    assert "hunter2" not in masked


@pytest.mark.parametrize(
    "text",
    ["password%3Dhunter2", "password&#61;hunter2", "password＝hunter2", "my password hunter2"],
)
def test_a_digest_contains_no_password_whatever_its_encoding(text: str) -> None:
    assert "hunter2" not in mask_named_secrets(text)
