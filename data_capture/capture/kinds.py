"""The kinds of captures: for each its table and its fields, as one declarative table.

To add a field, add its line here and its column in schema.sql. A line names the column, the
converter, and the aliases under which pages send the value, the preferred one first. An alias
stands for all its spellings: `plan_name` is also `planName` and `PlanName`. An alias with a point
is a member of an object: `selectedPlan.price`. `Aliases` explains `customer.*` and `.price`. Where
a kind has sections, its aliases are looked up at the top of the payload first and then in each of
these objects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from data_capture.capture.conversion import ColumnValue, Converter
from data_capture.capture.converters import (
    identifier,
    json_any,
    json_list,
    json_state,
    page_user_id,
    picture,
    text,
)
from data_capture.capture.field_lookup import Aliases, KeyLayout, normalise_name
from data_capture.capture.money import decimal, integer, ratio
from data_capture.capture.normalise import (
    MIXED_ASSETS_ALIASES,
    may_reshape_payment,
    normalise_dashboard,
    normalise_payment,
    normalise_questionnaire,
)
from data_capture.capture.payments.facts import currency_code
from data_capture.capture.payments.price_names import PRICE_ALIASES
from data_capture.capture.says_nothing import meaningful_text, transaction_hash
from data_capture.capture.user_fields import (
    EMAIL_ALIASES,
    USER_ID_ALIASES,
    USER_NAME_ALIASES,
    person_name,
)
from data_capture.json_codec import JsonObject
from data_capture.keys_cache import KeysCache


@dataclass(frozen=True, eq=False)
class Field:
    """One column of a kind, and how its value is found and converted.

    Attributes:
        first_value_decides: whether an unreadable value is not replaced by that of another alias,
            which can mean something else.
    """

    column: str
    converter: Converter
    aliases: tuple[str, ...] = ()
    default: ColumnValue = None
    first_value_decides: bool = False


@dataclass(frozen=True)
class Repetition:
    """When a capture repeats the user's latest row of its kind, so that it adds no row.

    Attributes:
        about: the column that identifies the subject of a row. A capture is compared with the
            user's latest row that has the same value there, and repeats nothing if it has none.
            None: all rows of a user have one subject.
        ignores_omitted_fields: whether a capture that omits a field can repeat a row that has it.
            For a dashboard, `store.sqlite.state_comparison` says when.
        within_seconds: the maximum age of the row; None for any age.
        touches_updated_at: whether the repetition sets the row's `updated_at`.
        grows_within_seconds: for how long after its last answers an unfinished row gets further
            ones; see `store.sqlite.growth`. None: new values always add a row.
    """

    about: str | None = None
    ignores_omitted_fields: bool = False
    within_seconds: float | None = None
    touches_updated_at: bool = False
    grows_within_seconds: float | None = None


@dataclass(frozen=True)
class PictureColumns:
    """The field of a picture, and the columns for the media type and size of its content.

    A size that the page sent is kept.
    """

    picture: Field
    media_type: str
    size_bytes: str


# Without eq=False, each lookup of a kind in a dict would compare all its fields.
@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of capture.

    Attributes:
        name: the last part of its endpoint.
        table: its table in schema.sql.
        fields: its fields, in the order of their columns.
        sections: the paths of objects that may hold fields.
        time_columns: the columns for the time at which the capture happened.
        repetition: None if every capture adds a row.
        picture: None if the kind has no picture.
        normalise: brings a payload into the usual shape of the kind.
        may_reshape: tells by a payload's keys whether `normalise` may change it.
        facts_table: the table beside `table` for the facts of each row, or None.
        fact_fields: fields without a column in `table`, from which the facts are computed.
    """

    name: str
    table: str
    fields: tuple[Field, ...]
    sections: tuple[str, ...] = ()
    time_columns: tuple[str, ...] = ("created_at", "updated_at")
    repetition: Repetition | None = None
    picture: PictureColumns | None = None
    normalise: Callable[[JsonObject], JsonObject] = lambda payload: payload
    may_reshape: Callable[[tuple[str, ...]], bool] = lambda _keys: True
    facts_table: str | None = None
    fact_fields: tuple[Field, ...] = ()

    @cached_property
    def parsed_fields(self) -> tuple[Field, ...]:
        """The fields that are looked up in a payload: those of the table come first."""
        return (*self.fields, *self.fact_fields)

    @cached_property
    def layouts(self) -> KeysCache[KeyLayout]:
        """The layouts of this kind's payloads, cached by their keys.

        Without the cache, parsing takes 1.9 times as long for a payment, 1.5 times for a dashboard
        and 1.8 times for a questionnaire.
        """
        fields = [Aliases(field.column, *field.aliases) for field in self.parsed_fields]

        def derive(keys: tuple[str, ...]) -> KeyLayout:
            may_be_reshaped = self.may_reshape(keys)
            return KeyLayout(
                keys, self.sections, fields, EMAIL_ALIASES, may_be_reshaped=may_be_reshaped
            )

        return KeysCache(derive)

    @cached_property
    def known_names(self) -> frozenset[str]:
        """The normalised names at the top of a payload that can fill a column or name the user."""
        aliases = [Aliases(field.column, *field.aliases) for field in self.parsed_fields]
        tops = {top for one in (*aliases, EMAIL_ALIASES) for top, _ in one.from_top}
        return frozenset(tops | {normalise_name(name.partition(".")[0]) for name in self.sections})

    @cached_property
    def defaults(self) -> tuple[ColumnValue, ...]:
        """The default of each of `parsed_fields`."""
        return tuple(field.default for field in self.parsed_fields)

    @cached_property
    def default_indexes(self) -> tuple[int, ...]:
        """The indexes of fields with a default other than None."""
        return tuple(i for i, default in enumerate(self.defaults) if default is not None)

    @cached_property
    def field_indexes(self) -> dict[str, int]:
        """The index of each field in `parsed_fields`, by column."""
        return {field.column: index for index, field in enumerate(self.parsed_fields)}

    @cached_property
    def evidence(self) -> frozenset[int]:
        """The indexes of fields that say what a capture is about; empty if it can be anything."""
        return frozenset(self.field_indexes[column] for column in _EVIDENCE.get(self.name, ()))

    def is_evident(self, layout: KeyLayout) -> bool:
        """Tell whether a payload with this layout may have a field of `evidence`, if any exists."""
        return not self.evidence or not self.evidence.isdisjoint(layout.field_paths)

    @cached_property
    def id_name(self) -> str:
        """The response's member for the id of the row."""
        return f"{self.name}_id"

    @cached_property
    def title(self) -> str:
        """The name, capitalised for the beginning of a sentence."""
        return self.name.capitalize()


