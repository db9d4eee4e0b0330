"""The shapes of payloads: those that differ from the rest, brought into the usual one, and where in it a value is looked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import Any

from data_capture.capture.converters import is_absent
from data_capture.json_codec import ByKeys, JsonObject, decode_json
from data_capture.problems import Problem

_MAX_NAME_CHARACTERS = 64  # of a field, in any spelling


def plain_name(key: str) -> str:
    """A key without what its spellings differ in: `plan_name`, `planName` and `plan-name` are all `planname`."""
    return _short_plain_name(key) if len(key) <= _MAX_NAME_CHARACTERS else key


@lru_cache(maxsize=8192)
def _short_plain_name(key: str) -> str:
    return key.replace("_", "").replace("-", "").lower()


def payment_as_usual(payload: JsonObject) -> JsonObject:
    """A payment in which each name means what it means in the rest."""
    spelled = SPELLINGS.of(payload)
    if "crypto" in spelled:
        payload = _verification_as_payment(payload)
    return _percentage_taken_off(payload) if "coupon" in spelled else payload


def _percentage_taken_off(payload: JsonObject) -> JsonObject:
    """A coupon that takes off a percentage says in `discount` how many per cent, not an amount of money."""
    coupon = payload.get("coupon")
    if not isinstance(coupon, dict):
        return payload
    discount_type = coupon.get("type")
    if not isinstance(discount_type, str) or not discount_type[: len("percent")].lower().startswith(
        ("percent", "%")
    ):
        return payload
    return {**payload, "coupon": {key: value for key, value in coupon.items() if key != "discount"}}


def _verification_as_payment(payload: JsonObject) -> JsonObject:
    """A crypto payment's verification says in `amount` how many coins were sent, not a price."""
    if {"crypto", "transactionhash", "amount"} <= {
        plain_name(key) for key, value in payload.items() if not is_absent(value)
    }:
        return {
            "crypto_amount" if plain_name(key) == "amount" else key: value
            for key, value in payload.items()
        }
    return payload


_MAY_HOLD_A_SCREENSHOT = frozenset(
    {"screenshot", "accountscreenshot", "questionnaire", "questionnairedata", "answers"}
)


def screenshot_spread_out(payload: JsonObject) -> JsonObject:
    """A screenshot sent as one object, with its name, size and type beside the picture, as the four fields of the rest."""
    if not _MAY_HOLD_A_SCREENSHOT & SPELLINGS.of(payload).keys():
        return payload
    spread: JsonObject = {}
    for key, value in payload.items():
        if plain_name(key) in ("screenshot", "accountscreenshot") and isinstance(value, dict):
            picture = next(
                (value[name] for name in ("data", "base64", "dataUrl", "content") if name in value),
                None,
            )
            spread |= {
                "account_screenshot": picture,
                "screenshot_filename": value.get("filename", value.get("name")),
                "screenshot_size": value.get("size"),
                "screenshot_type": value.get("type"),
            }
        elif plain_name(key) in ("questionnaire", "questionnairedata", "answers") and isinstance(
            value, dict
        ):
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
    if any(
        isinstance(payload.get(names.get(part, "")), dict)
        for part in ("performance", "riskprotocol", "userprofile")
    ):
        return {**rest, "dashboardData": state}
    return {**payload, "dashboard_state": state} if state else payload


# --- Where a value is looked for -----------------------------------------------------------------------------------------------

Step = tuple[str, str]
"""Where one value may be: "" and its key at the top of the payload, or the place of an object and the plain name in it."""


class Names:
    """The names of one value, the preferred one first; `selectedPlan.price` is a place inside an object."""

    def __init__(self, *names: str) -> None:
        at_top = [name.rpartition(".") for name in names]
        self.at_top = tuple((place, plain_name(last)) for place, _, last in at_top)
        self.in_sections = tuple(plain for place, plain in self.at_top if not place)


