"""The three named functions are captured however a page defines them, and the page can't tell."""

from __future__ import annotations

from typing import Any

import pytest

PAY = "savePaymentToSupabase({plan_name: 'Pro', transaction_id: 'T-1'})"
IMPLEMENTATION = (
    "(paymentData) { window.saved = (window.saved || 0) + 1; return Promise.resolve({ok: true}); }"
)

DEFINITIONS = {
    "function declaration": f"<script>function savePaymentToSupabase{IMPLEMENTATION}</script>",
    "async function": f"<script>async function savePaymentToSupabase{IMPLEMENTATION}</script>",
    "window property": f"<script>window.savePaymentToSupabase = function {IMPLEMENTATION}</script>",
    "globalThis property": f"<script>globalThis.savePaymentToSupabase = function {IMPLEMENTATION}</script>",
    "bare assignment": f"<script>savePaymentToSupabase = function {IMPLEMENTATION}</script>",
    "Object.assign": f"<script>Object.assign(window, {{savePaymentToSupabase{IMPLEMENTATION}}})</script>",
    "var": f"<script>var savePaymentToSupabase = function {IMPLEMENTATION}</script>",
    "let": f"<script>let savePaymentToSupabase = function {IMPLEMENTATION}</script>",
    "only where there is none yet": "<script>if (!('savePaymentToSupabase' in window)) "
    f"window.savePaymentToSupabase = function {IMPLEMENTATION}</script>",
    "redeclared": "<script>function savePaymentToSupabase() { window.old = true; }</script>"
    f"<script>function savePaymentToSupabase{IMPLEMENTATION}</script>",
    "assigned again": "<script>window.savePaymentToSupabase = () => { window.old = true; }</script>"
    f"<script>window.savePaymentToSupabase = function {IMPLEMENTATION}</script>",
    "let assigned again": "<script>let savePaymentToSupabase = () => { window.old = true; }</script>"
    f"<script>savePaymentToSupabase = function {IMPLEMENTATION}</script>",
}


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=DEFINITIONS)
def test_a_function_is_captured_from_the_next_script_on(
    definition: str, visit: Any, stored: Any, user: str
) -> None:
    visit.open(f"{definition}<script>{PAY}</script>", user=user)
    assert stored("payment_data")[0]["transaction_id"] == "T-1"
    assert visit.run("[window.saved, window.old]") == [1, None]


@pytest.mark.parametrize(
    "how",
    ["src", "src, deferred", "module", "module in a file", "inserted", "inserted from a file"],
)
def test_a_function_from_a_file_or_module_is_captured(
    how: str, visit: Any, site: Any, stored: Any, user: str
) -> None:
    classic = f"function savePaymentToSupabase{IMPLEMENTATION}"
    url = site.put("/save.js", classic, "text/javascript")
    module = site.put(
        "/save.mjs",
        f"window.savePaymentToSupabase = async function {IMPLEMENTATION}",
        "text/javascript",
    )
    definition = {
        "src": f'<script src="{url}"></script><script>{PAY}</script>',
        "src, deferred": f'<script defer src="{url}"></script><script>addEventListener("DOMContentLoaded", () => {PAY})</script>',
        "module": f'<script type="module">window.savePaymentToSupabase = async function {IMPLEMENTATION}</script>'
        f'<script>addEventListener("DOMContentLoaded", () => window.{PAY})</script>',
        "module in a file": f'<script type="module" src="{module}"></script><script type="module">window.{PAY}</script>',
        "inserted": "<script>const added = document.createElement('script'); added.textContent = "
        f"`{classic}`; document.head.append(added);</script><script>{PAY}</script>",
        "inserted from a file": "<script>const added = document.createElement('script');"
        f"added.src = '{url}'; added.onload = () => {PAY}; document.head.append(added);</script>",
    }[how]
    visit.open(definition, user=user)
    assert stored("payment_data")[0]["transaction_id"] == "T-1"
    assert visit.run("window.saved") == 1


def test_a_function_that_appears_long_after_loading_is_captured_at_the_click_that_uses_it(
    visit: Any, stored: Any, user: str
) -> None:
    visit.open(f'<button onclick="{PAY}">Pay</button>', user=user)
    visit.run(f"() => {{ window.savePaymentToSupabase = async function {IMPLEMENTATION} }}")
    visit.page.click("button")
    assert len(stored("payment_data")) == 1


