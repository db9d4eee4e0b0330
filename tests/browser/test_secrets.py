"""Test redaction in the page: passwords, card numbers and codes are not sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.page_code import SUBMIT_JS

SAVES = "<script>function savePaymentToSupabase() { return 'saved' }</script>"
SECRET_KEYS = (
    "password1", "password2", "newPassword1", "password_confirmation",
    "user[password_confirmation]", "passwordConfirm", "confirmPassword", "pwd1",
    "cvv2", "cvc2", "CVV_CODE", "csc", "card_csc", "cvn", "cvd",
    "access_token_2", "pass_code",
)  # fmt: skip
OTHER_FIELDS = {
    "compass": "N",
    "bypass": "x",
    "passenger": "Ann",
    "tokens_left": "12",
    "confirm": "yes",
    "csv": "a,b",
    "code": "SAVE10",
    "coupon_code": "SECRETSALE",
    "order_id": "2026112942424242",
    "order": [f"20261129{number:08d}" for number in range(200)],
}

FORM_DATA = (
    "const form = new FormData(); form.append('password', 's3cret'); form.append('cvv', '987');"
)
# The script cannot read these formats, so it captures nothing of them.
UNKNOWN_FORMATS = {
    "XML": (
        "body: '<p><card>4242424242424242</card><cvv>987</cvv>"
        '<password kind="a">s3cret</password></p>\''
    ),
    "XML in bytes": "body: new TextEncoder().encode('<password>s3cret</password>')",
    "text": "body: 'card 4242 4242 4242 4242 password: s3cret'",
    "YAML": "body: 'password: s3cret\\ncvv: 987\\n'",
    "JSON behind a prefix": 'body: \')]}\\\',\\n{"password":"s3cret","cvv":987}\'',
    "JSON in JSON": "body: JSON.stringify(JSON.stringify({ password: 's3cret=1' }))",
    "a multipart body": (
        "body: new Blob(['--x\\r\\nContent-Disposition: form-data; name=\"pin\"\\r\\n\\r\\n'"
        "+ '987\\r\\n--x--'])"
    ),
}


@pytest.mark.slow
def test_fields_with_usual_secret_names_are_redacted_and_others_kept(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    visit.run(
        "(payment) => savePaymentToSupabase(payment)",
        {**dict.fromkeys(SECRET_KEYS, "s3cret"), **OTHER_FIELDS},
    )
    visit.flush()
    [body] = [capture.body for capture in proxy.received]
    assert {key: body[key] for key in SECRET_KEYS} == dict.fromkeys(SECRET_KEYS, "[redacted]")
    assert {key: body[key] for key in OTHER_FIELDS} == OTHER_FIELDS


@pytest.mark.slow
def test_body_of_an_unknown_format_is_not_captured(visit: Any, proxy: Any, user: str) -> None:
    visit.open(SAVES, user=user)
    for body in UNKNOWN_FORMATS.values():
        visit.run(
            f"() => {{ fetch('/api/payments', {{ method: 'POST', {body} }}).catch(() => 0); }}"
        )
    visit.run(f"""() => {{
      {FORM_DATA}
      fetch(new Request('/api/payments', {{ method: 'POST', body: form }})).catch(() => 0);
      return new Promise((resolve) => setTimeout(resolve)); // a Request's body is read later
    }}""")
    visit.run("savePaymentToSupabase({ note: 'the last' })")
    visit.flush()
    assert [capture.body.get("note") for capture in proxy.received] == ["the last"]
    form = "plan=Pro+Bot&user%5Bpassword%5D=s3cret"
    visit.run("(body) => { fetch('/api/payments', { method: 'POST', body }).catch(() => 0) }", form)
    visit.flush()
    body = proxy.received[-1].body
    assert (body["plan"], body["user[password]"]) == ("Pro Bot", "[redacted]")


@pytest.mark.slow
def test_form_fields_with_card_autocomplete_are_not_captured(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open(
        """<iframe name="away" hidden></iframe><form class="payment" target="away">
        <input name="plan" value="Pro">
        <input name="a" autocomplete="billing cc-number" value="4242.4242.4242.4242">
        <input name="b" autocomplete="section-a cc-csc" value="987">
        <input name="c" autocomplete="CC-CSC" value="986">
        <input name="cvv2" value="985">
        <input name="password_confirmation" value="s3cret">
        </form>""",
        user=user,
    )
    visit.run(SUBMIT_JS)
    visit.flush()
    [body] = [capture.body for capture in proxy.received]
    names = ("plan", "a", "b", "c", "cvv2", "password_confirmation")
    assert {name: body.get(name) for name in names} == {
        "plan": "Pro",
        "a": None,
        "b": None,
        "c": None,
        "cvv2": "[redacted]",
        "password_confirmation": "[redacted]",
    }


def test_password_field_without_a_name_masks_nothing_else(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open(
        '<form class="payment"><input name="plan" value="Pro"><input type="password" value="x">'
        "</form>",
        user=user,
    )
    visit.run(SUBMIT_JS)
    visit.flush()
    assert proxy.only_capture(user) == {"plan": "Pro"}


TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzM2NyZXQifQ.s3cret"
LONG_OR_DEEP_TEXTS = {
    "after many words": "word " * 30_000 + "token=s3cret",
    "in quotes": 'password: "two words, s3cret"',
    "after the scheme": "Authorization: Bearer s3cret",
    "after escaped quotes": '\\"password\\": \\"s3cret\\"',
    "token after many beginnings of tokens": "eyJ" * 20_000 + TOKEN,
    "token after many dots": "a." * 20_000 + TOKEN + ".",
    "private key": f"-----BEGIN PRIVATE KEY-----\n{'s3cret' * 9}\n-----END PRIVATE KEY-----",
    "private key without an end": "-----BEGIN RSA PRIVATE KEY-----\n" + "s3cret" * 9,
    "five layers of JSON": json.dumps(
        [json.dumps([json.dumps([json.dumps([json.dumps([{"token": "s3cret"}])])])])]
    ),
    "20,000 nested lists": "[" * 20_000 + '{"token":"s3cret"}' + "]" * 20_000,
    "after the beginning of a picture": "iVBORw0KGg" + "A" * 20_000 + "! token=s3cret",
    "beyond the length that is searched": "a: " * 400_000 + "token=s3cret",
}


@pytest.mark.slow
def test_secret_in_a_very_long_or_deep_text_does_not_leave_the_page(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    for name, note in LONG_OR_DEEP_TEXTS.items():
        visit.run(
            "([note, name]) => savePaymentToSupabase({note, transaction_id: name})", [note, name]
        )
        visit.flush()
        [capture] = proxy.received
        assert "s3cret" not in capture.text, name
        assert "[redacted]" in capture.text, name
        assert capture.body["transaction_id"] == name
        proxy.received.clear()


def test_picture_is_sent_unchanged(visit: Any, proxy: Any, user: str) -> None:
    picture = "data:image/png;base64,iVBORw0KGg" + "token4242424242424242/" * 1000
    visit.open("<script>function storeQuestionnaireData() {}</script>", user=user)
    visit.run("(screenshot) => storeQuestionnaireData({screenshot})", picture)
    visit.flush()
    assert proxy.received[0].body["screenshot"] == picture


def test_too_large_save_is_counted_and_not_kept(visit: Any, proxy: Any, user: str) -> None:
    visit.open(SAVES, user=user)
    assert visit.run("savePaymentToSupabase({list: Array(1e8)})") == "saved"
    result = visit.run("enhancedDataCapture.captureQuestionnaireData({bytes: new Uint8Array(1e7)})")
    assert result == {"success": False, "error": "too large"}
    dropped = visit.run("enhancedDataCapture.status().then(({dropped}) => dropped)")
    assert dropped == {"payment": 1, "questionnaire": 1}
    assert visit.flush() == {"success": True}
    assert proxy.received == []
