"""Test that fields with a secret's name are masked in the page, by whatever way they are saved."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.site import STORED_RECORDS
from tests.engines.browser import Tab
from tests.engines.forms import form
from tests.engines.visit import DATABASE_OPENED, NOTHING_OBSERVED, Visit
from tests.support.services import REPOSITORY

_NAMES = json.loads((REPOSITORY / "data_capture/redaction/secret_names.json").read_text())

# Names of secrets, with the word at the beginning, in the middle and at the end.
SECRETS = (
    "password_confirmation", "passwordConfirmation", "password-again", "password_repeat2",
    "newPasswordValue", "login[password]", "user.password.confirm",
    "cvv2", "cvc2", "card_cvv_2", "cvvCode", "cardCvcValue", "cvv_number", "my_cvc",
    "user_pass", "db_pass", "userPass2", "loginPwd", "user_pwd_confirm",
    "seedWords", "seed_words_list", "walletSeedPhrase", "mnemonicWords", "recoveryPhrase12",
    "privateKeyHex", "private_key_pem", "walletPrivateKeyBase58", "secretKeyBase64", "apiKeyV2",
    "api_secret_value", "clientSecretValue", "accessTokenValue", "refresh_token_v2",
    "passwort", "passwort_wiederholen", "neuesPasswort", "Kennwort2",
    "contraseña", "nuevaContraseña", "contraseña_confirmar", "CONTRASEÑA",
    "contrasen\u0303a", "senha", "senhaAtual", "confirmar_senha", "novaSenha2",
    "пароль", "Пароль_повтор", "новыйПароль", "mot_de_passe", "motDePasse2",
    "密码", "确认密码", "パスワード確認",
)  # fmt: skip

# Names that only resemble those of secrets.
OTHERS = (
    "compass", "bypass_reason", "passenger_name", "passport_country", "seeds_planted",
    "cvs_store", "keyboard", "monkey", "tokens_left", "secretary", "planName", "passage", "pinned",
    "boarding_pass_gate", "keyword", "author", "cookie_consent_shown",
)  # fmt: skip

# Statements that save FIELDS, an object.
SENDERS = {
    "JSON": "await fetch('/api/payments', { method: 'POST', body: JSON.stringify(FIELDS) })",
    "nested JSON": """await fetch('/api/payments', {
        method: 'POST', body: JSON.stringify({ customer: { list: [FIELDS] } }),
      })""",
    "JSON in a text": """await fetch('/api/payments', {
        method: 'POST', body: JSON.stringify({ details: JSON.stringify(FIELDS) }),
      })""",
    "bytes": """await fetch('/api/payments', {
        method: 'POST', body: new TextEncoder().encode(JSON.stringify(FIELDS)),
      })""",
    "search parameters": """await fetch('/api/payments', {
        method: 'POST', body: new URLSearchParams(FIELDS),
      })""",
    "form data": """const form = new FormData();
      for (const [name, value] of Object.entries(FIELDS)) form.append(name, value);
      await fetch('/api/payments', { method: 'POST', body: form });""",
    "XMLHttpRequest": """const request = new XMLHttpRequest();
      request.open('POST', '/api/payments', false);
      request.send(JSON.stringify(FIELDS));""",
    "storage": "localStorage.setItem('payment_details', JSON.stringify(FIELDS))",
    "call": "await enhancedDataCapture.capturePaymentData(FIELDS)",
    "form": """for (const [name, value] of Object.entries(FIELDS)) {
        const field = document.createElement('input');
        Object.assign(field, { name, value });
        document.querySelector('form').append(field);
      }
      document.querySelector('form').requestSubmit();""",
}


def save(tab: Tab, sender: str, fields: dict[str, Any]) -> None:
    tab.run(f"async (fields) => {{ {SENDERS[sender].replace('FIELDS', 'fields')} }}", fields)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sender",
    [
        pytest.param(name, marks=[pytest.mark.quick] if name == "JSON in a text" else [])
        for name in SENDERS
    ],
)
def test_secrets_are_masked_and_other_fields_kept(sender: str, visit: Visit) -> None:
    tab = visit.open(body=form(""))
    visit.sign_in(tab)
    secrets = {name: f"s3cr-{number:03}-x" for number, name in enumerate(SECRETS)}
    others = {name: f"kept-{number:03}-x" for number, name in enumerate(OTHERS)}
    save(tab, sender, {"transaction_id": "T1", "plan_name": "Pro", **secrets, **others})
    visit.wait_for_rows("payment_data", 1)
    received = b"\n".join(visit.proxy.received_bytes).decode()
    leaked = [name for name, value in secrets.items() if value in received]
    assert not leaked, leaked
    lost = [name for name, value in others.items() if value not in received]
    assert not lost, lost
    assert visit.observed(tab) == NOTHING_OBSERVED


@pytest.mark.slow
def test_page_and_service_know_the_same_names(visit: Visit) -> None:
    """The cases of secret_names.json, without those that the script leaves to the service."""
    tab = visit.open()
    visit.sign_in(tab)
    left = set(_NAMES["cases_left_to_the_service"])
    secrets = {
        name: f"s3cr-{number:03}-x"
        for number, name in enumerate(_NAMES["cases"]["secret"])
        if name not in left
    }
    save(tab, "JSON", {"transaction_id": "T1", **secrets})
    visit.wait_for_rows("payment_data", 1)
    received = b"\n".join(visit.proxy.received_bytes).decode()
    leaked = [name for name, value in secrets.items() if value in received]
    assert not leaked, leaked


@pytest.mark.slow
def test_secrets_are_not_kept_in_the_browser_either(visit: Visit) -> None:
    tab = visit.open()
    tab.run(DATABASE_OPENED)
    visit.proxy.state = visit.proxy.UNAVAILABLE
    fields = dict.fromkeys(SECRETS, "s3cr-et-x")
    save(tab, "JSON", {"user_email": visit.user, "transaction_id": "T1", **fields})
    tab.run("void enhancedDataCapture.flush()")
    records = tab.eventually(
        f"({STORED_RECORDS}).then((all) => all.some(({{ kind }}) => kind) && JSON.stringify(all))",
        "the capture is kept",
    )
    assert "T1" in records
    assert "s3cr-et-x" not in records
