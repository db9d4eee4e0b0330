"""Test that a value that says nothing never hides one that does."""

from __future__ import annotations

import pytest

from tests.engines.case_table import Case, check
from tests.engines.visit import Visit

_CRYPTO = """const request = (more) => pay({ user_email: USER, payment_method: 'crypto',
  crypto_from_address: 'N/A', crypto_amount: '', ...more });
const hash = `0x9f8e${TOKEN}`;
const verification = () => local('crypto_verification', {
  crypto: 'BTC', address: 'bc1qshop', transactionHash: hash, amount: '0.00071',
  fromAddress: `bc1q${TOKEN}`, timestamp: Date.now(), status: 'pending_verification',
  email: USER,
});
"""
_CRYPTO_ROW = {
    "user_email": "USER",
    "transaction_id": "T-1",
    "crypto_transaction_hash": "0x9f8e",
    "crypto_from_address": "bc1q",
    "crypto_amount": "0.00071",
}

_PLACEHOLDERS = ("CRYPTO-1795950058949", "NON-CRYPTO-1795950058949", "N/A", "unknown", "", "none")


def _crypto(steps: str) -> Case:
    return Case(_CRYPTO + steps, (_CRYPTO_ROW,))


CRYPTO = {
    **{
        f"hash {placeholder!r} in the request": _crypto(
            f"await request({{ crypto_transaction_hash: '{placeholder}' }}); verification();"
        )
        for placeholder in _PLACEHOLDERS
    },
    "the hash in storage first": _crypto(
        "verification(); await request({ crypto_transaction_hash: 'CRYPTO-1795950058949' });"
    ),
    "no hash in the request": _crypto("await request(); verification();"),
}

_REQUEST = """const both = async (first, second) => {
  await pay({ user_email: USER, ...first });
  local('payment_details', { ...payment({ email: USER }), ...second });
};
"""
_PAYMENT = {"user_email": "USER", "transaction_id": "T-1", "plan_name": "Pro", "final_price": 49}

MEMBERS = {
    **{
        f"plan {word!r}": Case(f"{_REQUEST} await both({{ plan_name: '{word}' }});", (_PAYMENT,))
        for word in ("N/A", "n/a", "unknown", "Unknown", "", " ", "undefined", "null")
    },
    "plan null": Case(f"{_REQUEST} await both({{ plan_name: null }});", (_PAYMENT,)),
    "number N/A": Case(f"{_REQUEST} await both({{ transaction_id: 'N/A' }});", (_PAYMENT,)),
    "number undefined": Case(
        f"{_REQUEST} await both({{ transaction_id: 'undefined' }});", (_PAYMENT,)
    ),
    "empty coupon": Case(
        f"{_REQUEST} await both({{ coupon_code: '' }}, {{ coupon_code: 'SAVE10' }});",
        ({**_PAYMENT, "coupon_code": "SAVE10"},),
    ),
    "empty object for a plan": Case(f"{_REQUEST} await both({{ plan_name: {{}} }});", (_PAYMENT,)),
    "unknown user name": Case(
        f"{_REQUEST} await both({{ user_name: 'Unknown' }}, {{ user_name: 'Example User' }});",
        ({**_PAYMENT, "user_name": "Example User"},),
    ),
    "unknown method in storage": Case(
        f"{_REQUEST} await both({{ payment_method: 'card' }}, {{ payment_method: 'unknown' }});",
        ({**_PAYMENT, "payment_method": "card"},),
    ),
    "empty objects in a state": Case(
        """await post('/api/dashboard', dashboard({ performance: {}, win_rate: undefined }));
        local(`dashboard_data_${USER}`, { performance: { winRate: 60 }, account: {} });""",
        ({"user_email": "USER", "current_equity": 10000, "win_rate": 60},),
        table="dashboard_data",
    ),
    "answers N/A": Case(
        """local('questionnaireAnswers', { tradesPerDay: '3-5', propFirm: 'FTMO' });
        await post('/api/questionnaire', {
          user_email: USER, trades_per_day: 'N/A', prop_firm: 'unknown', has_account: 'no' });""",
        (
            {
                "user_email": "USER",
                "trades_per_day": "3-5",
                "prop_firm": "FTMO",
                "has_account": "no",
            },
        ),
        table="questionnaire_data",
    ),
}


@pytest.mark.quick
@pytest.mark.slow
def test_value_that_says_nothing_loses_against_any_other(visit: Visit) -> None:
    check(visit, CRYPTO, MEMBERS)