class FieldLookup:
    """The objects of a payload: its top, its sections, and whatever a name's place leads to."""

    def __init__(self, payload: JsonObject, sections: tuple[str, ...]) -> None:
        self._payload = payload
        self._ways = _WAYS[sections].of(payload)
        self._objects = _Objects({"": payload})

    def each(self, names: Names) -> Iterator[tuple[str, str, Any]]:
        """What the payload holds under these names, as place, name in the page's spelling, and value; nothing that is absent.

        The top comes first, then each section. A name with a place is looked for from the top alone.
        """
        for step in self._ways.to(names):
            found = self.at(step)
            if found is not None:
                yield step[0], *found

    def steps(self, of_fields: tuple[Names, ...]) -> tuple[tuple[int, tuple[Step, ...]], ...]:
        """The steps that `each` takes for each field's names, with the field's place; only of fields that have any."""
        return self._ways.to_all(of_fields)

    def at(self, step: Step) -> tuple[str, Any] | None:
        """The name in the page's spelling, and the value; None when there is none, or it is absent."""
        place, name = step
        if not place:
            value = self._payload[name]
            return None if is_absent(value) else (name, value)
        return self._objects.found(place, name)


class _Ways:
    """The ways to values in payloads with the same keys, those left out that the keys at the top already rule out."""

    def __init__(self, keys: tuple[str, ...], sections: tuple[str, ...]) -> None:
        self._spelled = _spellings(keys)
        self._sections = tuple(section for section in sections if self._may_be_there(section))
        self._ways: dict[Names, tuple[Step, ...]] = {}
        self._ways_to_all: dict[tuple[Names, ...], tuple[tuple[int, tuple[Step, ...]], ...]] = {}

    def to_all(self, of_fields: tuple[Names, ...]) -> tuple[tuple[int, tuple[Step, ...]], ...]:
        """Return the steps for each field's names, with the field's position; fields without steps are left out."""
        ways = self._ways_to_all.get(of_fields)
        if ways is None:
            found = [(place, self.to(names)) for place, names in enumerate(of_fields)]
            ways = self._ways_to_all[of_fields] = tuple(
                (place, steps) for place, steps in found if steps
            )
        return ways

    def to(self, names: Names) -> tuple[Step, ...]:
        """Each place where one of these names may be, in order."""
        ways = self._ways.get(names)
        if ways is None:
            ways = tuple(
                step
                for place, name in (
                    *names.at_top,
                    *((section, name) for section in self._sections for name in names.in_sections),
                )
                for step in self._steps(place, name)
            )
            self._ways[names] = ways
        return ways

    def _steps(self, place: str, name: str) -> Iterable[Step]:
        if not place:
            return (("", key) for key in self._spelled.get(name, ()))
        return ((place, name),) if self._may_be_there(place) else ()

    def _may_be_there(self, place: str) -> bool:
        return plain_name(place.partition(".")[0]) in self._spelled


class _WaysOf(dict[tuple[str, ...], "ByKeys[_Ways]"]):
    """By a kind's sections: what is known of payloads by their keys."""

    def __missing__(self, sections: tuple[str, ...]) -> ByKeys[_Ways]:
        self[sections] = ByKeys(lambda keys: _Ways(keys, sections))
        return self[sections]


_WAYS = _WaysOf()


class _Objects(dict[str, JsonObject]):
    """A payload's objects by place, looked up when they are asked for; an empty one for a place without an object."""

    @cached_property
    def _spelled(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """How each object spells its names, by place: `SPELLINGS` does not remember those of large objects."""
        return {}

    def found(self, place: str, name: str) -> tuple[str, Any] | None:
        """The key that spells this plain name, of several the first with a value, and the value; None without one."""
        members = self[place]
        spelled = self._spelled.get(place)
        if spelled is None:
            spelled = self._spelled[place] = SPELLINGS.of(members)
        for key in spelled.get(name, ()):
            if not is_absent(members[key]):
                return key, members[key]
        return None

    def __missing__(self, place: str) -> JsonObject:
        outer, name = _outer_and_name(place)
        found = self.found(outer, name)
        inner = None if found is None else found[1]
        if isinstance(inner, str) and inner.lstrip().startswith("{"):  # as it lies in localStorage
            with suppress(Problem):
                inner = decode_json(inner)
        self[place] = inner if isinstance(inner, dict) else {}
        return self[place]


@lru_cache
def _outer_and_name(place: str) -> tuple[str, str]:
    """A place of the kinds' tables as the place around it and its own plain name."""
    outer, _, last = place.rpartition(".")
    return outer, plain_name(last)


def _spellings(keys: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """How an object with these keys spells each plain name."""
    spelled: dict[str, list[str]] = {}
    for key in keys:
        spelled.setdefault(plain_name(key), []).append(key)
    return {name: tuple(spellings) for name, spellings in spelled.items()}


SPELLINGS = ByKeys(_spellings)
