"""No password, card or code leaves the page, whatever its field is called and whatever the body looks like."""

from __future__ import annotations

from typing import Any

SAVES = "<script>function savePaymentToSupabase() { return 'saved' }</script>"
SECRET_KEYS = (
    "password1", "password2", "newPassword1", "password_confirmation", "user[password_confirmation]", "passwordConfirm",
    "confirmPassword", "pwd1", "cvv2", "cvc2", "CVV_CODE", "csc", "card_csc", "cvn", "cvd", "access_token_2", "pass_code",
)  # fmt: skip
HONEST = {
    "compass": "N", "bypass": "x", "passenger": "Ann", "tokens_left": "12", "confirm": "yes", "csv": "a,b", "code": "SAVE10",
    "coupon_code": "SECRETSALE", "order_id": "2026112942424242", "order": [f"20261129{number:08d}" for number in range(200)],
}  # fmt: skip

FORM_DATA = (
    "const form = new FormData(); form.append('password', 's3cret'); form.append('cvv', '987');"
)
# Nothing in these is understood, so that nothing of them is kept.
BODIES = {
    "XML": "body: '<p><card>4242424242424242</card><cvv>987</cvv><password kind=\"a\">s3cret</password></p>'",
    "XML in bytes": "body: new TextEncoder().encode('<password>s3cret</password>')",
    "text": "body: 'card 4242 4242 4242 4242 password: s3cret'",
    "YAML": "body: 'password: s3cret\\ncvv: 987\\n'",
    "JSON behind a prefix": 'body: \')]}\\\',\\n{"password":"s3cret","cvv":987}\'',
    "JSON in JSON": "body: JSON.stringify(JSON.stringify({ password: 's3cret=1' }))",
    "a multipart body": "body: new Blob(['--x\\r\\nContent-Disposition: form-data; name=\"pin\"\\r\\n\\r\\n987\\r\\n--x--'])",
}


def test_secrets_are_told_by_all_usual_names_and_other_names_are_left_alone(
    visit: Any, front: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    visit.run(
        "(payment) => savePaymentToSupabase(payment)",
        {**dict.fromkeys(SECRET_KEYS, "s3cret"), **HONEST},
    )
    visit.flush()
    [body] = [post.body for post in front.posts]
    assert {key: body[key] for key in SECRET_KEYS} == dict.fromkeys(SECRET_KEYS, "[redacted]")
    assert {key: body[key] for key in HONEST} == HONEST


def test_a_body_of_no_known_form_is_not_kept(visit: Any, front: Any, user: str) -> None:
    visit.open(SAVES, user=user)
    for body in BODIES.values():
        visit.run(
            f"() => {{ fetch('/api/payments', {{ method: 'POST', {body} }}).catch(() => 0); }}"
        )
    visit.run(f"""() => {{
      {FORM_DATA}
      fetch(new Request('/api/payments', {{ method: 'POST', body: form }})).catch(() => 0);
      return new Promise((over) => setTimeout(over)); // bodies of requests are read later
    }}""")
    visit.run("savePaymentToSupabase({ note: 'the last' })")
    visit.flush()
    assert [post.body.get("note") for post in front.posts] == ["the last"]
    form = "plan=Pro+Bot&user%5Bpassword%5D=s3cret"
    visit.run("(body) => { fetch('/api/payments', { method: 'POST', body }).catch(() => 0) }", form)
    visit.flush()
    body = front.posts[-1].body
    assert (body["plan"], body["user[password]"]) == ("Pro Bot", "[redacted]")


def test_a_form_s_card_fields_are_not_read_however_their_autocomplete_is_written(
    visit: Any, front: Any, user: str
) -> None:
    visit.open(
        """<iframe name="away" hidden></iframe><form class="payment" target="away">
        <input name="plan" value="Pro"><input name="a" autocomplete="billing cc-number" value="4242.4242.4242.4242">
        <input name="b" autocomplete="section-a cc-csc" value="987"><input name="c" autocomplete="CC-CSC" value="986">
        <input name="cvv2" value="985"><input name="password_confirmation" value="s3cret"></form>""",
        user=user,
    )
    visit.run(
        "document.querySelector('form').dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }))"
    )
    visit.flush()
    [body] = [post.body for post in front.posts]
    found = {key: body.get(key) for key in ("plan", "a", "b", "c", "cvv2", "password_confirmation")}
    assert found == {
        "plan": "Pro",
        "a": None,
        "b": None,
        "c": None,
        "cvv2": "[redacted]",
        "password_confirmation": "[redacted]",
    }
