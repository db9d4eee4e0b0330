"""What is captured: for each kind its table and fields, as one declarative table, and how a payload becomes a capture.

To add a field, add its line here and its column in schema.sql. A field's line names its column, how its value is read,
and the names by which pages send it, the preferred one first. A name stands for all its spellings: `plan_name` is also
`planName` and `PlanName`. A name with a point is a place inside an object: `selectedPlan.price`. Where a kind has
sections, its names are looked for at the top of the payload first and then in each of these objects.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any, NamedTuple

from data_capture.capture.converters import (
    ColumnValue,
    ConversionError,
    Reader,
    decimal,
    happened_at,
    integer,
    is_absent,
    json_any,
    json_list,
    json_state,
    page_user_id,
    picture,
    text,
    timestamp,
)
from data_capture.capture.email import normalise_email
from data_capture.capture.normalise import (
    FieldLookup,
    Names,
    Step,
    dashboard_nested,
    payment_as_usual,
    screenshot_spread_out,
)
from data_capture.capture.snapshot import snapshot_and_digests
from data_capture.deadlines import Deadline
from data_capture.images import described, is_file, with_stand_ins
from data_capture.json_codec import JsonObject
from data_capture.problems import UNUSABLE, FieldError, Problem
from data_capture.redaction.redact import redact_and_tell, redact_text

_CAPTURE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_MAX_USER_AGENT_CHARACTERS = 512
_MAX_ADDRESSES_TRIED = 20  # of one capture, where it spells the name of its address in several ways


@dataclass(frozen=True, eq=False)
class Field:
    """One column of a captured kind, and where pages send its value."""

    column: str
    read: Reader
    names: tuple[str, ...] = ()
    default: ColumnValue = None

    @cached_property
    def all_names(self) -> Names:
        """The names to look for: the column's own first."""
        return Names(self.column, *self.names)


@dataclass(frozen=True)
class Repetition:
    """When a capture repeats the person's latest row of its kind; it then adds no row.

    Attributes:
        about: the column that says what the row is about; rows are compared with the latest that has the same in it,
            and a capture that leaves it empty repeats nothing. None: all rows of a person are about one thing.
        omissions_repeat: whether a field that is left out says nothing new, so that the repetition may say less.
        within_seconds: how old the row may be; None for any age.
        moves_updated_at: whether the row then also held at the time of the repetition.
    """

    about: str | None = None
    omissions_repeat: bool = False
    within_seconds: float | None = None
    moves_updated_at: bool = False


@dataclass(frozen=True)
class PictureColumns:
    """The field that holds a picture, and the columns for its media type and its size, which its content decides.

    A size that the page gave is kept.
    """

    picture: Field
    media_type: str
    size_bytes: str


@dataclass(
    frozen=True, eq=False
)  # each is itself alone; comparing them field by field would cost at every look-up
class Kind:
    """One kind of capture.

    `reshape` turns a payload whose shape differs from the rest (say, a flat dashboard) into the usual one.
    `time_columns` get the time at which it happened. `repetition` is None where every capture is a row. `picture` is
    None where there is none.
    """

    name: str
    table: str
    fields: tuple[Field, ...]
    sections: tuple[str, ...] = ()
    time_columns: tuple[str, ...] = ("created_at", "updated_at")
    repetition: Repetition | None = None
    picture: PictureColumns | None = None
    reshape: Callable[[JsonObject], JsonObject] = field(default=lambda payload: payload)

    @cached_property
    def all_names(self) -> tuple[Names, ...]:
        """Each field's names to look for."""
        return tuple(one.all_names for one in self.fields)

    @cached_property
    def defaults(self) -> tuple[ColumnValue, ...]:
        """Each field's value where the payload says nothing."""
        return tuple(one.default for one in self.fields)

    @cached_property
    def places(self) -> dict[str, int]:
        """Each field's place in `fields`, by its column."""
        return {one.column: place for place, one in enumerate(self.fields)}

    @property
    def id_name(self) -> str:
        """The answer's member that holds the row's id."""
        return f"{self.name}_id"

    @property
    def title(self) -> str:
        """The kind as a sentence begins with it."""
        return self.name.capitalize()


