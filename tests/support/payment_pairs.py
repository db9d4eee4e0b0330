"""Generate pairs of captured payments: two payments, or one that a page saves twice."""

from __future__ import annotations

import random
from typing import Any

PLACEHOLDERS: list[Any] = [
    None, "", " ", "undefined", "null", "NULL", "None", "nil", "NaN", "nan", "0", 0, 0.0, "000",
    "0.00", "-", "--", "—", "...", "N/A", "n/a", "pending", "Pending ", "processing", "unknown",
    "[object Object]", "[object Promise]", "tbd", "true", True, False, "not set",
    "keine", "ninguno", "aucun", "нет", "なし", "无", "Infinity", "-1", "Invalid Date",
    "Loading...", "error", "test", "xxx", "${transactionId}", "{{transaction_id}}",
    "<transaction_id>", "%s", "pi_undefined", "order-null", "undefined-undefined", "0x0",
    "transaction_id", "FREE",
    "00000000-0000-0000-0000-000000000000",
]  # fmt: skip
PLANS = ["Pro", "Basic", "Elite Trader", "Gold 12", "plan_3"]
STATUSES = ["completed", "pending", "succeeded", "paid", "processing"]

Payload = dict[str, Any]
Pair = tuple[Payload, Payload]


def luhn_number(dice: random.Random, digits: int = 18, last_four: str = "") -> str:
    """Return a number that has the check sum of card numbers.

    With 16 digits it is masked, with 18 it is not.
    """
    while True:
        body = "4" + "".join(dice.choices("0123456789", k=digits - 1 - len(last_four))) + last_four
        doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(body))]
        if sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0:
            return body


def make_number(dice: random.Random) -> Any:
    return dice.choice(
        [
            lambda: luhn_number(dice),
            lambda: luhn_number(dice, 16),
            lambda: int(luhn_number(dice, 16)),
            lambda: int(luhn_number(dice)),
            lambda: f"TX-{dice.randrange(10**6)}",
            lambda: f"pi_{dice.getrandbits(80):020x}",
            lambda: f"{dice.getrandbits(64):X}-{dice.getrandbits(32):x}",
            lambda: dice.randrange(1, 10**9),
            lambda: float(dice.randrange(1, 10**9)),
            lambda: f"ORDER {dice.randrange(10**8)}",
        ]
    )()


def make_payment(dice: random.Random, user: str) -> Payload:
    payment: Payload = {
        "user_email": user,
        "plan_name": dice.choice(PLANS),
        "final_price": f"{dice.randrange(100, 50_000) / 100:.2f}",
        "transaction_id": make_number(dice),
        "payment_status": dice.choice(STATUSES),
    }
    optional = {"coupon_code": "SAVE10", "payment_method": "card", "currency": "USD"}
    return payment | {name: value for name, value in optional.items() if dice.random() < 0.4}


def without_number(dice: random.Random, payment: Payload) -> Payload:
    """Return what a page shows after a payment: some members, and no number."""
    shown = {key: value for key, value in payment.items() if key != "transaction_id"}
    if dice.random() < 0.7:
        shown["transaction_id"] = dice.choice(PLACEHOLDERS)
    for name in ("coupon_code", "payment_method", "currency", "payment_status"):
        if dice.random() < 0.4:
            shown.pop(name, None)
    return shown


def respell(dice: random.Random, payment: Payload) -> Payload:
    """Return the same payment, written in another way."""
    spelled = dict(payment)
    price = spelled.pop("final_price")
    name = dice.choice(["final_price", "finalPrice", "amount"])
    spelled[name] = dice.choice([price, float(price), f"${price}", f" {price} "])
    if dice.random() < 0.5:
        spelled["plan"] = spelled.pop("plan_name")
    if dice.random() < 0.3:
        spelled["user_email"] = dice.choice([str.upper, str.title])(spelled["user_email"])
    for name in ("timestamp", "last_activity", "requestId"):
        if dice.random() < 0.3:
            spelled[name] = dice.randrange(10**9)
    members = list(spelled.items())
    dice.shuffle(members)
    return dict(members)


def respell_number(dice: random.Random, payment: Payload) -> Payload:
    number = payment["transaction_id"]
    if isinstance(number, float):
        number = int(number)
    spellings = [number, str(number), f" {number} "]
    if isinstance(number, int):
        spellings.append(float(number) if number < 2**53 else str(number))
    return {**payment, "transaction_id": dice.choice(spellings)}


def vary_text(dice: random.Random, text: str) -> str:
    return dice.choice([text, text.upper(), text.lower(), f"  {text} ", text.replace(" ", "  ")])


def same_pair(dice: random.Random, user: str) -> Pair:
    first = make_payment(dice, user)
    sort = dice.randrange(5)
    if sort == 0:  # the request is sent again
        return first, respell_number(dice, respell(dice, first))
    if sort == 1:  # the page saves what it shows, twice
        shown = without_number(dice, first)
        return shown, {**shown, "timestamp": dice.randrange(10**9), "lastActivity": 5}
    shown = respell(dice, without_number(dice, first))
    for name in shown.keys() & {"plan", "plan_name", "coupon_code", "payment_method"}:
        shown[name] = vary_text(dice, shown[name])
    if sort == 2 and first["payment_status"] in ("pending", "processing"):
        shown["payment_status"] = dice.choice(["completed", "paid", "Success"])
    return (first, shown) if sort < 4 else (shown, first)


def different_pair(dice: random.Random, user: str) -> Pair:
    first = make_payment(dice, user)
    if dice.random() < 0.4:  # two numbers
        number = first["transaction_id"] = str(first["transaction_id"])
        others = [
            number + "1",
            "X" + number,
            number[:-1] + ("1" if number[-1] != "1" else "2"),
            make_number(dice),
        ]
        if number.isdigit() and len(number) in (16, 18):
            others = [luhn_number(dice, len(number), last_four=number[-4:])]
        other = next(one for one in [*others, "else"] if str(one) != number)
        return first, respell(dice, {**first, "transaction_id": other})
    change = dice.choice(
        [
            {"plan_name": "Another"},
            {"final_price": f"{float(first['final_price']) + 0.01:.2f}"},
            {"user_email": f"other-{user}"},
            {"coupon_code": "OTHER"},
            {"payment_method": "crypto"},
            {"currency": "EUR"},
            {"payment_status": "refunded"},
            {"plan_name": None},
            {"final_price": None},
        ]
    )
    first |= {"coupon_code": "SAVE10", "payment_method": "card", "currency": "USD"}
    other = {**first, **change}
    if dice.random() < 0.6:  # one without a number
        pair = first, {**other, "transaction_id": dice.choice(PLACEHOLDERS)}
    elif dice.random() < 0.5:  # both without a number
        placeholder = dice.choice(PLACEHOLDERS)
        pair = ({**first, "transaction_id": placeholder}, {**other, "transaction_id": placeholder})
    else:  # both without a number, and their content differs outside the columns
        pair = tuple(
            {**first, "transaction_id": dice.choice(PLACEHOLDERS), "basket": basket}
            for basket in ("A", "B")
        )  # type: ignore[assignment]
    return pair if dice.random() < 0.5 else pair[::-1]