def test_all_three_functions_are_captured(visit: Any, stored: Any, user: str) -> None:
    visit.open(
        """<script>
        async function savePaymentToSupabase() {}
        window.storeQuestionnaireData = async () => {};
        let saveDashboardToSupabase = async () => {};
        </script><script>
        savePaymentToSupabase({transaction_id: 'T-2'});
        storeQuestionnaireData({tradesPerDay: '3-5', cryptoAssets: ['BTC']});
        saveDashboardToSupabase({initialEquity: 5000}, {currentEquity: 5100}, 'light');
        </script>""",
        user=user,
    )
    assert stored("payment_data")[0]["transaction_id"] == "T-2"
    assert stored("questionnaire_data")[0]["trades_per_day"] == "3-5"
    assert stored("dashboard_data")[0]["theme"] == "light"


@pytest.mark.parametrize(
    "definition",
    [
        f"const savePaymentToSupabase = function {IMPLEMENTATION}",
        f"Object.defineProperty(window, 'savePaymentToSupabase', {{value: function {IMPLEMENTATION}}})",
        "let reads = 0; Object.defineProperty(window, 'savePaymentToSupabase', "
        f"{{get: () => {{ window.reads = ++reads; return function {IMPLEMENTATION} }}, configurable: true}})",
    ],
    ids=["const", "read-only", "accessor"],
)
def test_what_cannot_be_wrapped_safely_is_left_as_it_is(
    definition: str, visit: Any, front: Any, user: str
) -> None:
    visit.open(f"<script>{definition}</script><script>{PAY}</script>", user=user)
    assert visit.run("window.saved") == 1
    assert visit.run("window.reads || 1") == 1
    assert visit.flush() == {"success": True}
    assert front.posts == []


def test_a_let_that_is_not_initialised_yet_does_no_harm(visit: Any, stored: Any, user: str) -> None:
    visit.open(
        "<script>document.body.append('a node, at which the script looks'); Promise.resolve().then(() => 0);"
        f"let savePaymentToSupabase = function {IMPLEMENTATION}</script><script>{PAY}</script>",
        user=user,
    )
    assert len(stored("payment_data")) == 1


def test_the_wrapped_function_is_indistinguishable(visit: Any) -> None:
    visit.open(
        """<script>
        async function savePaymentToSupabase(paymentData, options = {}) { return this; }
        savePaymentToSupabase.retries = 3;
        Object.defineProperty(savePaymentToSupabase, 'hidden', {value: 1});
        window.before = describe(savePaymentToSupabase);
        window.original = savePaymentToSupabase;
        function describe(f) {
          return {
            type: typeof f, length: f.length, name: f.name, keys: Object.keys(f), own: Reflect.ownKeys(f).map(String),
            isFunction: f instanceof Function, tag: Object.prototype.toString.call(f), constructor: f.constructor.name,
            prototype: Object.getPrototypeOf(f) === Object.getPrototypeOf(async () => 0), json: JSON.stringify(f) ?? null,
            global: JSON.stringify(Object.getOwnPropertyDescriptor(window, 'savePaymentToSupabase')),
            names: Object.keys(window).filter((name) => /supabase$/i.test(name)),
          };
        }
        </script>"""
    )
    assert visit.run("savePaymentToSupabase !== original")
    assert visit.run("describe(savePaymentToSupabase)") == visit.run("before")
    assert visit.run("savePaymentToSupabase.retries = 4, original.retries") == 4


def test_the_call_goes_through_with_its_this_arguments_and_very_result(visit: Any) -> None:
    visit.open(
        """<script>
        window.result = Promise.resolve(1);
        window.savePaymentToSupabase = function (...given) { window.call = {self: this, given}; return window.result; };
        </script>"""
    )
    assert visit.run(
        """() => {
          const self = {}, payment = {user_email: 'a@example.com'}, options = {};
          const result = savePaymentToSupabase.call(self, payment, options, undefined);
          const {call} = window;
          return [result === window.result, call.self === self, call.given[0] === payment, call.given[1] === options,
                  call.given.length, payment.capture_id === undefined];
        }"""
    ) == [True, True, True, True, 3, True]
    assert visit.run(
        "(0, savePaymentToSupabase)({}) && window.call.self === undefined || window.call.self === window"
    )


