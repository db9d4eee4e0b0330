"""Bring payloads that pages send in another shape into the usual shape of their kind."""

from __future__ import annotations

from typing import Any

from data_capture.capture.assets import split_assets
from data_capture.capture.conversion import ConversionError, Unconvertible
from data_capture.capture.converters import is_absent, parse_list
from data_capture.capture.field_lookup import KEYS_BY_NAME, normalise_name
from data_capture.capture.payments.price_names import may_have_minor_units, read_minor_units
from data_capture.capture.payments.provider_objects import SIGNS, read_provider_object
from data_capture.json_codec import JsonObject

MIXED_ASSETS_ALIASES = (
    "asset_selection", "selected_assets", "trading_assets", "preferred_assets", "trading_pairs",
    "selected_pairs", "assets", "instruments",
)  # fmt: skip

_PERCENTAGE_TYPES = ("percent", "%")
_SCREENSHOT_NAMES = frozenset({"screenshot", "accountscreenshot"})
_QUESTIONNAIRE_NAMES = frozenset({"questionnaire", "questionnairedata", "answers"})
# Lists that mix crypto assets and currency pairs.
_MIXED_ASSETS_NAMES = frozenset(map(normalise_name, MIXED_ASSETS_ALIASES))
_IS_RESHAPED = _SCREENSHOT_NAMES | _QUESTIONNAIRE_NAMES | _MIXED_ASSETS_NAMES
_PICTURE_KEYS = ("data", "base64", "dataUrl", "content")
_DASHBOARD_STATE_NAMES = frozenset({"dashboarddata", "dashboardstate", "tradingstate"})
_TRADING_STATE_NAMES = frozenset({"performancemetrics", "risksettings", "trades"})
_DASHBOARD_DATA_NAMES = frozenset({"performance", "riskprotocol", "userprofile"})

# Members that say who the user is and when the capture was made are not part of a dashboard's
# state: with them, no two states would ever be equal.
_NOT_STATE = frozenset({
    "useremail", "email", "username", "userid", "user", "userdata", "captureid", "capturetimestamp",
    "theme", "selectedtheme", "timestamp", "createdat", "updatedat", "lastupdated",
})  # fmt: skip


def may_reshape_payment(keys: tuple[str, ...]) -> bool:
    """Tell whether `normalise_payment` may change a payload with these keys."""
    names = set(map(normalise_name, keys))
    return not names.isdisjoint({*SIGNS, "crypto", "coupon"}) or may_have_minor_units(keys)


def normalise_payment(payload: JsonObject) -> JsonObject:
    """Read a provider's object, and rename or drop members that mean something else in others."""
    if not may_reshape_payment(tuple(payload)):
        return payload
    payload = read_minor_units(read_provider_object(payload))
    names = KEYS_BY_NAME.get(payload)
    if "crypto" in names:
        payload = _rename_crypto_amount(payload)
    return _drop_percentage(payload) if "coupon" in names else payload


def normalise_questionnaire(payload: JsonObject) -> JsonObject:
    """Spread a screenshot sent as one object, and a list that mixes crypto assets and pairs."""
    if _IS_RESHAPED.isdisjoint(KEYS_BY_NAME.get(payload)):
        return payload
    members: JsonObject = {}
    for key, value in payload.items():
        name = normalise_name(key)
        if name in _SCREENSHOT_NAMES and isinstance(value, dict):
            members |= _spread_screenshot(value)
        elif name in _QUESTIONNAIRE_NAMES and isinstance(value, dict):
            members[key] = normalise_questionnaire(value)
        elif name in _MIXED_ASSETS_NAMES and not is_absent(value):
            members = {**_spread_assets(key, value), **members}
        else:
            members[key] = value
    return members


