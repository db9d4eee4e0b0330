"""Dashboards of traders with thousands of trades, as pages send them."""

from __future__ import annotations

import json
from typing import Any

BYTES_PER_TRADE = 370  # of real pages, on average
EQUITY = 101250.75


def make_trade(number: int) -> dict[str, Any]:
    """Return a trade of about `BYTES_PER_TRADE` bytes, with 18-digit ids as brokers have."""
    minute = f"{number // 60 % 24:02}:{number % 60:02}"
    return {
        "id": _identifier(number),
        "orderId": _identifier(number + 1_000_000),
        "positionId": _identifier(number + 2_000_000),
        "symbol": ("EURUSD", "GBPUSD", "XAUUSD", "BTCUSD")[number % 4],
        "direction": ("BUY", "SELL")[number % 2],
        "entryPrice": 1.0 + number % 9973 / 10_000,
        "exitPrice": 1.0 + number % 9967 / 10_000,
        "stopLoss": 0.9955,
        "takeProfit": 1.2045,
        "lotSize": 0.1 + number % 7,
        "pnl": number % 301 - 150.25,
        "outcome": ("Target Hit", "Stop Loss Hit")[number % 2],
        "openTime": f"2026-11-{number % 28 + 1:02}T{minute}:00.000Z",
        "closeTime": f"2026-11-{number % 28 + 1:02}T{minute}:30.000Z",
        "equityAfter": 100_000 + number % 5000,
    }


def make_dashboard(user: str, trades: int, *, equity: float = EQUITY) -> dict[str, Any]:
    """Return a dashboard with this many trades."""
    return {
        "user_email": user,
        "dashboardData": {"account": {"balance": equity}},
        "tradingState": {
            "initialEquity": 100_000,
            "currentEquity": equity,
            "trades": [make_trade(number) for number in range(trades)],
            "performanceMetrics": {"totalPnl": 1250.75, "winRate": 63.64, "totalTrades": trades},
        },
        "theme": "light",
    }


def encode(payload: dict[str, Any]) -> bytes:
    """Encode a payload as browsers do."""
    return json.dumps(payload, separators=(",", ":")).encode()


def pad(payload: dict[str, Any], size_bytes: int) -> bytes:
    """Encode a payload with a note that makes it exactly this long."""
    missing = size_bytes - len(encode({**payload, "note": ""}))
    return encode({**payload, "note": ("a note " * (missing // 7 + 1))[:missing]})


def _identifier(number: int) -> str:
    """Return 18 digits that begin like a card number, but have no valid Luhn sum."""
    digits = f"4{number:016}"
    return next(f"{digits}{check}" for check in range(10) if not _has_luhn_sum(f"{digits}{check}"))


def _has_luhn_sum(digits: str) -> bool:
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0