def test_the_pages_own_exception_reaches_the_page_and_the_payment_is_captured(
    visit: Any, stored: Any, user: str
) -> None:
    visit.open(
        "<script>function savePaymentToSupabase() { throw window.fault = new RangeError('no') }</script>",
        user=user,
    )
    caught = "() => { try { savePaymentToSupabase({transaction_id: 'T'}) } catch (error) { return error === window.fault } }"
    assert visit.run(caught) is True
    assert len(stored("payment_data")) == 1


def test_a_rejection_that_the_page_does_not_handle_is_still_reported_once(
    visit: Any, stored: Any, user: str
) -> None:
    visit.open(
        "<script>async function savePaymentToSupabase() { throw new Error('refused by the page') }"
        "window.unhandled = []; addEventListener('unhandledrejection', (event) => {"
        "unhandled.push(event.reason.message); event.preventDefault(); })</script>"
        f"<script>{PAY}</script>",
        user=user,
    )
    assert len(stored("payment_data")) == 1
    assert visit.run("unhandled") == ["refused by the page"]
    visit.errors.clear()  # it is the page's own


def test_a_lazy_result_is_never_started(visit: Any, stored: Any, user: str) -> None:
    visit.open(
        f"""<script>
        window.inserts = 0;
        function savePaymentToSupabase() {{ return {{then(done) {{ window.inserts++; done(); }}}} }}
        </script><script>window.query = {PAY}</script>""",
        user=user,
    )
    assert len(stored("payment_data")) == 1
    assert visit.run("inserts") == 0
    assert visit.run("async () => { await window.query.then(() => 0); return inserts }") == 1


def test_arguments_are_captured_as_they_were_when_the_call_was_made(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(
        "<script>function savePaymentToSupabase(payment) { payment.transaction_id = 'changed inside' }</script>"
        "<script>const payment = {transaction_id: 'as given', plan: {name: 'Pro'}}; savePaymentToSupabase(payment);"
        "payment.plan.name = 'changed after'</script>",
        user=user,
    )
    assert stored("payment_data")[0]["transaction_id"] == "as given"
    assert front.posts[0].body["plan"] == {"name": "Pro"}


def test_included_twice_it_captures_once(visit: Any, front: Any, stored: Any, user: str) -> None:
    again = f'<script src="{front.url}/frontend_data_capture_integration.js?again" crossorigin></script>'
    visit.open(
        f"<script>window.first = enhancedDataCapture; function savePaymentToSupabase{IMPLEMENTATION}</script>{again}"
        f"<script>{PAY}</script>",
        user=user,
    )
    assert len(stored("payment_data")) == 1
    visit.flush()
    assert len(front.posts) == 1
    assert visit.run("[window.saved, first === enhancedDataCapture]") == [1, True]


@pytest.mark.parametrize(
    "over",
    [
        "function (payment) { return inner({...payment, currency: 'USD'}); }",
        "async function (payment) { await new Promise((ready) => setTimeout(ready, 50)); return inner(payment); }",
    ],
    ids=["at once", "after awaiting"],
)
def test_a_function_that_the_page_puts_over_the_wrapped_one_does_not_double_the_save(
    over: str, visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(
        f"<script>function savePaymentToSupabase{IMPLEMENTATION}</script>"
        f"<script>const inner = window.savePaymentToSupabase; window.savePaymentToSupabase = {over}</script>"
        f"<script>window.done = {PAY}</script>",
        user=user,
    )
    visit.run("window.done")
    assert visit.run("window.saved") == 1
    assert len(stored("payment_data")) == 1
    visit.flush()
    assert len(front.posts) == 1


def test_a_call_inside_the_function_by_its_own_name_is_a_save_of_its_own(
    visit: Any, stored: Any, user: str
) -> None:
    visit.open(
        "<script>function savePaymentToSupabase(payment) { if (payment.next) savePaymentToSupabase(payment.next) }</script>"
        "<script>savePaymentToSupabase({transaction_id: 'A', next: {transaction_id: 'B'}})</script>",
        user=user,
    )
    assert {row["transaction_id"] for row in stored("payment_data", 2)} == {"A", "B"}