def normalise_dashboard(payload: JsonObject) -> JsonObject:
    """Put the two halves of a dashboard under their usual names.

    A trading state sent alone (`performanceMetrics`, `trades`) becomes `tradingState`, dashboard
    data sent alone (`performance`, `riskProtocol`) becomes `dashboardData`, and the members of a
    flat dashboard are also stored as its `dashboard_state`.
    """
    keys = KEYS_BY_NAME.get(payload)
    if "dashboardstate" in keys and "dashboarddata" not in keys:
        sent = keys["dashboardstate"][-1]
        return {"dashboardData" if key == sent else key: value for key, value in payload.items()}
    if keys.keys() & _DASHBOARD_STATE_NAMES:
        return payload
    not_state = {key for name in _NOT_STATE for key in keys.get(name, ())}
    state = {key: value for key, value in payload.items() if key not in not_state}
    rest = {key: value for key, value in payload.items() if key in not_state}
    if keys.keys() & _TRADING_STATE_NAMES:
        return {**rest, "tradingState": state}
    if any(
        isinstance(payload[keys[name][-1]], dict) for name in _DASHBOARD_DATA_NAMES & keys.keys()
    ):
        return {**rest, "dashboardData": state}
    return {**payload, "dashboard_state": state} if state else payload


def is_flat_dashboard(normalised: JsonObject, payload: JsonObject) -> bool:
    """Tell whether `normalise_dashboard` copied the members of a payload into a state."""
    return "dashboard_state" in normalised and "dashboard_state" not in payload


def _rename_crypto_amount(payload: JsonObject) -> JsonObject:
    """Rename `amount` in a crypto payment's verification.

    It is a number of coins, not a price.
    """
    names = {normalise_name(key) for key, value in payload.items() if not is_absent(value)}
    if not {"crypto", "transactionhash", "amount"} <= names:
        return payload
    return {
        "crypto_amount" if normalise_name(key) == "amount" else key: value
        for key, value in payload.items()
    }


def _drop_percentage(payload: JsonObject) -> JsonObject:
    """Drop the `discount` of a coupon that takes off a percentage.

    It is not an amount of money.
    """
    coupon = payload.get("coupon")
    if not isinstance(coupon, dict) or not _is_percentage(coupon.get("type")):
        return payload
    return {**payload, "coupon": {key: value for key, value in coupon.items() if key != "discount"}}


def _is_percentage(coupon_type: Any) -> bool:
    beginning = coupon_type[: len("percent")].lower() if isinstance(coupon_type, str) else ""
    return beginning.startswith(_PERCENTAGE_TYPES)


def _spread_assets(key: str, value: Any) -> JsonObject:
    """Return a mixed list as the two usual members.

    If the kind of one asset is not certain, half a list could be taken for all of it.
    """
    if isinstance(value, dict):
        return _assets_by_kind(value) or {key: Unconvertible("has no list of assets")}
    try:
        assets = split_assets(parse_list(value))
    except ConversionError as error:
        return {key: Unconvertible(str(error))}
    if assets.undecided:
        names = "has assets that are neither crypto assets nor currency pairs for certain"
        return {key: Unconvertible(names)}
    lists = {"crypto_assets": assets.crypto, "forex_assets": assets.forex}
    return {name: listed for name, listed in lists.items() if listed}


def _assets_by_kind(lists: JsonObject) -> JsonObject:
    """Return the members of `{"crypto": [...], "forex": [...]}` under their usual names."""
    members: JsonObject = {}
    for key, value in lists.items():
        kind = normalise_name(key).removesuffix("pairs").removesuffix("assets")
        if kind in ("crypto", "forex"):
            members[f"{kind}_assets"] = value
    return members


def _spread_screenshot(screenshot: JsonObject) -> JsonObject:
    picture = next((screenshot[key] for key in _PICTURE_KEYS if key in screenshot), None)
    return {
        "account_screenshot": picture,
        "screenshot_filename": screenshot.get("filename", screenshot.get("name")),
        "screenshot_size": screenshot.get("size"),
        "screenshot_type": screenshot.get("type"),
    }
