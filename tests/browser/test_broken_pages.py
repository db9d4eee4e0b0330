"""Prototype pollution, DOM clobbering and hostile keys change neither where captures go nor what is captured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.site import KEPT, Site

PAYMENT = {
    "plan_name": "Pro",
    "transaction_id": "T-1",
    "final_price": 49,
    "items": [{"a": 1}, [2]],
    "note": "n",
}
SAVES = "<script>function savePaymentToSupabase() { return 'saved' }</script>"
PAY = f"savePaymentToSupabase({json.dumps(PAYMENT)})"
ELSEWHERE = "mallory@example.com"


@pytest.fixture(scope="module")
def _evil_site(chromium: Any) -> Iterator[Any]:
    site = Site()
    yield site
    site.close()


@pytest.fixture
def evil(_evil_site: Any) -> Any:
    """A server of somebody else's, which is to hear nothing."""
    _evil_site.requests.clear()
    return _evil_site


def only_capture(front: Any, user: str) -> dict[str, Any]:
    """The body of the one capture that arrived, without what the script adds to each."""
    [post] = front.posts
    body = dict(post.body)
    assert body.pop("user_email") == user
    del body["capture_id"], body["capture_timestamp"]
    return body


POLLUTIONS = {
    "where captures go": {"endpoint": "EVIL", "src": "EVIL", "url": "EVIL", "href": "EVIL", "serverTiming": "x"},
    "what is on and off": {"enabled": "false", "consent": "required", "without": "payment", "placeholders": "PERSON"},
    "rules": {"rules": [{"kind": "activity", "call": "savePaymentToSupabase"}], "call": "alert", "as": {"note": "x"},
              "under": "moved", "form": ".", "key": ".", "kind": "activity"},
    "what is known of a capture": {"parked": True, "aside": True, "out": True, "until": 9e15, "dueAt": 9e15, "kept": True,
                                   "answer": 1, "parts": [], "number": "x", "own": "x", "item": 1, "payload": {"a": 1}},
    "who it is": {"user_email": ELSEWHERE, "email": ELSEWHERE, "userEmail": ELSEWHERE, "user": {"email": ELSEWHERE},
                  "userData": {"email": ELSEWHERE}, "currentUser": {"email": ELSEWHERE}, "user_name": "Mallory", "userId": "m"},
    "requests": {"method": "GET", "mode": "no-cors", "credentials": "include", "redirect": "follow", "cache": "force-cache",
                 "referrer": "EVIL", "integrity": "sha256-x", "headers": {"X-Evil": "1"}, "type": "module", "keepalive": True,
                 "duplex": "half", "priority": "low", "body": "evil"},
    "databases and locks": {"autoIncrement": True, "durability": "strict", "steal": True, "ifAvailable": True, "attributes": True,
                            "signal": 1, "unique": True, "once": True, "passive": True},
    "what the service says": {"success": True, "status": 200, "answers": [], "error": "evil"},
    "numbers seen before": {"T-1": 9e15, "T-1completed": 9e15, "payment": 1, "transactionid": "note", "planname": "note"},
}  # fmt: skip


@pytest.mark.parametrize("names", POLLUTIONS.values(), ids=POLLUTIONS)
def test_what_every_object_inherits_is_no_setting_and_no_data(
    names: dict[str, Any], visit: Any, front: Any, site: Any, evil: Any, user: str
) -> None:
    values = json.dumps(names).replace("EVIL", evil.url).replace("PERSON", user)
    pollution = (
        "<script>{ window.before = Object.getOwnPropertyNames(Object.prototype).length;"
        f"const values = {values}; for (const name of Object.keys(values)) Object.prototype[name] = values[name] }}</script>"
    )
    visit.open(
        f"{SAVES}<script>window.outcome = {PAY}; window.flushed = enhancedDataCapture.flush()</script>",
        before=pollution, service=f"{site.url}/static", tag=f'data-endpoint="{front.url}"', user=user,
    )  # fmt: skip
    visit.page.wait_for_timeout(
        300
    )  # Playwright itself reads what objects inherit, so that it asks only afterwards
    visit.eventually(lambda: front.posts, "the capture arrives")
    visit.run(
        f"() => {{ for (const name of {json.dumps(list(names))}) delete Object.prototype[name] }}"
    )
    assert visit.run("[outcome, Object.getOwnPropertyNames(Object.prototype).length - before]") == [
        "saved",
        0,
    ]
    visit.flush()
    assert only_capture(front, user) == PAYMENT
    assert evil.requests == []
    assert "X-Evil" not in str(front.posts[0].headers)