class Admission:
    """Asks once whether a new user may be added for one capture, however often the capture's transaction is repeated."""

    __slots__ = ("_admit", "_is_asked", "_refusal")

    def __init__(self, admit: Callable[[], None]) -> None:
        self._admit = admit
        self._is_asked = False
        self._refusal: Problem | None = None

    def ask(self) -> None:
        """Returns when the user may be added.

        Raises:
            Problem: the user may not be added.
        """
        if not self._is_asked:
            self._is_asked = True
            try:
                self._admit()
            except Problem as refusal:
                self._refusal = refusal
        if self._refusal is not None:
            raise self._refusal


class Capture(NamedTuple):
    """A payload that was understood, ready to be stored. `values` holds a value for each of the kind's fields.

    `digest` and `content_digest` are those of `snapshots.snapshot_and_digests`. `is_confirmed` says that its sender had a
    token; a capture without one is a claim. `admission` is asked before a new user is added.
    """

    kind: Kind
    capture_id: str
    user_email: str
    user_name: str | None
    values: tuple[ColumnValue, ...]
    happened_at: str
    received_at: str
    snapshot: str
    digest: bytes
    warnings: tuple[FieldError, ...]
    source_endpoint: str
    ip_address: str | None
    user_agent: str | None
    content_digest: bytes
    is_confirmed: bool = False
    admission: Admission | None = None


# --- The table ----------------------------------------------------------------------------------------------------------------

_USER = (
    Field("user_id", page_user_id, ("userData.id", "user.id")),
    Field("user_name", text, (
        "full_name", "userData.fullName", "userData.name", "userData.username", "user.fullName", "user.name", "user.username",
        "userProfile.name", "name", "username",
    )),
)  # fmt: skip

_EMAIL_NAMES = Names(
    "user_email", "email", "userData.email", "user.email", "userProfile.email", "customer_email"
)

_PAYMENT = Kind(
    "payment",
    "payment_data",
    (
        *_USER,
        Field(
            "plan_name",
            text,
            ("plan_name_payment", "plan", "plan.name", "selectedPlan.name", "plan_type"),
        ),
        Field(
            "original_price",
            decimal(10, 2),
            ("original_amount", "selectedPlan.price", "plan.price"),
        ),
        Field("discount_amount", decimal(10, 2), ("discount", "coupon.discount")),
        Field("final_price", decimal(10, 2), ("amount_paid", "amount")),
        Field("coupon_code", text, ("coupon.code", "coupon")),
        Field("payment_method", text, ("method",)),
        Field("transaction_id", text, ("payment_id", "order_id")),
        Field("payment_status", text, ("status",)),
        Field("payment_processor", text, ("payment_provider", "processor", "provider")),
        Field("crypto_transaction_hash", text, ("transaction_hash", "tx_hash")),
        Field("crypto_from_address", text, ("from_address",)),
        Field("crypto_amount", text),
    ),
    sections=("paymentData", "payment"),
    # Pages save a payment in several places, each with a part of it. A new state (pending, completed) is a new row.
    repetition=Repetition(about="transaction_id", omissions_repeat=True),
    reshape=payment_as_usual,
)

_SCREENSHOT = Field("account_screenshot", picture, ("screenshot",))

_QUESTIONNAIRE = Kind(
    "questionnaire",
    "questionnaire_data",
    (
        *_USER,
        Field("trades_per_day", text),
        Field("trading_session", text),
        Field("crypto_assets", json_list, ("crypto_pairs",)),
        Field("forex_assets", json_list, ("forex_pairs",)),
        Field("custom_forex_pairs", json_list),
        Field("has_account", text),
        Field("account_equity", decimal(12, 2)),
        Field("prop_firm", text),
        Field("account_type", text),
        Field("account_size", decimal(12, 2)),
        Field("risk_percentage", decimal(5, 2), ("risk_per_trade", "riskManagement.riskPerTrade")),
        Field("risk_reward_ratio", text, ("riskManagement.riskRewardRatio",)),
        _SCREENSHOT,
        Field("screenshot_filename", text, ("screenshot_name",)),
        Field("screenshot_size", integer),
        Field("screenshot_type", text),
    ),
    sections=("questionnaire", "questionnaireData", "answers"),
    # The same answers on another day are an answer; within minutes they are a second click.
    repetition=Repetition(within_seconds=600),
    picture=PictureColumns(_SCREENSHOT, "screenshot_type", "screenshot_size"),
    reshape=screenshot_spread_out,
)

