"""Payloads of dashboard pages and activities, with the columns that they set."""

from __future__ import annotations

import json

from tests.support.page_payloads import USER, Case

METRICS = {
    "total_pnl": 1250.75, "win_rate": 63.64, "total_trades": 22, "winning_trades": 14,
    "losing_trades": 8, "average_win": 150.5, "average_loss": -107.03, "profit_factor": 2.4607,
    "max_drawdown": 320.1, "current_drawdown": 0, "gross_profit": 2107, "gross_loss": -856.25,
    "consecutive_wins": 3, "consecutive_losses": 0,
}  # fmt: skip
RISK = {"risk_per_trade": 1, "daily_loss_limit": 5, "consecutive_losses_limit": 3}
EQUITY = {"initial_equity": 100000, "current_equity": 101250.75}
TRADES = [{"id": 1705312200000, "symbol": "EURUSD", "pnl": 65.5, "outcome": "win"}]
TRADING_STATE = {
    "initialEquity": 100000, "currentEquity": 101250.75, "trades": TRADES, "openPositions": [],
    "riskSettings": {"riskPerTrade": 1, "dailyLossLimit": 5, "consecutiveLossesLimit": 3},
    "performanceMetrics": {
        "totalPnl": 1250.75, "winRate": 63.6363636363, "totalTrades": 22, "winningTrades": 14,
        "losingTrades": 8, "averageWin": 150.5, "averageLoss": -107.03125, "profitFactor": 2.46072,
        "maxDrawdown": 320.1, "currentDrawdown": 0, "grossProfit": 2107, "grossLoss": -856.25,
        "consecutiveWins": 3, "consecutiveLosses": 0,
    },
    "dailyStats": {"pnl": 65.5, "trades": 1},
}  # fmt: skip
DASHBOARD = {
    "userProfile": {"accountSize": "100000", "riskPerTrade": "1.5%", "name": "Ada"},
    "performance": {"totalPnl": "$1,250.75", "winRate": "63.6%", "totalTrades": 22},
    "riskProtocol": {"dailyLossLimit": "5%", "consecutiveLossesLimit": 3},
    "account": {"balance": 101250.75, "equity": "101,300.00"},
}
FROM_DASHBOARD = {
    "user_name": "Ada", "risk_per_trade": 1.5, "total_pnl": 1250.75, "win_rate": 63.6,
    "total_trades": 22, "daily_loss_limit": 5, "consecutive_losses_limit": 3,
    "account_balance": 101250.75, "account_equity_dash": 101300,
}  # fmt: skip
FLAT = {
    **METRICS, **EQUITY, "account_balance": 101250.75, "account_equity": 101300,
    "risk_per_trade_percentage": 1, "daily_loss_limit": 5, "consecutive_losses_limit": 3,
    "open_positions": [], "trade_history": TRADES, "currency": "USD",
    **{f"signal_{number}_enabled": True for number in range(30)},
}  # fmt: skip

DASHBOARDS = [
    Case(
        "POST /api/simple/dashboard, flat",
        "dashboard",
        {"user_email": USER, "user_id": 42, "user_name": "Ada", "selected_theme": "matrix", **FLAT},
        {
            "user_id": 42, "user_name": "Ada", **METRICS, **EQUITY, **RISK,
            "account_balance": 101250.75, "account_equity_dash": 101300, "theme": "matrix",
            "dashboard_state": FLAT,
        },
    ),
    Case(
        "POST /api/simple/dashboard with numbers as texts",
        "dashboard",
        {
            "user_email": USER, "initial_equity": "100000", "current_equity": "101250.75",
            "win_rate": "63.64%", "total_pnl": None,
        },
        {
            **EQUITY, "win_rate": 63.64, "theme": "dark",
            "dashboard_state": {
                "initial_equity": "100000", "current_equity": "101250.75", "win_rate": "63.64%",
                "total_pnl": None,
            },
        },
    ),
    Case(
        "PUT /api/dashboard/equity",
        "dashboard",
        {
            "user_email": USER, "user_id": 42, "current_equity": "101250.75", "total_pnl": 1250.75,
            "account_balance": 101250.75,
        },
        {
            "user_id": 42, "current_equity": 101250.75, "total_pnl": 1250.75,
            "account_balance": 101250.75, "theme": "dark",
            "dashboard_state": {
                "current_equity": "101250.75", "total_pnl": 1250.75, "account_balance": 101250.75,
            },
        },
    ),
    Case(
        "the arguments of saveDashboardToSupabase",
        "dashboard",
        {
            "user": {"id": 42, "email": USER, "username": "ada", "token": "abc"}, "theme": "light",
            "dashboardData": DASHBOARD, "tradingState": TRADING_STATE,
        },
        {
            **FROM_DASHBOARD, "user_id": 42, "user_name": "ada", **METRICS, **EQUITY, **RISK,
            "theme": "light", "dashboard_state": DASHBOARD, "trading_state": TRADING_STATE,
        },
    ),
    Case(
        "saveDashboardToSupabase in snake_case, the states as JSON texts",
        "dashboard",
        {
            "user_email": USER, "selected_theme": "light",
            "dashboard_data": json.dumps({"account": {"balance": 5}}),
            "trading_state": json.dumps(
                {"current_equity": "101250.75", "performance_metrics": {"total_pnl": 1250.75}},
            ),
        },
        {
            "current_equity": 101250.75, "total_pnl": 1250.75, "account_balance": 5,
            "theme": "light", "dashboard_state": {"account": {"balance": 5}},
            "trading_state": {
                "current_equity": "101250.75", "performance_metrics": {"total_pnl": 1250.75},
            },
        },
    ),
    Case(
        "the states under the names of their columns",
        "dashboard",
        {"user_email": USER, "dashboard_state": DASHBOARD, "trading_state": TRADING_STATE},
        {
            **FROM_DASHBOARD, **METRICS, **EQUITY, **RISK, "theme": "dark",
            "dashboard_state": DASHBOARD, "trading_state": TRADING_STATE,
        },
    ),
    Case(
        "localStorage trading_state_<email>",
        "dashboard",
        {"user_email": USER, **TRADING_STATE},
        {**METRICS, **EQUITY, **RISK, "theme": "dark", "trading_state": TRADING_STATE},
    ),
    Case(
        "localStorage dashboard_data_<email>",
        "dashboard",
        {"user_email": USER, **DASHBOARD},
        {**FROM_DASHBOARD, "theme": "dark", "dashboard_state": DASHBOARD},
    ),
    Case(
        "a dashboard with invalid metrics",
        "dashboard",
        {
            "user_email": USER,
            "tradingState": {
                "performanceMetrics": {"profitFactor": "∞", "winRate": "NaN", "totalTrades": 1.5},
            },
        },
        {
            "theme": "dark",
            "trading_state": {
                "performanceMetrics": {"profitFactor": "∞", "winRate": "NaN", "totalTrades": 1.5},
            },
        },
        (
            "tradingState.performanceMetrics.totalTrades",
            "tradingState.performanceMetrics.profitFactor",
        ),
    ),
]  # fmt: skip

ACTIVITIES = [
    Case(
        "an activity",
        "activity",
        {
            "user_email": USER,
            "activity_type": "trade_closed",
            "activity_data": {"pnl": 65.5, "symbol": "EURUSD"},
        },
        {"activity_type": "trade_closed", "activity_data": {"pnl": 65.5, "symbol": "EURUSD"}},
    ),
    Case(
        "an activity by other names",
        "activity",
        {"email": USER, "action": "login", "details": ["a"]},
        {"activity_type": "login", "activity_data": ["a"]},
    ),
]