CLOBBERINGS = {
    "an image named currentScript": '<img name="currentScript" data-endpoint="EVIL" src="EVIL/data_capture_integration">',
    "a form with that id": '<form name="currentScript" id="currentScript" data-endpoint="EVIL" data-enabled="false"></form>',
    "an image named querySelector": '<img name="querySelector"><img name="querySelectorAll"><img name="scripts">',
    "an image named addEventListener": '<img name="addEventListener"><img name="removeEventListener">',
    "a configuration": '<form id="enhancedDataCaptureConfig" data-endpoint="EVIL"><input name="endpoint" value="EVIL"></form>',
    "a configuration of two": '<a id="enhancedDataCaptureConfig"></a>'
    '<a id="enhancedDataCaptureConfig" name="endpoint" href="EVIL"></a>',
    "a configuration that is a frame": '<iframe name="enhancedDataCaptureConfig" '
    "srcdoc=\"<script>var endpoint = 'EVIL'</script>\"></iframe>",
    "a script that is there already": '<form id="enhancedDataCapture"></form>',
    "two of them": '<a id="enhancedDataCapture"></a><a id="enhancedDataCapture" name="version"></a>',
    "who is here": f'<a id="currentUser"></a><a id="currentUser" name="email" href="mailto:{ELSEWHERE}"></a>',
    "storage": '<form id="localStorage"></form><form id="sessionStorage"></form><form id="indexedDB"></form>'
    '<form id="navigator"></form><form id="location"></form><form id="Storage"></form><form id="fetch"></form>',
}


@pytest.mark.parametrize("html", CLOBBERINGS.values(), ids=CLOBBERINGS)
def test_elements_with_names_are_no_settings_and_do_not_switch_it_off(
    html: str, visit: Any, front: Any, site: Any, evil: Any, user: str
) -> None:
    # A frame's window is there once it has loaded: the script comes after that.
    head = f"</head><body>{html.replace('EVIL', evil.url)}<script>localStorage.current_user = '{user}'</script>"
    visit.open(SAVES, before=head, service=f"{site.url}/static", tag=f'data-endpoint="{front.url}"')
    evil.requests.clear()  # the browser's own, for the elements
    assert visit.run(PAY) == "saved"
    visit.flush()
    assert only_capture(front, user) == PAYMENT
    assert not [line for line in evil.requests if "POST" in line]
    visit.console.clear()  # the evil image's


LATER = {
    "baseURI": '<img name="baseURI">',
    "a function that is an object": '<object id="storeQuestionnaireData"></object><embed name="saveDashboardToSupabase">',
    "a function that is a frame": '<iframe name="storeQuestionnaireData"></iframe>',
    "who is here": f'<a id="currentUser"></a><a id="currentUser" name="email" href="mailto:{ELSEWHERE}"></a>',
}


@pytest.mark.parametrize("html", LATER.values(), ids=LATER)
def test_elements_that_come_later_change_nothing_either(
    html: str, visit: Any, front: Any, user: str
) -> None:
    visit.open(f"{html}<div></div>")
    visit.run(f"localStorage.current_user = '{user}'")
    visit.run("() => { document.querySelector('div').append('a node, at which the script looks') }")
    assert (
        visit.run(
            "Object.getOwnPropertyNames(window).filter((name) => /Supabase|storeQuest/.test(name))"
        )
        == []
    )
    visit.run(
        f"() => {{ fetch('/api/payments', {{method: 'POST', body: {json.dumps(json.dumps(PAYMENT))}}}) }}"
    )
    visit.flush()
    assert only_capture(front, user) == PAYMENT


def test_a_form_whose_fields_hide_its_methods_is_captured(
    visit: Any, front: Any, user: str
) -> None:
    names = ("cloneNode", "querySelectorAll", "id", "outerHTML", "submit")
    fields = "".join(f'<input name="{name}" value="1">' for name in names)
    visit.open(
        f'<form class="payment" target="away">{fields}</form><iframe name="away" hidden></iframe>',
        user=user,
    )
    visit.run(
        "document.querySelector('form').dispatchEvent(new Event('submit', {bubbles: true, cancelable: true}))"
    )
    visit.flush()
    assert only_capture(front, user) == dict.fromkeys(names, "1")


