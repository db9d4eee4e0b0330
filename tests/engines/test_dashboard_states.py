"""Test that an unchanged state adds no row, and that a partial update keeps what it leaves out."""

from __future__ import annotations

import pytest

from tests.engines.case_table import Case, Row, check
from tests.engines.visit import Visit


def _states(column: str, *values: object) -> tuple[Row, ...]:
    return tuple({"user_email": "USER", column: value} for value in values)


def _rewritten(volatile: str) -> str:
    """Return statements that save one state six times, with other volatile members each time."""
    return f"""for (let n = 1; n <= 6; n++) {{
      await post('/api/dashboard', dashboard({{ {volatile} }}));
      await wait(700);
    }}"""


def _dashboards(steps: str, *rows: Row, **more: str | bool) -> Case:
    return Case(steps, rows, table="dashboard_data", **more)  # type: ignore[arg-type]


_TRADING_STATE = """const keys = () => local(`trading_state_${USER}`, {
  initialEquity: 10000, currentEquity: 10250.5, trades: [{ pair: 'EURUSD', pnl: 250.5 }],
  riskSettings: { riskPerTrade: 1.5 }, performanceMetrics: { totalPnl: 250.5, winRate: 62.5 },
});
const request = () => post('/api/simple/dashboard', {
  user_email: USER, initial_equity: 10000, current_equity: '10250.5', total_pnl: 250.5,
  win_rate: 62.5, selected_theme: 'dark', last_updated: new Date().toISOString(),
});
"""
_ONE_STATE = {"user_email": "USER", "current_equity": 10250.5, "win_rate": 62.5}

UNCHANGED = {
    **{
        f"a new {name}": _dashboards(_rewritten(members), *_states("current_equity", 10000))
        for name, members in {
            "id, last_activity and updated_at": (
                "id: n, last_activity: Date.now() + n, updated_at: new Date().toISOString()"
            ),
            "lastSeen and syncedAt": "lastSeen: Date.now(), syncedAt: new Date().toISOString()",
            "request_id and nonce": "request_id: `r-${n}`, nonce: Math.random()",
            "uuid and timestamp": "uuid: `u-${n}-${TOKEN}`, timestamp: Date.now()",
            "time in an object": "performance: { winRate: 60, lastUpdated: Date.now() }",
            "heartbeat and client_time": "heartbeat: n, client_time: new Date().toString()",
        }.items()
    },
    "keys and request, then the request alone": _dashboards(
        _TRADING_STATE + "keys(); await request(); await wait(2500); await request();", _ONE_STATE
    ),
    "keys and request, then each alone, again and again": _dashboards(
        f"""{_TRADING_STATE} keys(); await request();
        for (let n = 0; n < 2; n++) {{
          await wait(1400);
          await request();
          await wait(1400);
          keys();
        }}""",
        _ONE_STATE,
    ),
    "a key that is rewritten": _dashboards(
        """for (let n = 0; n < 20; n++) {
          local(`trading_state_${USER}`, { currentEquity: 10000, lastUpdated: Date.now() });
          await wait(150);
        }""",
        *_states("current_equity", 10000),
    ),
    "another user with the same state": Case(
        """await post('/api/dashboard', dashboard());
        await wait(1500);
        await post('/api/dashboard', dashboard({ user_email: OTHER }));""",
        ({"user_email": "USER", "total_pnl": 10}, {"user_email": "OTHER", "total_pnl": 10}),
        table="dashboard_data",
    ),
    "a new state, and the first one again": _dashboards(
        """for (const current_equity of [10000, 9900, 10000]) {
          await post('/api/dashboard', dashboard({ current_equity }));
          await wait(1500);
        }""",
        *_states("current_equity", 10000, 9900, 10000),
    ),
    "a new state in the second in which the first one is saved": _dashboards(
        """await post('/api/dashboard', dashboard({ current_equity: 10000 }));
        await wait(200);
        await post('/api/dashboard', dashboard({ current_equity: 9900 }));""",
        *_states("current_equity", 10000, 9900),
    ),
}

_FULL = {"user_email": "USER", "current_equity": 10000, "win_rate": 60, "theme": "light"}
_SAVED_STATE = "local('current_user', { id: 'u-1', email: USER });"
_SAVED_STATE += "await post('/api/dashboard', dashboard()); await wait(2000);"

