"""Payloads whose shape differs from the rest, brought into the usual one before their fields are looked for."""

from __future__ import annotations

from functools import lru_cache

from data_capture.payloads import JsonObject
from data_capture.values import is_absent

_LONGEST_NAME_CHARACTERS = 64  # of a field, in any spelling


def plain_name(key: str) -> str:
    """A key without what its spellings differ in: `plan_name`, `planName` and `plan-name` are all `planname`."""
    return _short_plain_name(key) if len(key) <= _LONGEST_NAME_CHARACTERS else key


@lru_cache(maxsize=8192)
def _short_plain_name(key: str) -> str:
    return key.replace("_", "").replace("-", "").lower()


def payment_as_usual(payload: JsonObject) -> JsonObject:
    """A payment in which each name means what it means in the rest."""
    return _payment_without_placeholders(_verification_as_payment(_percentage_taken_off(payload)))


def _percentage_taken_off(payload: JsonObject) -> JsonObject:
    """A coupon that takes off a percentage says in `discount` how many per cent, not an amount of money."""
    coupon = payload.get("coupon")
    if not isinstance(coupon, dict) or not str(coupon.get("type", "")).lower().startswith(("percent", "%")):
        return payload
    return {**payload, "coupon": {key: value for key, value in coupon.items() if key != "discount"}}


def _verification_as_payment(payload: JsonObject) -> JsonObject:
    """A crypto payment's verification says in `amount` how many coins were sent, not a price."""
    spellings = {plain_name(key) for key, value in payload.items() if not is_absent(value)}
    if {"crypto", "transactionhash", "amount"} <= spellings:
        return {"crypto_amount" if plain_name(key) == "amount" else key: value for key, value in payload.items()}
    return payload


def _payment_without_placeholders(payload: JsonObject) -> JsonObject:
    """A payment that is not crypto carries `NON-CRYPTO-<ms>` for its hash: a placeholder, new at each save, for none."""
    return {
        key: None if isinstance(value, str) and value.startswith("NON-CRYPTO-") else value for key, value in payload.items()
    }


def screenshot_spread_out(payload: JsonObject) -> JsonObject:
    """A screenshot sent as one object, with its name, size and type beside the picture, as the four fields of the rest."""
    spread: JsonObject = {}
    for key, value in payload.items():
        if plain_name(key) in ("screenshot", "accountscreenshot") and isinstance(value, dict):
            picture = next((value[name] for name in ("data", "base64", "dataUrl", "content") if name in value), None)
            spread |= {
                "account_screenshot": picture,
                "screenshot_filename": value.get("filename", value.get("name")),
                "screenshot_size": value.get("size"),
                "screenshot_type": value.get("type"),
            }
        elif plain_name(key) in ("questionnaire", "questionnairedata", "answers") and isinstance(value, dict):
            spread[key] = screenshot_spread_out(value)
        else:
            spread[key] = value
    return spread


# Who it is and when it was said is not what the state is: with these in it, no two states would be the same.
_NOT_STATE = frozenset({
    "useremail", "email", "username", "userid", "user", "userdata", "captureid", "capturetimestamp", "theme", "selectedtheme",
    "timestamp", "createdat", "updatedat", "lastupdated",
})  # fmt: skip


def dashboard_nested(payload: JsonObject) -> JsonObject:
    """The two halves of a dashboard under their usual names.

    One sent flat is its own state. One sent as a trading state alone (`performanceMetrics`, `trades`) is that, and
    one sent as dashboard data alone (`performance`, `riskProtocol`) is that.
    """
    names = {plain_name(key): key for key in payload}
    if "dashboardstate" in names and "dashboarddata" not in names:
        given = names["dashboardstate"]
        return {"dashboardData" if key == given else key: value for key, value in payload.items()}
    if names.keys() & {"dashboarddata", "dashboardstate", "tradingstate"}:
        return payload
    state = {key: value for key, value in payload.items() if plain_name(key) not in _NOT_STATE}
    rest = {key: value for key, value in payload.items() if key not in state}
    if names.keys() & {"performancemetrics", "risksettings", "trades"}:
        return {**rest, "tradingState": state}
    if any(isinstance(payload.get(names.get(part, "")), dict) for part in ("performance", "riskprotocol", "userprofile")):
        return {**rest, "dashboardData": state}
    return {**payload, "dashboard_state": state} if state else payload
