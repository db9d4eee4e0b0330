"""Test which submits of a form are saves, and that forms are found wherever they are."""

from __future__ import annotations

import pytest

from tests.engines.browser import eventually
from tests.engines.forms import (
    POSTED,
    captured_fields,
    form,
    open_form,
    posted_fields,
    wait_until_posted,
)
from tests.engines.visit import NOTHING_OBSERVED, Visit

_FIELDS = "<input name=transaction_id value=T1><input name=plan value=Pro>"
_GO = "<button id=go>Pay</button>"
_CLICK = "() => document.querySelector('#go').click()"

# Forms that save nothing, although their opening tags match a rule.
NO_SAVES = {
    "method get": f"<form class=payment method=get target=frame action=/away.html>{_FIELDS}{_GO}",
    "button with formmethod get": f"""<form class=payment method=post target=frame
        action=/away.html>{_FIELDS}<button id=go formmethod=GET>Filter</button>""",
    "method dialog": f"""<dialog open><form class=payment-dialog method=dialog>{_FIELDS}{_GO}
        </form></dialog>""",
    "button with formmethod dialog": f"""<dialog open><form class=payment method=post
        action=/api/posted>{_FIELDS}<button id=go formmethod=dialog>Close</button></form>
        </dialog>""",
    "newsletter": f"""<form class="newsletter payment-page__footer" method=post target=frame
        action=/api/newsletter><input name=email value=a@example.com>{_GO}""",
    "subscription to news": f"""<form id=subscribe-form class=payment-theme method=post target=frame
        action=/api/subscribe><input name=email value=a@example.com>{_GO}""",
    "filter": f"""<form class="payment-filter" method=post target=frame action=/api/filter>
        <select name=status><option>completed</select>{_GO}""",
    "search": f"""<form role=search class=payments-search method=post target=frame
        action=/api/search><input type=search name=q value=Pro>{_GO}""",
    "sorting": f"""<form class="payments-sort" method=post target=frame action=/api/sort>
        <select name=sort><option>date</select>{_GO}""",
    "sign-in": f"""<form class="payment-page login-form" method=post target=frame action=/api/login>
        <input name=email value=a@example.com><input type=password name=password value=x>{_GO}""",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NO_SAVES)
def test_form_that_saves_nothing_is_not_captured(name: str, visit: Visit) -> None:
    tab = open_form(visit, f"<iframe name=frame></iframe>{NO_SAVES[name]}")
    tab.run(
        "() => new Promise((submitted) => { addEventListener('submit', submitted);"
        " document.querySelector('#go').click(); }).then(() => 0)"
    )
    assert visit.captured(tab) == []
    tab.goto(visit.shop.page(visit.tag()))
    assert visit.captured(tab) == []


# Listeners of `submit` by which a page stops the submit, and then does not save.
STOPPED = {
    "by a listener of the form": "document.forms[0].addEventListener('submit', STOP)",
    "by onsubmit": "document.forms[0].onsubmit = () => false",
    "by a listener of the window": "addEventListener('submit', STOP)",
    "by a later promise": """addEventListener('submit', (event) => {
        event.preventDefault();
        Promise.resolve().then(() => { document.title = 'The address is missing'; });
      })""",
    "with a report of the error": """addEventListener('submit', (event) => {
        event.preventDefault();
        navigator.sendBeacon('/collect', '{\"event\":\"form_error\",\"form\":\"payment-form\"}');
        localStorage.setItem('last_error', 'the address is missing');
      })""",
    "with stopPropagation": """document.forms[0].addEventListener('submit', (event) => {
        event.preventDefault();
        event.stopImmediatePropagation();
      }, true)""",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STOPPED)
def test_submit_that_the_page_stopped_is_not_captured(name: str, visit: Visit) -> None:
    tab = open_form(visit, form(_FIELDS + _GO))
    statement = STOPPED[name].replace("STOP", "(event) => event.preventDefault()")
    tab.run(f"() => {{ {statement} }}")
    tab.run(_CLICK)
    assert visit.captured(tab) == []
    tab.goto(visit.shop.page(visit.tag()))
    assert visit.captured(tab) == []
    assert visit.shop.saved_at(POSTED) == []