CONFIGS = {
    "a list": "Object.assign([], {endpoint: 'EVIL'})",
    "an instance": "new (class Config { endpoint = 'EVIL' })",
    "an element": "Object.assign(document.createElement('div'), {endpoint: 'EVIL'})",
    "a proxy that throws": "new Proxy({}, {getPrototypeOf() { throw 1 }, get() { throw 2 }, ownKeys() { throw 3 }})",
    "getters that throw": "{get endpoint() { throw 1 }, get rules() { throw 2 }, get enabled() { throw 3 }}",
    "inherited": "Object.create({endpoint: 'EVIL'})",
    "other types": "{endpoint: {toString: () => 'EVIL'}, rules: 7, without: {payment: 1}, enabled: [], placeholders: [{}]}",
    "rules of other types": "{rules: [null, 7, 'x', {kind: 'payment', url: '('}, {kind: '../evil', url: '.'}]}",
    "a script": "{endpoint: 'javascript:alert(1)'}",
    "data": "{endpoint: 'data:text/plain,'}",
    "a file": "{endpoint: 'file:///'}",
}


def test_a_configuration_that_is_none_counts_as_if_it_were_not_there(
    visit: Any, front: Any, evil: Any, site: Any, user: str
) -> None:
    visit.page.route("http://localhost:5003/**", lambda route: route.fulfill(
        response=route.fetch(url=route.request.url.replace("http://localhost:5003", front.url))))  # fmt: skip
    for name, config in CONFIGS.items():
        before = f"<script>window.enhancedDataCaptureConfig = {config.replace('EVIL', evil.url)}</script>"
        payment = {**PAYMENT, "transaction_id": name}
        visit.open(SAVES, before=before, service=f"{site.url}/static", user=user)
        assert visit.run("(payment) => savePaymentToSupabase(payment)", payment) == "saved", name
        visit.flush()
        assert only_capture(front, user) == payment, name
        front.posts.clear()
    assert evil.requests == []


def test_credentials_query_and_fragment_of_an_endpoint_are_dropped(
    visit: Any, front: Any, site: Any, user: str
) -> None:
    endpoint = front.url.replace("://", "://user:pass@") + "/?a=1#b"
    visit.open(SAVES, service=f"{site.url}/static", tag=f'data-endpoint="{endpoint}"', user=user)
    assert visit.run("enhancedDataCapture.status().then(({endpoint}) => endpoint)") == front.url
    visit.run(PAY)
    visit.flush()
    assert only_capture(front, user) == PAYMENT


def test_a_relative_endpoint_is_the_pages_whatever_a_base_element_says(
    visit: Any, evil: Any, site: Any
) -> None:
    visit.open(
        before=f'<base href="{evil.url}/">',
        service=f"{site.url}/static",
        tag='data-endpoint="/copy"',
    )
    assert (
        visit.run("enhancedDataCapture.status().then(({endpoint}) => endpoint)")
        == f"{site.url}/copy"
    )