# A payload without any of these fields may have them in an object of any name.
_EVIDENCE = {
    "payment": ("final_price", "transaction_id", "crypto_transaction_hash"),
    "questionnaire": (
        "trades_per_day", "trading_session", "crypto_assets", "forex_assets", "custom_forex_pairs",
        "has_account", "account_equity", "prop_firm", "account_type", "account_size",
        "risk_percentage", "risk_reward_ratio",
    ),
    "dashboard": (
        "initial_equity", "current_equity", "total_pnl", "win_rate", "total_trades",
        "winning_trades", "losing_trades", "profit_factor", "max_drawdown", "gross_profit",
        "account_balance", "account_equity_dash",
    ),
}  # fmt: skip

_USER = (
    Field("user_id", page_user_id, USER_ID_ALIASES),
    Field("user_name", person_name, USER_NAME_ALIASES),
)

_PAYMENT = Kind(
    "payment",
    "payment_data",
    (
        *_USER,
        Field(
            "plan_name",
            meaningful_text,
            ("plan_name_payment", "plan", "plan.name", "selectedPlan.name", "plan_type"),
        ),
        Field(
            "original_price",
            decimal(10, 2),
            ("original_amount", "selectedPlan.price", "plan.price"),
        ),
        Field("discount_amount", decimal(10, 2), ("discount", "coupon.discount")),
        Field("final_price", decimal(10, 2), PRICE_ALIASES, first_value_decides=True),
        Field("coupon_code", meaningful_text, ("coupon.code", "coupon")),
        Field("payment_method", meaningful_text, ("method",)),
        Field("transaction_id", identifier, (
            "payment_id", "order_id", "payment_intent_id", "payment_intent", "charge_id",
            "checkout_session_id", "txn_id", "transaction_reference", "payment_reference", "tx_ref",
        )),
        Field("payment_status", text, ("status",)),
        Field("payment_processor", meaningful_text, ("payment_provider", "processor", "provider")),
        Field("crypto_transaction_hash", transaction_hash, (
            "transaction_hash", "tx_hash", "crypto_verification.transaction_hash",
            "crypto_verification.tx_hash", "crypto_verification.hash",
        )),
        Field("crypto_from_address", meaningful_text, (
            "from_address", "crypto_verification.from_address",
        )),
        Field("crypto_amount", meaningful_text, ("crypto_verification.amount",)),
    ),
    sections=("paymentData", "payment"),
    # Pages save parts of one payment in several places. A new status (pending, completed) is a
    # new row.
    repetition=Repetition(about="transaction_id", ignores_omitted_fields=True),
    normalise=normalise_payment,
    may_reshape=may_reshape_payment,
    facts_table="payment_facts",
    fact_fields=(
        Field("currency", currency_code, (
            "currency_code", "price_currency", "currency.code", "amount.currency",
            "amount.currency_code", "price.currency", "price.currency_code", "total.currency",
            "total.currency_code",
        )),
    ),
)  # fmt: skip

