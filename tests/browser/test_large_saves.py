"""Test that a large save is delivered as it is, and processed while the page is idle."""

from __future__ import annotations

import json
from typing import Any

import pytest

SAVE = "fetch('/api/dashboard', {method: 'POST', body: JSON.stringify(saved)})"
DEFINITION = "<script>async function saveDashboardToSupabase() {}</script>"
SAVES = {
    "the page's function": "saveDashboardToSupabase(saved.dashboardData, saved.tradingState)",
    "fetch": SAVE,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAVES)
def test_characters_of_two_units_stay_whole(name: str, visit: Any, stored: Any, user: str) -> None:
    """The request is made of pieces. Their limits are inside a character in one of the notes."""
    visit.open(DEFINITION, user=user)
    visit.run(
        f"""async () => {{
          const notes = Array(2).fill('😀'.repeat(8e5)); // the second is 1,600,003 units later
          window.saved = {{dashboardData: {{current_equity: 7}}, tradingState: {{notes}}}};
          await {SAVES[name]};
        }}"""
    )
    [row] = stored("dashboard_data")
    assert json.loads(row["trading_state"]) == {"notes": ["😀" * 800_000] * 2}
    assert row["current_equity"] == 7


@pytest.mark.parametrize("name", SAVES)
def test_large_save_is_processed_after_the_task_of_the_page(
    name: str, visit: Any, stored: Any, user: str
) -> None:
    """Nor is it in one task: parsing, masking and merging are apart."""
    visit.open(DEFINITION, user=user)
    tasks = visit.run(
        f"""async () => {{
          const notes = Array.from(Array(1000), (_, n) => n + 'x'.repeat(2000));
          window.saved = {{dashboardData: {{current_equity: 7}}, tradingState: {{notes}}}};
          let task = 0, counting = true;
          const {{port1, port2}} = new MessageChannel();
          port1.onmessage = () => {{ task++; if (counting) port2.postMessage(0); }};
          port2.postMessage(0);
          const tasks = [];
          for (const name of ['parse', 'stringify']) {{
            const original = JSON[name];
            JSON[name] = (...args) => {{
              const result = original(...args);
              const large = name === 'parse' ? args[0] : result;
              if (large?.length > 1e6) tasks.push([name, task]);
              return result;
            }};
          }}
          const begun = task;
          {SAVES[name]};
          while (!(await enhancedDataCapture.status()).captured) {{
            await new Promise((resolve) => setTimeout(resolve, 5));
          }}
          counting = false;
          return tasks.map(([name, at]) => [name, at - begun]);
        }}"""
    )
    own = [[step, task] for step, task in tasks if task > 0]
    page = [[step, task] for step, task in tasks if task == 0]
    assert page == ([["stringify", 0]] if name == "fetch" else [])  # the page's own
    assert [step for step, _ in own if step == "parse"] == (["parse"] if name == "fetch" else [])
    assert "stringify" in [step for step, _ in own]
    if name == "fetch":
        assert own[0][1] < next(task for step, task in own if step == "stringify")
    assert len(stored("dashboard_data")) == 1


def test_withdrawn_consent_stops_a_large_request_that_is_being_made(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open(user=user)
    status = visit.run(
        f"""async () => {{
          const notes = Array.from(Array(1000), (_, n) => n + 'x'.repeat(2000));
          window.saved = {{dashboardData: {{current_equity: 7}}, tradingState: {{notes}}}};
          const made = new Promise((resolve) => {{
            window.Blob = class extends Blob {{
              constructor(...args) {{
                super(...args);
                if (this.type) resolve();
                else if (this.size > 1e5) enhancedDataCapture.consent(false);
              }}
            }};
          }});
          {SAVE};
          await made;
          const later = {{method: 'POST', body: 'x'.repeat(4e6), mode: 'no-cors'}};
          await fetch('{proxy.url}/later', later);
          return enhancedDataCapture.status();
        }}"""
    )
    assert (status["consent"], status["waiting"]) == (False, 0)
    assert [capture.kind for capture in proxy.received] == ["later"]
