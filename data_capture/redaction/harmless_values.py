"""Values that are no secrets, although their keys could name one.

Texts such as "true" say only whether there is a secret. A `token` is a secret, or a coin:
{"baseToken": {"symbol": "SOL"}}, {"payToken": "USDT"}. A `pincode` is a PIN, or an Indian postal
code. Cookies are secrets, or a consent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from data_capture.redaction.sensitive_keys import Role

# Of objects that describe a coin or an authorised payment.
_KEYS_OF_COINS = frozenset({
    "symbol", "ticker", "decimals", "mint", "chainId", "chain_id", "coingeckoId", "contractAddress",
    "contract_address", "amount", "currency",
})  # fmt: skip
_KEYS_OF_ADDRESSES = frozenset({
    "address", "address_line1", "addressLine1", "address1", "city", "country", "district", "line1",
    "locality", "postal_code", "state", "street",
})  # fmt: skip
_TICKER = re.compile("[A-Z0-9]{2,10}(?:[-_.][A-Za-z0-9]{1,10})?")
_ADDRESS_OF_COIN = re.compile("0x[0-9A-Fa-f]{40}|[1-9A-HJ-NP-Za-km-z]{32,44}")
_KNOWN_COINS = frozenset({
    "ada", "algo", "apt", "arb", "atom", "avax", "bch", "bnb", "btc", "busd", "cro", "dai", "doge",
    "dot", "eos", "etc", "eth", "fil", "icp", "inj", "link", "ltc", "matic", "mkr", "near", "op",
    "pepe", "pol", "pyusd", "sei", "shib", "sol", "sui", "ton", "trx", "tusd", "uni", "usdc",
    "usdc.e", "usdd", "usdp", "usdt", "wbtc", "weth", "wsol", "xlm", "xmr", "xrp", "xtz",
})  # fmt: skip
_WRITTEN_BOOLEANS = frozenset({"true", "false"})
_CONSENTS = frozenset({
    "accept", "accepted", "all", "allow", "allowed", "analytics", "declined", "denied", "essential",
    "functional", "granted", "marketing", "necessary", "no", "none", "off", "on", "rejected",
    "required", "yes",
})  # fmt: skip
POSTAL_CODE = re.compile(r"[1-9][0-9]{2}\s?[0-9]{3}(?![0-9])")
"""An Indian postal code."""


def is_harmless_value(role: Role, value: Any, siblings: Iterable[str]) -> bool:
    """Tell whether a value under a key with this role is no secret.

    Args:
        role: the key's role.
        value: the key's value.
        siblings: the keys of the object that has the key.
    """
    if isinstance(value, str) and value.lower() in _WRITTEN_BOOLEANS:
        return True
    if role in ("coin", "token"):
        return _is_coin(role, value)
    if role == "cookie":
        return isinstance(value, str) and value.lower() in _CONSENTS
    if role == "pincode" or (role == "pin code" and not _KEYS_OF_ADDRESSES.isdisjoint(siblings)):
        return POSTAL_CODE.fullmatch(str(value)) is not None
    return False


def _is_coin(role: Role, value: Any) -> bool:
    if isinstance(value, dict):
        return not _KEYS_OF_COINS.isdisjoint(value)
    if not isinstance(value, str):
        return False
    if value.lower() in _KNOWN_COINS:
        return True
    return role == "coin" and any(form.fullmatch(value) for form in (_TICKER, _ADDRESS_OF_COIN))