@pytest.mark.slow
def test_form_that_was_stopped_before_flush_is_not_captured_with_the_next_save(
    visit: Visit,
) -> None:
    tab = open_form(visit, form(_FIELDS + _GO))
    tab.run("() => addEventListener('submit', (event) => event.preventDefault())")
    tab.run(_CLICK)
    tab.run("enhancedDataCapture.flush()")
    tab.run("fetch('/anything', { method: 'POST', body: 'plan=Pro' })")
    assert visit.captured(tab) == []


@pytest.mark.slow
def test_submit_after_a_stopped_one_is_captured_once_with_the_final_fields(visit: Visit) -> None:
    tab = open_form(visit, form(_FIELDS + _GO))
    tab.run("""() => addEventListener('submit', (event) => {
      if (document.forms[0].elements.plan.value !== 'Premium') event.preventDefault();
    })""")
    tab.run(_CLICK)
    tab.run("() => { document.forms[0].elements.plan.value = 'Premium'; }")
    tab.run(_CLICK)
    posted = posted_fields(wait_until_posted(visit))
    assert captured_fields(visit, tab) == posted


@pytest.mark.slow
def test_submit_that_the_browser_itself_stopped_is_not_captured(visit: Visit) -> None:
    tab = open_form(visit, form(f"{_FIELDS}<input name=city required>{_GO}"))
    tab.run(_CLICK)
    assert visit.captured(tab) == []


# What a page does after preventDefault() to save the form itself, at any address and key.
FOLLOWING_SAVES = {
    "fetch": 'fetch(\'/anything\', { method: \'POST\', body: \'{"id":"T1","plan":"Pro"}\' })',
    "fetch of the fields": """fetch('/anything', {
        method: 'POST', body: new FormData(document.forms[0]) })""",
    "fetch later": """setTimeout(() =>
        fetch('/anything', { method: 'POST', body: 'transaction_id=T1&plan=Pro' }), 300)""",
    "fetch after a promise": """Promise.resolve().then(() =>
        fetch('/anything', { method: 'PUT', body: '{\"plan\":\"Pro\"}' }))""",
    "XMLHttpRequest": """(() => {
        const request = new XMLHttpRequest();
        request.open('POST', '/anything');
        request.send('a=1&plan=Pro');
      })()""",
    "beacon": "navigator.sendBeacon('/anything', 'plan: Pro')",
    "localStorage": "localStorage.setItem('anything', '{\"plan\":\"Pro\"}')",
    "sessionStorage": "sessionStorage.setItem('anything', 'plan Pro')",
    "submit()": "document.forms[0].submit()",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLLOWING_SAVES)
def test_form_that_the_page_saves_itself_is_captured_once(name: str, visit: Visit) -> None:
    tab = open_form(visit, form(_FIELDS + _GO))
    tab.run(f"""() => addEventListener('submit', (event) => {{
      event.preventDefault();
      {FOLLOWING_SAVES[name]};
    }})""")
    tab.run(_CLICK)
    (row,) = visit.wait_for_rows("payment_data", 1)
    assert (row["transaction_id"], row["plan_name"]) == ("T1", "Pro")
    assert captured_fields(visit, tab) == {"transaction_id": "T1", "plan": "Pro"}
    assert visit.observed(tab) == NOTHING_OBSERVED


# Submits of a form that the browser sends.
SUBMITS = {
    "click": "document.querySelector('#go').click()",
    "requestSubmit": "document.querySelector('form').requestSubmit()",
    "requestSubmit of a button": """document.querySelector('form')
        .requestSubmit(document.querySelector('#go'))""",
    "submit": "document.querySelector('form').submit()",
    "submit of the prototype": """HTMLFormElement.prototype.submit
        .call(document.querySelector('form'))""",
}