_DASHBOARD = Kind(
    "dashboard",
    "dashboard_data",
    (
        *_USER,
        Field("initial_equity", decimal(12, 2)),
        Field("current_equity", decimal(12, 2)),
        Field("total_pnl", decimal(12, 2)),
        Field("win_rate", decimal(5, 2)),
        Field("total_trades", integer),
        Field("winning_trades", integer),
        Field("losing_trades", integer),
        Field("average_win", decimal(10, 2), ("avg_win",)),
        Field("average_loss", decimal(10, 2), ("avg_loss",)),
        Field("profit_factor", decimal(10, 4)),
        Field("max_drawdown", decimal(10, 2)),
        Field("current_drawdown", decimal(10, 2)),
        Field("gross_profit", decimal(12, 2)),
        Field("gross_loss", decimal(12, 2)),
        Field("consecutive_wins", integer),
        Field("consecutive_losses", integer),
        Field("risk_per_trade", decimal(5, 2), ("risk_per_trade_percentage",)),
        Field("daily_loss_limit", decimal(5, 2), ("daily_loss_limit_percentage",)),
        Field("consecutive_losses_limit", integer),
        Field("account_balance", decimal(12, 2), ("account.balance", "dashboardData.account.balance")),
        Field("account_equity_dash", decimal(12, 2), ("account_equity", "account.equity", "dashboardData.account.equity")),
        Field("theme", text, ("selected_theme",), default="dark"),
        Field("dashboard_state", json_state, ("dashboard_data",)),
        Field("trading_state", json_state),
    ),
    sections=(
        "tradingState", "tradingState.performanceMetrics", "tradingState.riskSettings", "tradingState.dailyStats",
        "dashboardData", "dashboardData.performance", "dashboardData.riskProtocol", "dashboardData.account",
        "dashboardData.userProfile",
    ),
    # Pages save an unchanged dashboard every few seconds.
    repetition=Repetition(moves_updated_at=True),
    reshape=dashboard_nested,
)  # fmt: skip

_ACTIVITY = Kind(
    "activity",
    "trading_activity_log",
    (
        Field("activity_type", text, ("action", "event", "event_type", "type")),
        Field("activity_data", json_any, ("data", "details", "metadata")),
    ),
    time_columns=("timestamp",),
)

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (_PAYMENT, _QUESTIONNAIRE, _DASHBOARD, _ACTIVITY)
}


# --- From a payload to a capture ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Caller:
    """Where a capture came from: the endpoint that took it, the address and the browser that sent it, and when.

    Attributes:
        received_at: the time of storing, as the tables have it.
        deadline: how long making a capture of it may take where others wait for that; None where nobody does.
        is_confirmed: whether the request had the admin token or a write token.
        admit_new_user: called before a new user is added for a capture, at most once a capture and maybe in another thread;
            raises the Problem that the capture is then answered with. None: every new user may be added.
    """

    source_endpoint: str
    ip_address: str | None
    user_agent: str | None
    now: datetime
    deadline: Deadline | None = None
    is_confirmed: bool = False
    admit_new_user: Callable[[], None] | None = None
    received_at: str = field(init=False)

    def __post_init__(self) -> None:
        self.received_at = timestamp(self.now)


def parse_capture(
    kind: Kind, payload: JsonObject, caller: Caller, placeholder_emails: tuple[str, ...]
) -> Capture:
    """The capture that `payload` holds, with everything secret in it masked.

    A field that can't be understood is None, with a warning that names it as the page does.

    Raises:
        Problem: 422, when nobody can be found that it belongs to, or its `capture_id` can't be one.
        DeadlinePassed: the caller has a deadline, and it took longer.
    """
    given_id = payload.get("capture_id", payload.get("captureId"))
    payload, masked = redact_and_tell(payload, caller.deadline)
    if caller.deadline is not None:
        caller.deadline.check()
    capture_id = _capture_id(given_id, payload.get("capture_id", payload.get("captureId")))
    found_in = FieldLookup(payload, kind.sections)
    user_email = _usable_email(found_in, placeholder_emails)
    reshaped = kind.reshape(payload)
    if reshaped is not payload:
        found_in = FieldLookup(reshaped, kind.sections)
    values = [*kind.defaults]
    warnings: list[FieldError] = []
    for place, steps in found_in.steps(kind.all_names):
        values[place], warning = _read_field(kind.fields[place], found_in, steps)
        if warning is not None:
            warnings.append(warning)
    if kind.picture is not None:
        payload = _with_picture_described(payload, found_in, kind, kind.picture, values)
    name_place = kind.places.get("user_name")
    user_name = None if name_place is None else values[name_place]
    user_agent = (caller.user_agent or "")[:_MAX_USER_AGENT_CHARACTERS]
    masked_agent = _masked_user_agent(user_agent)
    if masked_agent != user_agent:
        masked.append("User-Agent")
    snapshot, digest, content_digest = snapshot_and_digests(payload, masked, user_email)
    return Capture(
        kind=kind,
        capture_id=capture_id,
        user_email=user_email,
        user_name=user_name if isinstance(user_name, str) else None,
        values=tuple(values),
        happened_at=timestamp(
            happened_at(
                payload.get("capture_timestamp", payload.get("captureTimestamp")), caller.now
            )
        ),
        received_at=caller.received_at,
        snapshot=snapshot,
        digest=digest,
        warnings=tuple(warnings),
        source_endpoint=caller.source_endpoint,
        ip_address=caller.ip_address,
        user_agent=masked_agent or None,
        content_digest=content_digest,
        is_confirmed=caller.is_confirmed,
        admission=None if caller.admit_new_user is None else Admission(caller.admit_new_user),
    )