NAMES = (
    "__proto__", "constructor", "prototype", "valueOf", "toString", "toLocaleString", "hasOwnProperty", "isPrototypeOf",
    "__defineGetter__", "__lookupSetter__", "then", "toJSON", "length", "call", "apply", "kind", "id", "parts", "0", "",
)  # fmt: skip
HOSTILE_KEYS = {name: {"a": name, "password": "s3cret"} for name in NAMES}
MASKED_KEYS = {name: {"a": name, "password": "[redacted]"} for name in NAMES}
WAYS = {
    "a call": "savePaymentToSupabase(JSON.parse(text))",
    "the API": "enhancedDataCapture.capturePaymentData(JSON.parse(text))",
    "a request": "fetch('/api/payments', {method: 'POST', body: text})",
    "a key": "localStorage.setItem('payment_details', text)",
    "a key and a call": "localStorage.setItem('payment_details', text); savePaymentToSupabase(JSON.parse(text))",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_names_that_every_object_has_are_plain_data(
    way: str, visit: Any, front: Any, stored: Any, user: str
) -> None:
    payload = {**HOSTILE_KEYS, "final_price": 49, "nested": {"list": [HOSTILE_KEYS]}}
    prototypes = "[Object, Array, Function].map(({prototype}) => Object.getOwnPropertyNames(prototype).sort().join())"
    visit.open(SAVES, before=f"<script>window.before = {prototypes}</script>", user=user)
    visit.run(f"(text) => {{ {way} }}", json.dumps(payload))
    [row] = stored("payment_data")
    assert row["final_price"] == 49
    body = only_capture(front, user)
    assert body == {**MASKED_KEYS, "final_price": 49, "nested": {"list": [MASKED_KEYS]}}
    assert visit.run(f"String(before) === String({prototypes})")
    assert visit.run("({}).a === undefined && ({}).password === undefined")


@pytest.mark.parametrize(
    "body",
    ["__proto__=1&constructor=2&valueOf=3", "__proto__=1&__proto__=1&constructor=2&valueOf=3"],
)
def test_names_of_a_form_are_plain_data_too(body: str, visit: Any, front: Any, user: str) -> None:
    visit.open(user=user)
    visit.run(f"() => {{ fetch('/api/payments', {{method: 'POST', body: '{body}'}}) }}")
    visit.flush()
    first = ["1", "1"] if body.count("__proto__") == 2 else "1"
    assert only_capture(front, user) == {"__proto__": first, "constructor": "2", "valueOf": "3"}


TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzM2NyZXQifQ.s3cret"
LONG = {
    "after much": "word " * 30_000 + "token=s3cret",
    "in quotes": 'password: "two words, s3cret"',
    "after its scheme": "Authorization: Bearer s3cret",
    "after escaped quotes": '\\"password\\": \\"s3cret\\"',
    "a token in a run": "eyJ" * 20_000 + TOKEN,
    "a token after points": "a." * 20_000 + TOKEN + ".",
    "a private key": f"-----BEGIN PRIVATE KEY-----\n{'s3cret' * 9}\n-----END PRIVATE KEY-----",
    "a private key cut short": "-----BEGIN RSA PRIVATE KEY-----\n" + "s3cret" * 9,
    "much in a text in a text": json.dumps(
        [json.dumps([json.dumps([json.dumps([json.dumps([{"token": "s3cret"}])])])])]
    ),
    "too deep": "[" * 20_000 + '"s3cret"' + "]" * 20_000,
    "after a picture's beginning": "iVBORw0KGg" + "A" * 20_000 + "! token=s3cret",
    "beyond all reading": "a: " * 400_000 + "token=s3cret",
}


def test_no_secret_leaves_because_of_a_bound(visit: Any, front: Any, user: str) -> None:
    visit.open(SAVES, user=user)
    for name, note in LONG.items():
        visit.run(
            "([note, name]) => savePaymentToSupabase({note, transaction_id: name})", [note, name]
        )
        visit.flush()
        [post] = front.posts
        assert "s3cret" not in post.text, name
        assert "[redacted]" in post.text, name
        assert post.body["transaction_id"] == name
        front.posts.clear()


def test_a_picture_is_left_as_it_is(visit: Any, front: Any, user: str) -> None:
    picture = "data:image/png;base64,iVBORw0KGg" + "token4242424242424242/" * 1000
    visit.open("<script>function storeQuestionnaireData() {}</script>", user=user)
    visit.run("(screenshot) => storeQuestionnaireData({screenshot})", picture)
    visit.flush()
    assert front.posts[0].body["screenshot"] == picture


def test_what_is_too_large_is_counted_and_no_word_of_it_kept(
    visit: Any, front: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    assert visit.run("savePaymentToSupabase({list: Array(1e8)})") == "saved"
    answer = visit.run("enhancedDataCapture.captureQuestionnaireData({bytes: new Uint8Array(1e7)})")
    assert answer == {"success": False, "error": "too large"}
    dropped = visit.run("enhancedDataCapture.status().then(({dropped}) => dropped)")
    assert dropped == {"payment": 1, "questionnaire": 1}
    assert visit.flush() == {"success": True}
    assert front.posts == []


def test_messages_from_other_windows_are_not_listened_to(
    visit: Any, front: Any, evil: Any, site: Any
) -> None:
    messages = (
        f"['{evil.url}/api', {{method: 'POST', body: '{{}}'}}]",
        "{kind: 'payment', text: '{}', id: 'x'}",
        "'done'",
    )
    posted = "; ".join(f"parent.postMessage({message}, '*')" for message in messages)
    evil.put("/frame.html", f"<script>{posted}</script>")
    visit.open(
        "<script>window.heard = new Promise((end) => addEventListener('message', ({data}) => data === 'done' && end(1)))</script>"
        f'<iframe src="http://127.0.0.1:{evil.port}/frame.html"></iframe>'
    )
    assert visit.run("heard") == 1
    assert visit.flush() == {"success": True}
    assert [record for record in visit.run(KEPT) if not record["id"].startswith("#")] == []
    assert front.posts == []
    assert not [line for line in evil.requests if "POST" in line]