PARTIAL = {
    **{
        name: _dashboards(
            f"{_SAVED_STATE} await {request};",
            {**_FULL, "total_pnl": 10},
            {**_FULL, "total_pnl": 50},
        )
        for name, request in {
            "PATCH": "patch('/api/dashboard', { total_pnl: 50 })",
            "PATCH with the address": (
                "patch('/api/dashboard', { user_email: USER, total_pnl: 50 })"
            ),
            "PATCH of the user's own row": (
                "patch('/rest/v1/dashboard_data?user_id=eq.u-1', { total_pnl: 50 })"
            ),
            "PATCH of the row with the user's address": (
                "patch(`/rest/v1/dashboard_data?user_email=eq.${USER}`, { total_pnl: 50 })"
            ),
            "PUT of a part": (
                "send('PUT', '/api/dashboard/equity', { user_id: 'u-1', total_pnl: 50 })"
            ),
            "PATCH by XMLHttpRequest": """new Promise((resolve) => {
                const request = new XMLHttpRequest();
                request.open('PATCH', '/api/dashboard');
                request.onload = resolve;
                request.send(JSON.stringify({ user_email: USER, total_pnl: 50 }));
              })""",
        }.items()
    },
    "one part after the other": _dashboards(
        f"""{_SAVED_STATE}
        await patch('/api/dashboard', {{ user_email: USER, total_pnl: 50 }});
        await wait(1500);
        await patch('/api/dashboard', {{ user_email: USER, total_trades: 7 }});
        await wait(1500);
        await patch('/api/dashboard', {{ user_email: USER, theme: 'dark' }});""",
        {**_FULL, "total_pnl": 10, "total_trades": None},
        {**_FULL, "total_pnl": 50, "total_trades": None},
        {**_FULL, "total_pnl": 50, "total_trades": 7},
        {**_FULL, "total_pnl": 50, "total_trades": 7, "theme": "dark"},
    ),
    "part after a task of the page that takes two seconds": _dashboards(
        """await post('/api/dashboard', dashboard());
        await wait(700);
        for (const end = performance.now() + 2000; performance.now() < end;) ;
        await patch(`/rest/v1/dashboard_data?user_email=eq.${USER}`, {
          user_email: USER, total_pnl: 50 });""",
        {**_FULL, "total_pnl": 10},
        {**_FULL, "total_pnl": 50},
    ),
    "part at another address in the second of the whole": _dashboards(
        """await post('/api/dashboard', dashboard());
        await wait(200);
        await send('PUT', '/api/dashboard/equity', { user_email: USER, current_equity: 9900 });""",
        {**_FULL, "total_pnl": 10, "current_equity": 9900},
        only_latest=True,
    ),
    "payment that is completed later": Case(
        """await pay({ user_email: USER, payment_status: 'pending' });
        await wait(2000);
        await patch('/api/payments', {
          user_email: USER, transaction_id: number(), payment_status: 'completed' });""",
        tuple(
            {
                "user_email": "USER",
                "transaction_id": "T-1",
                "payment_status": status,
                "plan_name": "Pro",
                "final_price": 49,
            }
            for status in ("pending", "completed")
        ),
    ),
}

_STEPS = """const steps = [
  { trades_per_day: '3-5', trading_session: 'London' },
  { crypto_assets: ['BTC'], has_account: 'yes' },
  { account_size: '50000', risk_percentage: '1.5' },
];
"""
_WHOLE = {
    "user_email": "USER",
    "trades_per_day": "3-5",
    "trading_session": "London",
    "crypto_assets": '["BTC"]',
    "has_account": "yes",
    "account_size": 50000,
    "risk_percentage": 1.5,
}


def _wizard(save: str) -> Case:
    """Return a case that saves each step; `save` has the step, its number, and all so far."""
    return Case(
        f"""{_STEPS} let all = {{ user_email: USER }};
        for (const [index, step] of steps.entries()) {{
          all = {{ ...all, ...step }};
          await {save};
          await wait(1400);
        }}""",
        (_WHOLE,),
        table="questionnaire_data",
    )


WIZARDS = {
    "wizard that sends each step by PATCH": _wizard(
        "patch('/api/questionnaire', { user_email: USER, ...step })"
    ),
    "wizard that sends each step to its row": _wizard(
        "send('PUT', '/api/questionnaires/7', { user_email: USER, ...step })"
    ),
    "wizard that sends all so far": _wizard("post('/api/questionnaire', all)"),
    "wizard that sends all so far by PUT": _wizard("send('PUT', '/api/questionnaire', all)"),
    "wizard that creates, and then sends each step by PATCH": _wizard(
        "send(index ? 'PATCH' : 'POST', '/api/questionnaire', { user_email: USER, ...step })"
    ),
    "wizard that sends each step with its number": _wizard(
        "post('/api/questionnaire', { user_email: USER, currentStep: index + 1, ...step })"
    ),
    "wizard that sends each step to its address": _wizard(
        "post(`/api/onboarding/step-${index + 1}`, { user_email: USER, ...step })"
    ),
    "wizard that sends all so far, slowly": _wizard(
        "post('/api/questionnaire', all).then(() => wait(2000))"
    ),
    "wizard that keeps all so far in storage": _wizard("local('questionnaireAnswers', all)"),
    "wizard that keeps all so far in storage, slowly": _wizard(
        "wait(2000, local('questionnaireAnswers', all))"
    ),
    "answers on each page, and then the whole": _wizard(
        """(async () => {
          local('questionnaireAnswers', all);
          if (index === 2) await post('/api/questionnaire', all);
        })()"""
    ),
}


@pytest.mark.quick
@pytest.mark.slow
def test_unchanged_state_adds_no_row_and_a_part_is_laid_over_the_latest_state(visit: Visit) -> None:
    check(visit, UNCHANGED, PARTIAL, WIZARDS)
