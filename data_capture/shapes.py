"""The shapes of payloads: those that differ from the rest, brought into the usual one, and where in it a value is looked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any

from data_capture.payloads import JsonObject, decode_json
from data_capture.problems import Problem
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
    if "crypto" not in map(plain_name, payload):  # as in most payments
        return payload
    if {"crypto", "transactionhash", "amount"} <= {plain_name(key) for key, value in payload.items() if not is_absent(value)}:
        return {"crypto_amount" if plain_name(key) == "amount" else key: value for key, value in payload.items()}
    return payload


def _payment_without_placeholders(payload: JsonObject) -> JsonObject:
    """A payment that is not crypto carries `NON-CRYPTO-<ms>` for its hash: a placeholder, new at each save, for none."""
    without = [key for key, value in payload.items() if isinstance(value, str) and value.startswith("NON-CRYPTO-")]
    return {**payload, **dict.fromkeys(without)} if without else payload


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


# --- Where a value is looked for -----------------------------------------------------------------------------------------------

Members = tuple[dict[str, str], JsonObject]
"""An object, and how it spells each plain name that it has a value for."""


class Names:
    """The names of one value, the preferred one first; `selectedPlan.price` is a place inside an object."""

    def __init__(self, *names: str) -> None:
        at_top = [name.rpartition(".") for name in names]
        self.at_top = tuple((place, plain_name(last)) for place, _, last in at_top)
        self.in_sections = tuple(plain for place, plain in self.at_top if not place)


class Places:
    """The objects of a payload: its top, its sections, and whatever a name's place leads to."""

    def __init__(self, payload: JsonObject, sections: tuple[str, ...]) -> None:
        self._objects = _Objects({"": (_spellings(payload), payload)})
        self._sections = sections
        self._sections_there: list[tuple[str, dict[str, str], JsonObject]] | None = None

    def each(self, names: Names) -> Iterator[tuple[str, str, Any]]:
        """What the payload holds under these names, as place, name in the page's spelling, and value; nothing that is absent.

        The top comes first, then each section. A name with a place is looked for from the top alone.
        """
        for place, name in names.at_top:
            spelled, members = self._objects[place]
            if name in spelled:
                yield place, spelled[name], members[spelled[name]]
        if self._sections_there is None:
            self._sections_there = [(place, *self._objects[place]) for place in self._sections if self._objects[place][0]]
        for place, spelled, members in self._sections_there:
            for name in names.in_sections:
                if name in spelled:
                    yield place, spelled[name], members[spelled[name]]


class _Objects(dict[str, Members]):
    """The members of a payload's objects by place, looked up when they are asked for; none for a place without an object."""

    def __missing__(self, place: str) -> Members:
        outer, name = _outer_and_name(place)
        spelled, members = self[outer]
        inner = members[spelled[name]] if name in spelled else None
        if isinstance(inner, str) and inner.lstrip().startswith("{"):  # as it lies in localStorage
            with suppress(Problem):
                inner = decode_json(inner)
        self[place] = (_spellings(inner), inner) if isinstance(inner, dict) else ({}, {})
        return self[place]


@lru_cache
def _outer_and_name(place: str) -> tuple[str, str]:
    """A place of the kinds' tables as the place around it and its own plain name."""
    outer, _, last = place.rpartition(".")
    return outer, plain_name(last)


def _spellings(members: JsonObject) -> dict[str, str]:
    # From the last to the first, so that of two spellings of one name the first counts.
    return {plain_name(key): key for key, value in reversed(members.items()) if not is_absent(value)}
