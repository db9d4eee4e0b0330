"""Test wrapping: save functions are captured, and the page sees no difference."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.site import SCRIPT

PAY = "savePaymentToSupabase({plan_name: 'Pro', transaction_id: 'T-1'})"
IMPLEMENTATION = (
    "(paymentData) { window.saved = (window.saved || 0) + 1; return Promise.resolve({ok: true}); }"
)
FUNCTION = f"function savePaymentToSupabase{IMPLEMENTATION}"

DEFINITIONS = {
    "function declaration": [FUNCTION],
    "async function": [f"async {FUNCTION}"],
    "window property": [f"window.savePaymentToSupabase = function {IMPLEMENTATION}"],
    "globalThis property": [f"globalThis.savePaymentToSupabase = function {IMPLEMENTATION}"],
    "bare assignment": [f"savePaymentToSupabase = function {IMPLEMENTATION}"],
    "Object.assign": [f"Object.assign(window, {{savePaymentToSupabase{IMPLEMENTATION}}})"],
    "var": [f"var savePaymentToSupabase = function {IMPLEMENTATION}"],
    "let": [f"let savePaymentToSupabase = function {IMPLEMENTATION}"],
    "only if not defined yet": [
        "if (!('savePaymentToSupabase' in window)) "
        f"window.savePaymentToSupabase = function {IMPLEMENTATION}"
    ],
    "redeclared": ["function savePaymentToSupabase() { window.old = true; }", FUNCTION],
    "assigned again": [
        "window.savePaymentToSupabase = () => { window.old = true; }",
        f"window.savePaymentToSupabase = function {IMPLEMENTATION}",
    ],
    "let assigned again": [
        "let savePaymentToSupabase = () => { window.old = true; }",
        f"savePaymentToSupabase = function {IMPLEMENTATION}",
    ],
}


def as_scripts(*sources: str) -> str:
    """Return HTML with one script element per source."""
    return "".join(f"<script>{source}</script>" for source in sources)


@pytest.mark.slow
@pytest.mark.parametrize("definitions", DEFINITIONS.values(), ids=DEFINITIONS)
def test_save_function_is_captured_from_the_next_script(
    definitions: list[str], visit: Any, stored: Any, user: str
) -> None:
    visit.open(as_scripts(*definitions, PAY), user=user)
    assert stored("payment_data")[0]["transaction_id"] == "T-1"
    assert visit.run("[window.saved, window.old]") == [1, None]


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize(
    "how",
    ["src", "src, deferred", "module", "module in a file", "inserted", "inserted from a file"],
)
def test_save_function_from_a_file_or_module_is_captured(
    how: str, visit: Any, site: Any, stored: Any, user: str
) -> None:
    module = f"window.savePaymentToSupabase = async function {IMPLEMENTATION}"
    url = site.put("/save.js", FUNCTION, "text/javascript")
    module_url = site.put("/save.mjs", module, "text/javascript")
    when_loaded = 'addEventListener("DOMContentLoaded", () => {})'
    html = {
        "src": f'<script src="{url}"></script>{as_scripts(PAY)}',
        "src, deferred": f'<script defer src="{url}"></script>'
        + as_scripts(when_loaded.format(PAY)),
        "module": f'<script type="module">{module}</script>'
        + as_scripts(when_loaded.format(f"window.{PAY}")),
        "module in a file": (
            f'<script type="module" src="{module_url}"></script>'
            f'<script type="module">window.{PAY}</script>'
        ),
        "inserted": as_scripts(
            "const added = document.createElement('script');"
            f"added.textContent = `{FUNCTION}`; document.head.append(added);",
            PAY,
        ),
        "inserted from a file": as_scripts(
            "const added = document.createElement('script');"
            f"added.src = '{url}'; added.onload = () => {PAY}; document.head.append(added);"
        ),
    }[how]
    visit.open(html, user=user)
    assert stored("payment_data")[0]["transaction_id"] == "T-1"
    assert visit.run("window.saved") == 1


def test_save_function_defined_after_loading_is_captured_at_the_next_click(
    visit: Any, stored: Any, user: str
) -> None:
    visit.open(f'<button onclick="{PAY}">Pay</button>', user=user)
    visit.run(f"() => {{ window.savePaymentToSupabase = async function {IMPLEMENTATION} }}")
    visit.page.click("button")
    assert len(stored("payment_data")) == 1


@pytest.mark.slow
def test_all_three_save_functions_are_captured(visit: Any, stored: Any, user: str) -> None:
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


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize(
    "definition",
    [
        f"const savePaymentToSupabase = function {IMPLEMENTATION}",
        "Object.defineProperty(window, 'savePaymentToSupabase', "
        f"{{value: function {IMPLEMENTATION}}})",
        "let reads = 0; Object.defineProperty(window, 'savePaymentToSupabase', {configurable: true,"
        f"get: () => {{ window.reads = ++reads; return function {IMPLEMENTATION} }}}})",
    ],
    ids=["const", "read-only", "accessor"],
)
def test_function_that_cannot_be_wrapped_safely_is_left_alone(
    definition: str, visit: Any, proxy: Any, user: str
) -> None:
    visit.open(as_scripts(definition, PAY), tag="data-debug", user=user)
    assert visit.run("window.saved") == 1
    assert visit.run("window.reads || 1") == 1
    assert visit.flush() == {"success": True}
    assert proxy.received == []
    assert [line for line in visit.console if "Error" in line] == []
    visit.console.clear()


def test_let_that_is_not_yet_initialised_is_captured_later(
    visit: Any, stored: Any, user: str
) -> None:
    # The script checks the globals when a node is added, here before the `let` runs.
    add_node = "document.body.append('a node'); Promise.resolve().then(() => 0);"
    let = f"let savePaymentToSupabase = function {IMPLEMENTATION}"
    visit.open(as_scripts(add_node + let, PAY), user=user)
    assert len(stored("payment_data")) == 1


def test_wrapped_function_looks_like_the_original(visit: Any) -> None:
    visit.open(
        """<script>
        async function savePaymentToSupabase(paymentData, options = {}) { return this; }
        savePaymentToSupabase.retries = 3;
        Object.defineProperty(savePaymentToSupabase, 'hidden', {value: 1});
        window.before = describe(savePaymentToSupabase);
        window.original = savePaymentToSupabase;
        function describe(f) {
          return {
            type: typeof f, length: f.length, name: f.name, keys: Object.keys(f),
            own: Reflect.ownKeys(f).map(String), isFunction: f instanceof Function,
            tag: Object.prototype.toString.call(f), constructor: f.constructor.name,
            prototype: Object.getPrototypeOf(f) === Object.getPrototypeOf(async () => 0),
            json: JSON.stringify(f) ?? null,
            global: JSON.stringify(Object.getOwnPropertyDescriptor(window, f.name)),
            names: Object.keys(window).filter((name) => /supabase$/i.test(name)),
          };
        }
        </script>"""
    )
    assert visit.run("savePaymentToSupabase !== original")
    assert visit.run("describe(savePaymentToSupabase)") == visit.run("before")
    assert visit.run("savePaymentToSupabase.retries = 4, original.retries") == 4


@pytest.mark.slow
def test_wrapped_call_keeps_this_arguments_and_result(visit: Any) -> None:
    visit.open(
        """<script>
        window.result = Promise.resolve(1);
        window.savePaymentToSupabase = function (...args) {
          window.call = {self: this, args};
          return window.result;
        };
        </script>"""
    )
    assert visit.run(
        """() => {
          const self = {}, payment = {user_email: 'a@example.com'}, options = {};
          const result = savePaymentToSupabase.call(self, payment, options, undefined);
          const {args} = call;
          return [result === window.result, call.self === self, args[0] === payment,
                  args[1] === options, args.length, payment.capture_id === undefined];
        }"""
    ) == [True, True, True, True, 3, True]
    assert visit.run("(0, savePaymentToSupabase)({}) && [undefined, window].includes(call.self)")


@pytest.mark.slow
def test_exception_of_a_save_function_reaches_the_page_and_the_save_is_captured(
    visit: Any, stored: Any, user: str
) -> None:
    visit.open(
        as_scripts("function savePaymentToSupabase() { throw window.own = new RangeError('no') }"),
        user=user,
    )
    catch = """() => {
      try { savePaymentToSupabase({transaction_id: 'T'}) } catch (error) { return error === own }
    }"""
    assert visit.run(catch) is True
    assert len(stored("payment_data")) == 1


@pytest.mark.slow
def test_unhandled_rejection_of_a_save_function_is_reported_once(
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
    visit.errors.clear()  # the error is the page's own


@pytest.mark.slow
def test_lazy_result_of_a_save_function_is_not_started(visit: Any, stored: Any, user: str) -> None:
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


@pytest.mark.slow
def test_arguments_are_captured_as_they_were_at_the_call(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(
        as_scripts(
            "function savePaymentToSupabase(payment) { payment.transaction_id = 'changed inside' }",
            "const payment = {transaction_id: 'as given', plan: {name: 'Pro'}};"
            "savePaymentToSupabase(payment); payment.plan.name = 'changed after'",
        ),
        user=user,
    )
    assert stored("payment_data")[0]["transaction_id"] == "as given"
    assert proxy.received[0].body["plan"] == {"name": "Pro"}


@pytest.mark.slow
def test_script_included_twice_captures_once(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    again = f'<script src="{proxy.url}/{SCRIPT}?again" crossorigin></script>'
    definitions = as_scripts("window.first = enhancedDataCapture;" + FUNCTION)
    visit.open(definitions + again + as_scripts(PAY), user=user)
    assert len(stored("payment_data")) == 1
    visit.flush()
    assert len(proxy.received) == 1
    assert visit.run("[window.saved, first === enhancedDataCapture]") == [1, True]


@pytest.mark.slow
@pytest.mark.parametrize(
    "outer",
    [
        "function (payment) { return inner({...payment, currency: 'USD'}); }",
        "async function (payment) {"
        "await new Promise((resolve) => setTimeout(resolve, 50)); return inner(payment); }",
    ],
    ids=["at once", "after awaiting"],
)
def test_function_of_the_page_around_a_wrapped_one_does_not_double_the_save(
    outer: str, visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    wrap = f"const inner = window.savePaymentToSupabase; window.savePaymentToSupabase = {outer}"
    visit.open(as_scripts(FUNCTION, wrap, f"window.done = {PAY}"), user=user)
    visit.run("window.done")
    assert visit.run("window.saved") == 1
    assert len(stored("payment_data")) == 1
    visit.flush()
    assert len(proxy.received) == 1


@pytest.mark.slow
def test_recursive_call_of_a_save_function_is_a_separate_save(
    visit: Any, stored: Any, user: str
) -> None:
    visit.open(
        as_scripts(
            "function savePaymentToSupabase(payment) {"
            "if (payment.next) savePaymentToSupabase(payment.next) }",
            "savePaymentToSupabase({transaction_id: 'A', next: {transaction_id: 'B'}})",
        ),
        user=user,
    )
    assert {row["transaction_id"] for row in stored("payment_data", 2)} == {"A", "B"}
