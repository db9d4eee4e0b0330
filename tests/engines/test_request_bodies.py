"""Test which request bodies are read: JSON and forms in any container, and nothing else."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from tests.engines.browser import Tab, eventually
from tests.engines.visit import NOTHING_OBSERVED, Visit

# A page with the functions that the bodies below use. It counts the bytes that are read from Blobs
# of more than 1 MB, and the longest time in which no task ran.
_PAGE = """<script>
const post = (body, headers) => fetch('/api/payments', { method: 'POST', headers, body });
const encode = (text) => new TextEncoder().encode(text);
// The same bytes in each run. Decoded as a text, they begin like a form: with a name and `=`.
const random = (size) => {
  const bytes = new Uint8Array(size);
  for (let at = 0, state = 1; at < size; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[at] = state >>> 16;
  }
  bytes.set([107, 129, 61, 255]);
  return bytes;
};
const compress = (text, format) => new Response(
  new Blob([text]).stream().pipeThrough(new CompressionStream(format))).arrayBuffer();
const base64Url = (text) =>
  btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

window.bytesRead = 0;
for (const name of ['text', 'arrayBuffer', 'stream']) {
  const read = Blob.prototype[name];
  Blob.prototype[name] = function (...args) {
    if (this.size > 1e6) window.bytesRead += this.size;
    return read.apply(this, args);
  };
}
window.longestGap = 0;
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  window.longestGap = Math.max(window.longestGap, now - last);
  last = now;
}, 10);
</script>"""

# Expressions for bodies that hold JSON; TEXT is its text.
READ = {
    "Uint8Array": "encode(TEXT)",
    "part of a Uint8Array": "encode('[[' + TEXT + ']]').subarray(2, encode(TEXT).length + 2)",
    "ArrayBuffer": "encode(TEXT).buffer",
    "DataView": "new DataView(encode('  ' + TEXT).buffer, 2)",
    "Int8Array": "new Int8Array(encode(TEXT).buffer)",
    "Blob of JSON": "new Blob([TEXT], { type: 'application/json' })",
    "Blob without a type": "new Blob([TEXT])",
    "Blob of parts": "new Blob([TEXT.slice(0, 9), TEXT.slice(9)], { type: 'text/plain' })",
    "File of JSON": "new File([TEXT], 'payment.json', { type: 'application/json' })",
    "text with a byte order mark": "'\\uFEFF' + TEXT",
    "bytes with a byte order mark": "encode('\\uFEFF' + TEXT)",
    "text in white space": "'\\r\\n  ' + TEXT + '\\n'",
    "String object": "new String(TEXT)",
    "form's text": "String(new URLSearchParams(JSON.parse(TEXT)))",
    "form's text in bytes": "encode(String(new URLSearchParams(JSON.parse(TEXT))))",
    "search parameters": "new URLSearchParams(JSON.parse(TEXT))",
    "form data": """(() => {
        const form = new FormData();
        for (const [name, value] of Object.entries(JSON.parse(TEXT))) form.append(name, value);
        return form;
      })()""",
}

# Expressions for bodies that are no payment, whatever their address says; TEXT is JSON.
IGNORED = {
    "File of 5 MB": "new File([random(5e6)], 'receipt.pdf', { type: 'application/pdf' })",
    "File of 5 MB without a type": "new File([random(5e6)], 'receipt')",
    "File that says that it is JSON": "new File([random(5e6)], 'a', { type: 'application/json' })",
    "Blob of 5 MB of JSON": "new Blob(['[' + (TEXT + ',').repeat(5e6 / TEXT.length) + TEXT + ']'])",
    "random bytes": "random(2000)",
    "large random bytes": "random(5e6).buffer",
    "random characters": "String.fromCharCode(...random(2000))",
    "gzip": "compress(TEXT, 'gzip')",
    "deflate": "compress(TEXT, 'deflate')",
    "raw deflate": "compress(TEXT, 'deflate-raw')",
    "gzip in a Blob": "compress(TEXT, 'gzip').then((bytes) => new Blob([bytes]))",
    "gzip in base64": """compress(TEXT, 'gzip')
        .then((bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))))""",
    "UTF-16": "new Uint16Array([...TEXT].map((character) => character.charCodeAt()))",
    "XML": '`<payment><transaction_id>X</transaction_id><a b="c"/></payment>`',
    "XML with a declaration": '`<?xml version="1.0"?><payment id="7" status="done"/>`',
    "XML in bytes": "encode('<payment><transaction_id>X</transaction_id></payment>')",
    "SOAP": '`<soap:Envelope xmlns:soap="http://a/"><pay amount="7"/></soap:Envelope>`',
    "base64": "btoa(TEXT)",
    "base64 with padding": "btoa(TEXT.padEnd(Math.ceil(TEXT.length / 3) * 3 + 1))",
    "base64 in lines": "btoa(TEXT).replace(/.{40}/g, '$&\\r\\n')",
    "base64 in bytes": "encode(btoa(TEXT.padEnd(Math.ceil(TEXT.length / 3) * 3 + 2)))",
    "base64 of a byte": "btoa('x')",
    "data URL": "'data:application/json;base64,' + btoa(TEXT)",
    "JWE": """[base64Url('{"alg":"dir","enc":"A256GCM"}'), '', base64Url('iv'), base64Url(TEXT),
        base64Url('tag')].join('.')""",
    "JWS": "[base64Url('{\"alg\":\"HS256\"}'), base64Url(TEXT), base64Url('signature')].join('.')",
    "encrypted text with a prefix": "'U2FsdGVkX1+' + btoa(TEXT) + '='",
    "JSON in a string": "JSON.stringify(TEXT)",
    "JSON in a string in a string": "JSON.stringify(JSON.stringify(TEXT))",
    "string in a Blob": "new Blob([JSON.stringify(TEXT)], { type: 'application/json' })",
    "number": "'42'",
    "null": "'null'",
    "text": "'transaction_id of the payment: X, a=b'",
    "text with a form's beginning": "'Hello = world, transaction_id=X'",
    "YAML": "'transaction_id: X\\nurl: http://a/?b=c\\n'",
    "CSV": "'transaction_id,amount\\nX,7\\n'",
    "environment file": "'transaction_id=X\\namount=7\\n'",
    "address": "'https://a.example/?transaction_id=X'",
    "PEM": "'-----BEGIN MESSAGE-----\\nAAAA==\\n-----END MESSAGE-----'",
    "JSON behind a prefix": "')]}\\',\\n' + TEXT",
    "truncated JSON": "TEXT.slice(0, -2)",
    "JSON with more behind it": "TEXT + 'transaction_id=X'",
    "XML document": "new Blob([`<a/>`], { type: 'text/xml' })",
    "large text": "'lorem ipsum '.repeat(4e5)",
    "large text without spaces": "'x'.repeat(5e6)",
    "large text that begins like a form": "'a=' + 'lorem ipsum '.repeat(4e5)",
    "large base64": "btoa('x'.repeat(4e6))",
    "large array of text": "'[' + 'x'.repeat(5e6)",
}


def payment(visit: Visit, transaction: str) -> dict[str, Any]:
    return {
        "user_email": visit.user,
        "transaction_id": transaction,
        "plan_name": "Pro",
        "final_price": 49.5,
    }


def send(tab: Tab, body: str, text: str) -> None:
    """Let the page send a body, and wait for the response."""
    expression = body.replace("TEXT", "text")
    tab.run(f"async (text) => {{ await post(await ({expression})).catch(() => 0); }}", text)


def send_by_xhr(tab: Tab, body: str, text: str) -> None:
    expression = body.replace("TEXT", "text")
    tab.run(
        f"""async (text) => {{
          const body = await ({expression});
          const request = new XMLHttpRequest();
          request.open('POST', '/api/payments');
          await new Promise((done) => {{ request.onloadend = done; request.send(body); }});
        }}""",
        text,
    )


def send_by_beacon(tab: Tab, body: str, text: str) -> None:
    expression = body.replace("TEXT", "text")
    tab.run(
        f"async (text) => {{ navigator.sendBeacon('/api/payments', await ({expression})); }}", text
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "sender", [pytest.param(send, marks=pytest.mark.quick), send_by_xhr, send_by_beacon]
)
def test_json_and_forms_are_captured_from_any_kind_of_body(sender: Any, visit: Visit) -> None:
    tab = visit.open(visit.tag() + _PAGE)
    for name, body in READ.items():
        sender(tab, body, json.dumps(payment(visit, name)))
    with suppress(AssertionError):
        eventually(lambda: len(visit.captured(tab)) >= len(READ), "all are captured", 5)
    rows = visit.rows("payment_data")
    missing = set(READ) - {row["transaction_id"] for row in rows}
    assert not missing, missing
    assert len(rows) == len(READ)
    assert {(row["plan_name"], float(row["final_price"])) for row in rows} == {("Pro", 49.5)}
    assert visit.observed(tab) == NOTHING_OBSERVED


@pytest.mark.slow
@pytest.mark.parametrize("sender", [pytest.param(send, marks=pytest.mark.quick), send_by_xhr])
def test_bodies_that_are_no_json_and_no_form_are_not_captured(sender: Any, visit: Visit) -> None:
    tab = visit.open(visit.tag() + _PAGE)
    visit.sign_in(tab)
    known, junk = 0, []
    for name, body in IGNORED.items():
        sender(tab, body, json.dumps(payment(visit, name)))
        captured = visit.captured(tab)
        if len(captured) > known:
            junk.append(name)
        known = len(captured)
    assert not junk, junk
    # A body that is read later is read in order.
    sender(tab, READ["Blob of JSON"], json.dumps(payment(visit, "the last")))
    (row,) = visit.wait_for_rows("payment_data", 1)
    assert row["transaction_id"] == "the last"
    assert visit.observed(tab) == NOTHING_OBSERVED


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in IGNORED if "large" in name or " 5 MB" in name])
def test_large_bodies_are_not_read_and_delay_no_task(name: str, visit: Visit) -> None:
    tab = visit.open(visit.tag() + _PAGE)
    visit.sign_in(tab)
    make = IGNORED[name].replace("TEXT", "text")
    tab.run(f"async (text) => {{ window.body = await ({make}); }}", json.dumps(payment(visit, "X")))
    tab.run("() => { window.longestGap = 0; }")
    tab.run(
        "async () => { await post(window.body); await new Promise((on) => setTimeout(on, 50)); }"
    )
    assert tab.run("window.bytesRead") == 0
    assert tab.run("window.longestGap") < 500  # it took 2.2 s to search 5 MB
    assert visit.captured(tab) == []


@pytest.mark.slow
def test_body_in_the_options_counts_and_not_that_of_the_request(visit: Visit) -> None:
    tab = visit.open()
    visit.sign_in(tab)
    request = "new Request('/api/payments', { method: 'POST', body: 'plan=Old&final_price=1' })"
    tab.run(f"fetch({request}, {{ body: '' }})")
    assert visit.captured(tab) == []
    text = json.dumps(payment(visit, "T1"))
    tab.run(f"(text) => fetch({request}, {{ body: text }})", text)
    (row,) = visit.wait_for_rows("payment_data", 1)
    assert (row["transaction_id"], row["plan_name"]) == ("T1", "Pro")


@pytest.mark.slow
def test_getters_in_the_options_run_as_often_as_without_the_script(visit: Visit) -> None:
    reads = """async () => {
      let reads = 0;
      const count = (value) => { reads += 1; return value; };
      await fetch('/api/payments', {
        get body() { return count('a=b'); },
        get method() { return count('POST'); },
        get headers() { return count({}); },
        get signal() { return count(null); },
      });
      return reads;
    }"""
    without, with_script = (visit.open(head).run(reads) for head in ("", visit.tag()))
    assert with_script == without
