"""Test that field names of any script and spelling keep their values apart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.engines.forms import form, open_form, posted_fields, wait_until_posted
from tests.engines.visit import NOTHING_OBSERVED, Visit

# Pairs of names that differ only in what is no Latin letter.
PAIRS = {
    "Cyrillic": ("Имя", "Цена"),
    "Greek": ("όνομα", "τιμή"),
    "Arabic": ("الاسم", "المبلغ"),
    "Hebrew": ("שם", "סכום"),
    "Chinese": ("姓名", "金额"),
    "Japanese": ("なまえ", "ねだん"),
    "Korean": ("이름", "금액"),
    "Thai vowels": ("ปี", "ปู"),
    "Devanagari vowels": ("की", "का"),
    "Arabic vowels": ("كَ", "كُ"),
    "Arabic digits": ("بند١", "بند٢"),
    "other digits": ("項目①", "項目②"),
    "emoji": ("💰", "📅"),
    "signs": ("%", "€"),
    "letters outside of the BMP": ("𝐚", "𝐛"),
    "Latin beside Cyrillic": ("field Имя", "field Цена"),
}

_FETCH_AND_STORE = """async ([user_email, first, second]) => {
  const payment = { user_email, transaction_id: 'T1', plan_name: 'Pro' };
  const body = JSON.stringify({ ...payment, [first]: 'the first' });
  localStorage.setItem('payment_details', JSON.stringify({ ...payment, [second]: 'the second' }));
  await fetch('/api/payments', { method: 'POST', body });
}"""


def values_of(captures: list[dict[str, Any]], *names: str) -> list[Any]:
    """Return the values that the captures have under these names, in this order."""
    merged = {name: value for capture in captures for name, value in capture.items()}
    return [merged.get(name) for name in names]


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS)
def test_two_sources_of_one_save_keep_both_names(pair: str, visit: Visit) -> None:
    tab = visit.open()
    tab.run(_FETCH_AND_STORE, [visit.user, *PAIRS[pair]])
    captured = visit.captured(tab)
    assert values_of(captured, *PAIRS[pair]) == ["the first", "the second"]
    (row,) = visit.rows("payment_data")
    assert row["transaction_id"] == "T1"
    assert visit.observed(tab) == NOTHING_OBSERVED


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS)
def test_form_keeps_both_names(pair: str, visit: Visit) -> None:
    fields = "".join(
        f'<input name="{name}" value="value {number}">' for number, name in enumerate(PAIRS[pair])
    )
    tab = open_form(visit, form(f"<input name=transaction_id value=T1>{fields}"))
    tab.run("() => document.forms[0].requestSubmit()")
    wait_until_posted(visit)
    assert values_of(visit.captured(tab), *PAIRS[pair]) == ["value 0", "value 1"]


# Names of form fields as frameworks of servers write them, and where the capture may have them.
FRAMEWORK_NAMES = {
    "1_plan": ("1_plan", "plan"),
    "a[b]": ("a[b]", "a.b"),
    "c[]": ("c[]", "c"),
    "order[lines][0][name]": ("order[lines][0][name]", "order.lines.0.name"),
    "order.total": ("order.total",),
    "order:total": ("order:total",),
    "order-total": ("order-total",),
    "ctl00$Body$total": ("ctl00$Body$total",),
    "a b": ("a b",),
    "a=b": ("a=b",),
    "a&b": ("a&b",),
    "[x]": ("[x]",),
    "__proto__": ("__proto__",),
    "constructor": ("constructor",),
    "toString": ("toString",),
}


def value_at(body: Any, path: str) -> Any:
    """Return the member with this name, or the one at the end of a path with points."""
    if isinstance(body, dict) and path in body:
        return body[path]
    first, _, rest = path.partition(".")
    if isinstance(body, list) and first.isdecimal():
        body = dict(enumerate(body)).get(int(first))
    else:
        body = body.get(first) if isinstance(body, dict) else None
    return value_at(body, rest) if rest else body


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["application/x-www-form-urlencoded", "multipart/form-data"])
@pytest.mark.parametrize("position", ["first", "last"])
def test_names_that_frameworks_write_keep_their_values(
    position: str, encoding: str, visit: Visit
) -> None:
    fields = "".join(f'<input name="{name}" value="of {name}">' for name in FRAMEWORK_NAMES)
    number = "<input name=transaction_id value=T1>"
    both = fields + number if position == "first" else number + fields
    tab = open_form(visit, form(both.replace("&", "&amp;"), f"enctype={encoding}"))
    tab.run("() => document.forms[0].requestSubmit()")
    posted = posted_fields(wait_until_posted(visit))
    assert posted["a[b]"] == "of a[b]"
    (capture,) = visit.captured(tab)
    lost = {
        name: value_at(capture, path)
        for name, paths in FRAMEWORK_NAMES.items()
        for path in paths[:1]
        if all(value_at(capture, one) not in (posted[name], [posted[name]]) for one in paths)
    }
    assert not lost, lost


# Statements that send the text BODY, which is a form's.
SENDERS = {
    "text": "await fetch('/api/payments', { method: 'POST', body: BODY })",
    "text of a form's type": """await fetch('/api/payments', {
        method: 'POST', body: BODY,
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      })""",
    "bytes": """await fetch('/api/payments', {
        method: 'POST', body: new TextEncoder().encode(BODY),
      })""",
    "search parameters": """await fetch('/api/payments', {
        method: 'POST', body: new URLSearchParams(BODY),
      })""",
    "XMLHttpRequest": """const request = new XMLHttpRequest();
      request.open('POST', '/api/payments', false);
      request.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
      request.send(BODY);""",
}
# As browsers encode them, and as scripts write them by hand.
FORMS = {
    "number first": "1_plan=Pro&transaction_id=T1",
    "brackets first": "a[b]=7&transaction_id=T1",
    "encoded brackets first": "a%5Bb%5D=7&transaction_id=T1",
    "list first": "c[]=7&c[]=8&transaction_id=T1",
    "encoded list first": "c%5B%5D=7&c%5B%5D=8&transaction_id=T1",
    "leading bracket": "%5Bx%5D=7&transaction_id=T1",
    "Cyrillic first": "%D0%98%D0%BC%D1%8F=7&transaction_id=T1",
    "Cyrillic, not encoded": "Имя=7&transaction_id=T1",
    "point and hyphen first": "order.line-1=7&transaction_id=T1",
    "dollar first": "$key=7&transaction_id=T1",
    "space in a name": "first+name=7&transaction_id=T1",
    "empty value first": "coupon=&transaction_id=T1",
    "no value first": "coupon&transaction_id=T1",
    "spaces in values": "note=two+words%0D%0Aand+lines&transaction_id=T1",
    "one field": "transaction_id=T1",
}


@pytest.mark.slow
@pytest.mark.parametrize("sender", SENDERS)
def test_urlencoded_bodies_are_read_whatever_their_first_name(sender: str, visit: Visit) -> None:
    lost = []
    for number, (name, body) in enumerate(FORMS.items()):
        tab = visit.open()
        visit.sign_in(tab)
        transaction = f"{sender}-{number}".replace(" ", "-").replace("'", "")
        text = json.dumps(body.replace("T1", transaction))
        tab.run(f"async () => {{ {SENDERS[sender].replace('BODY', text)} }}")
        visit.captured(tab)
        if transaction not in [row["transaction_id"] for row in visit.rows("payment_data")]:
            lost.append(name)
        visit.close(tab)
    assert not lost, lost
    assert len(visit.rows("payment_data")) == len(FORMS)
