"""Test what supabase-js sends: tables, functions, filters, and the token of a session."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engines import packages
from tests.engines.browser import eventually
from tests.engines.visit import NOTHING_OBSERVED, Visit

_PROGRAM = """
import { createClient } from 'CLIENT';
const base64Url = (value) => btoa(JSON.stringify(value)).replaceAll('=', '');
const claims = { sub: 'u-1', email: 'USER_EMAIL', role: 'authenticated', exp: 4102444800 };
const token = [{ alg: 'HS256', typ: 'JWT' }, claims].map(base64Url).join('.') + '.c2lnbmVk';
localStorage.setItem('shop-auth', JSON.stringify({
  access_token: token, refresh_token: 'secret-refresh-token', token_type: 'bearer',
  expires_in: 3600, expires_at: 4102444800, user: { id: 'u-1', email: 'USER_EMAIL' },
}));
const auth = { storageKey: 'shop-auth', autoRefreshToken: false };
const client = createClient(location.origin, 'anon-key-of-the-project', { auth });
const withToken = createClient(location.origin, 'anon-key-of-the-project', {
  accessToken: async () => token,
});
const payment = (id) => ({ transaction_id: id, plan_name: 'Pro', final_price: 49 });
document.addEventListener('save', async ({ detail: done }) => {
  await client.from('payments').insert(payment('S-1'));
  await withToken.from('payments').insert([payment('S-2')]);
  await client.functions.invoke('create-payment', { body: payment('S-3') });
  await client.rpc('record_payment', payment('S-4'));
  await client.from('dashboard_data').update({ total_pnl: 50 }).eq('user_id', 'u-1');
  await client.from('payments').update({ payment_status: 'completed' }).eq('id', 'ROW');
  await client.from('payment_methods').insert(payment('a method'));
  await client.rpc('get_payments', payment('a read'));
  await client.functions.invoke('list-payments', { body: payment('a list') });
  done();
});
"""


@pytest.mark.slow
def test_tables_functions_and_filters_belong_to_the_user_of_the_token(
    visit: Visit, tmp_path: Path
) -> None:
    if packages.missing():
        pytest.skip(f"nothing can be built: {packages.missing()}")
    row = f"row-{visit.user.partition('@')[0]}"
    program = _PROGRAM.replace("CLIENT", "supabase-newest").replace("ROW", row)
    entry = tmp_path / "saves.js"
    entry.write_text(program.replace("USER_EMAIL", visit.user))
    visit.shop.put_folder("/built", packages.build("esbuild", entry, tmp_path / "built").parent)
    tab = visit.open(f"{visit.tag()}<script type=module src=/built/saves.js></script>")
    tab.run("new Promise((detail) => document.dispatchEvent(new CustomEvent('save', { detail })))")

    def captured() -> str:
        return json.dumps(list(visit.proxy.captures()))

    eventually(lambda: f"/rest/v1/payments?id=eq.{row}" in captured(), "the filter travels", 15)
    visit.wait_for_rows("payment_data", 4)
    visit.wait_for_rows("dashboard_data", 1)
    visit.proxy.wait_until_quiet()
    transactions = sorted(one["transaction_id"] for one in visit.rows("payment_data"))
    assert transactions == ["S-1", "S-2", "S-3", "S-4"]
    assert [one["total_pnl"] for one in visit.rows("dashboard_data")] == [50]
    (update,) = [one for one in visit.proxy.captures() if row in str(one)]
    assert "user_email" not in update
    secrets = (b"c2lnbmVk", b"secret-refresh-token", b"anon-key-of-the-project")
    sent = b"\n".join(visit.proxy.received_bytes)
    assert [secret for secret in secrets if secret in sent] == []
    assert visit.observed(tab) == NOTHING_OBSERVED