_SCREENSHOT = Field("account_screenshot", picture, ("screenshot",))

_QUESTIONNAIRE = Kind(
    "questionnaire",
    "questionnaire_data",
    (
        *_USER,
        Field("trades_per_day", text),
        Field("trading_session", text),
        Field("crypto_assets", json_list, ("crypto_pairs", *MIXED_ASSETS_ALIASES)),
        Field("forex_assets", json_list, ("forex_pairs",)),
        Field("custom_forex_pairs", json_list),
        Field("has_account", text),
        Field("account_equity", decimal(12, 2)),
        Field("prop_firm", text),
        Field("account_type", text),
        Field("account_size", decimal(12, 2)),
        Field("risk_percentage", ratio(5, 2), ("risk_per_trade", "riskManagement.riskPerTrade")),
        Field("risk_reward_ratio", text, ("riskManagement.riskRewardRatio",)),
        _SCREENSHOT,
        Field("screenshot_filename", text, ("screenshot_name",)),
        Field("screenshot_size", integer),
        Field("screenshot_type", text),
    ),
    sections=("questionnaire", "questionnaireData", "answers"),
    # The same answers on another day are new answers; within minutes they are a second click. A
    # page with several steps may save each of them.
    repetition=Repetition(within_seconds=600, grows_within_seconds=3600),
    picture=PictureColumns(_SCREENSHOT, "screenshot_type", "screenshot_size"),
    normalise=normalise_questionnaire,
)

_DASHBOARD = Kind(
    "dashboard",
    "dashboard_data",
    (
        *_USER,
        Field("initial_equity", decimal(12, 2), (
            "initial_balance", "starting_balance", "starting_equity", "initial_capital",
            "starting_capital", "account.initial_balance", "account.starting_balance",
        )),
        Field("current_equity", decimal(12, 2), (".equity", "tradingState.equity")),
        Field("total_pnl", decimal(12, 2)),
        Field("win_rate", ratio(5, 2)),
        Field("total_trades", integer),
        Field("winning_trades", integer),
        Field("losing_trades", integer),
        Field("average_win", decimal(10, 2), ("avg_win",)),
        Field("average_loss", decimal(10, 2), ("avg_loss",)),
        Field("profit_factor", ratio(10, 4)),
        Field("max_drawdown", decimal(10, 2, can_be_percentage=True)),
        Field("current_drawdown", decimal(10, 2, can_be_percentage=True)),
        Field("gross_profit", decimal(12, 2)),
        Field("gross_loss", decimal(12, 2)),
        Field("consecutive_wins", integer),
        Field("consecutive_losses", integer),
        Field("risk_per_trade", ratio(5, 2), ("risk_per_trade_percentage",)),
        Field("daily_loss_limit", ratio(5, 2), ("daily_loss_limit_percentage",)),
        Field("consecutive_losses_limit", integer),
        Field("account_balance", decimal(12, 2), (
            "account.balance", "dashboardData.account.balance", "tradingState.balance",
            ".current_balance", ".balance",
        )),
        Field("account_equity_dash", decimal(12, 2), (
            "account_equity", "account.equity", "dashboardData.account.equity",
        )),
        Field("theme", text, ("selected_theme",), default="dark"),
        Field("dashboard_state", json_state, ("dashboard_data",)),
        Field("trading_state", json_state),
    ),
    sections=(
        "tradingState", "tradingState.performanceMetrics", "tradingState.riskSettings",
        "tradingState.dailyStats", "dashboardData", "dashboardData.performance",
        "dashboardData.riskProtocol", "dashboardData.account", "dashboardData.userProfile",
    ),
    # Pages save an unchanged dashboard every few seconds, and parts of it in several places.
    repetition=Repetition(ignores_omitted_fields=True, touches_updated_at=True),
    normalise=normalise_dashboard,
)  # fmt: skip

_ACTIVITY = Kind(
    "activity",
    "trading_activity_log",
    (
        Field("activity_type", text, (
            "activity_name", "activity.activity_type", "activity.type", "activity.action",
            "activity.name", "activity", "action", "event", "event_type", "event_name",
            "action_type", "action_name", "type",
        )),
        Field("activity_data", json_any, (
            "activity.activity_data", "activity.data", "activity.details", "activity.metadata",
            "data", "details", "metadata", "properties", "event_data", "action_data",
            "activity_details", "activity_metadata", "context", "meta",
        )),
    ),
    time_columns=("timestamp",),
)  # fmt: skip

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (_PAYMENT, _QUESTIONNAIRE, _DASHBOARD, _ACTIVITY)
}