@pytest.mark.slow
@pytest.mark.parametrize("submit", SUBMITS)
@pytest.mark.parametrize("stays", [True, False], ids=["in a frame", "leaving the page"])
def test_submitted_form_is_captured_once(submit: str, stays: bool, visit: Visit) -> None:
    body = form(_FIELDS + _GO)
    tab = open_form(visit, body if stays else body.replace("target=frame", ""))
    tab.run_without_waiting(SUBMITS[submit])
    posted = posted_fields(wait_until_posted(visit))
    if not stays:
        tab.eventually(
            f"location.pathname === '{POSTED}' && document.readyState === 'complete'",
            "the shop's response is shown",
        )
        tab.goto(visit.shop.page(visit.tag()))
    assert captured_fields(visit, tab) == posted


# A form in a shadow tree: HOST is an element that is in the document, FORM the form's HTML.
SHADOW_TREES = {
    "open": "HOST.attachShadow({ mode: 'open' }).innerHTML = FORM",
    "nested": """(() => {
        const outer = HOST.attachShadow({ mode: 'open' });
        outer.innerHTML = '<section><div></div></section>';
        outer.querySelector('div').attachShadow({ mode: 'open' }).innerHTML = FORM;
      })()""",
    "attached later": """(() => {
        const host = document.createElement('div');
        host.attachShadow({ mode: 'open' }).innerHTML = FORM;
        HOST.append(host);
      })()""",
}
_FORM_IN_TREE = """(() => {
  let root = document;
  while (!root.querySelector('form')) {
    root = [...root.querySelectorAll('*')].find((element) => element.shadowRoot).shadowRoot;
  }
  return root.querySelector('form');
})()"""


@pytest.mark.slow
@pytest.mark.parametrize("tree", SHADOW_TREES)
@pytest.mark.parametrize(
    "submit",
    ["FORM.querySelector('button').click()", "FORM.requestSubmit()", "FORM.submit()"],
    ids=["click", "requestSubmit", "submit"],
)
def test_form_in_a_shadow_tree_is_captured_once(submit: str, tree: str, visit: Visit) -> None:
    frame, _, element = form(_FIELDS + _GO).partition("</iframe>")
    tab = open_form(visit, f"{frame}</iframe><main></main>")
    script = SHADOW_TREES[tree].replace("HOST", "document.querySelector('main')")
    tab.run("(form) => { " + script.replace("FORM", "form") + " }", element)
    tab.run(f"() => {{ {submit.replace('FORM', _FORM_IN_TREE)} }}")
    posted = posted_fields(wait_until_posted(visit))
    assert posted == {"transaction_id": "T1", "plan": "Pro"}
    assert captured_fields(visit, tab) == posted
    assert visit.observed(tab) == NOTHING_OBSERVED


@pytest.mark.slow
@pytest.mark.parametrize("submit", ["click", "submit"])
def test_form_of_a_document_that_was_opened_again_is_captured_once(
    submit: str, visit: Visit
) -> None:
    tab = open_form(visit, "<p>Loading</p>")
    tab.run(
        "(html) => { document.open(); document.write(html); document.close(); }",
        f"<!doctype html><title>Pay</title>{form(_FIELDS + _GO)}",
    )
    tab.run_without_waiting(SUBMITS[submit])
    posted = posted_fields(wait_until_posted(visit))
    assert captured_fields(visit, tab) == posted


@pytest.mark.slow
def test_save_of_a_document_that_was_opened_again_outlives_the_page(visit: Visit) -> None:
    tab = open_form(visit, "<p>Loading</p>")
    tab.run("() => { document.open(); document.write('<title>Pay</title>'); document.close(); }")
    visit.proxy.state = visit.proxy.UNAVAILABLE
    body = '{"transaction_id": "T1", "plan_name": "Pro", "final_price": 10}'
    tab.run_without_waiting(
        f"fetch('/api/payments', {{ method: 'POST', body: '{body}', keepalive: true }});"
        f" location.href = '{visit.shop.url}/away.html';"
    )
    tab.eventually(
        "location.pathname === '/away.html' && document.readyState === 'complete'",
        "the other page is shown",
    )
    eventually(lambda: visit.shop.saved_at("/api/payments"), "the page's own save has arrived")
    visit.proxy.state = visit.proxy.UP
    tab.goto(visit.shop.page(visit.tag()))
    (row,) = visit.wait_for_rows("payment_data", 1)
    assert row["transaction_id"] == "T1"