_masked_user_agent = lru_cache(maxsize=256)(redact_text)


def _capture_id(given: Any, masked: Any) -> str:
    if is_absent(given):
        return str(uuid.uuid4())
    capture_id = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    if not isinstance(capture_id, str) or not _CAPTURE_ID.fullmatch(capture_id):
        message = "must be 1 to 128 letters, digits, '.', '_', ':' or '-'"
    elif masked != given:  # two ids that end alike would become one
        message = "looks like a card number or a token, which is never stored"
    else:
        return capture_id
    raise Problem(
        UNUSABLE, f"The capture_id {message}.", errors=[FieldError("capture_id", message)]
    )


def _usable_email(found_in: FieldLookup, placeholder_emails: tuple[str, ...]) -> str:
    """The address of whom the capture belongs to, in its one spelling."""
    message = "is missing"
    nobody = _in_lower_case(placeholder_emails)
    for _, _, given in islice(found_in.each(_EMAIL_NAMES), _MAX_ADDRESSES_TRIED):
        email = normalise_email(given)
        if email is None:
            message = "is not an email address"
        elif email in nobody:
            message = "is a placeholder that stands for nobody"
        else:
            return email
    raise Problem(
        UNUSABLE,
        f"The user_email {message}, so this can't be attributed to anyone.",
        errors=[FieldError("user_email", message)],
    )


@lru_cache(maxsize=8)
def _in_lower_case(emails: tuple[str, ...]) -> frozenset[str]:
    return frozenset(email.lower() for email in emails)


def _read_field(
    one: Field, found_in: FieldLookup, steps: tuple[Step, ...]
) -> tuple[ColumnValue, FieldError | None]:
    """The field's value: the first that can be understood; if there is none, None and what is wrong with the first."""
    warning: FieldError | None = None
    for step in steps:
        found = found_in.at(step)
        if found is None:
            continue
        try:
            read = one.read(found[1])
        except ConversionError as error:
            warning = warning or FieldError(
                f"{step[0]}.{found[0]}".lstrip("."), f"{error}, so it was stored as NULL"
            )
        else:
            if read is not None:
                return read, None
    return (one.default if warning is None else None), warning


def _with_picture_described(
    payload: JsonObject,
    found_in: FieldLookup,
    kind: Kind,
    columns: PictureColumns,
    values: list[ColumnValue],
) -> JsonObject:
    """The payload with a picture that is stored in its column, or a file that is kept out, replaced by what it is.

    What it is goes into the columns beside it, too.
    """
    kept = values[kind.places[columns.picture.column]]
    stand_ins: dict[str, JsonObject] = {}
    for _, _, given in found_in.each(columns.picture.all_names):
        if isinstance(given, str) and (
            given == kept or (kept is None and (is_file(given) or given.startswith("data:")))
        ):
            stand_ins[given] = described(given)
    if isinstance(kept, str):
        values[kind.places[columns.media_type]] = stand_ins[kept]["type"]
        size_place = kind.places[columns.size_bytes]
        if values[size_place] is None:
            values[size_place] = stand_ins[kept]["size"]
    return (
        {key: with_stand_ins(member, stand_ins) for key, member in payload.items()}
        if stand_ins
        else payload
    )
