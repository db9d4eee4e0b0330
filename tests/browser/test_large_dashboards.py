"""Test that the script delivers dashboards of thousands of trades."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.large_dashboards import EQUITY, make_dashboard

DEFINITION = "<script>async function saveDashboardToSupabase() {}</script>"
SAVES = {
    "the page's function": "saveDashboardToSupabase(data, state, 'light')",
    "fetch": (
        "fetch('/api/simple/dashboard', {method: 'POST', body: JSON.stringify("
        "{dashboardData: data, tradingState: state, theme: 'light'})})"
    ),
}


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize("trades", [2_900, 20_000])
@pytest.mark.parametrize("name", SAVES)
def test_large_dashboard_is_delivered_with_all_trades(
    name: str, trades: int, visit: Any, site: Any, stored: Any, user: str
) -> None:
    payload = make_dashboard(user, trades)
    state = json.dumps(payload["tradingState"])
    site.put(f"/state-{trades}.json", state, "application/json")
    visit.open(DEFINITION, user=user)
    visit.run(
        f"""async () => {{
          const state = await (await fetch('/state-{trades}.json')).json();
          const data = {{account: {{balance: {EQUITY}}}}};
          await {SAVES[name]};
        }}"""
    )
    [row] = stored("dashboard_data")
    assert (row["current_equity"], row["total_trades"]) == (EQUITY, trades)
    assert json.loads(row["trading_state"]) == payload["tradingState"]
    assert visit.run("enhancedDataCapture.status().then(({dropped}) => dropped)") == {}
