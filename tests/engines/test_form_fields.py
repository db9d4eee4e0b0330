"""Test that the capture of a form has exactly the fields that the browser posts for it."""

from __future__ import annotations

import pytest

from tests.engines.forms import (
    captured_fields,
    form,
    open_form,
    posted_fields,
    wait_until_posted,
)
from tests.engines.visit import NOTHING_OBSERVED, Visit

_ID = "<input type=hidden name=transaction_id value=T1>"
_GO = "<button id=go>Pay</button>"

# The fields of a form, after which a click of #go submits it.
FIELDS = {
    "texts": "<input name=plan value=Pro><input type=number name=amount value=49><textarea"
    f" name=note>one\ntwo</textarea><input type=hidden name=_charset_>{_GO}",
    "textarea with hard line breaks": "<textarea name=note cols=10 wrap=hard>"
    f"one two three four five six</textarea>{_GO}",
    "multiple select": "<select name=assets multiple><option selected>BTC<option>ETH"
    f"<option selected value=SOL>Solana<option selected disabled>DOGE</select>{_GO}",
    "select without a choice": "<select name=plan multiple><option>Pro</select>"
    f"<select name=coupon><option disabled selected>Choose</select>{_GO}",
    "pressed button": "<button name=plan value=Basic>Basic</button>"
    "<button id=go name=plan value=Pro>Pro</button>",
    "pressed input": "<input type=submit name=plan value=Basic>"
    "<input id=go type=submit name=plan value=Pro>",
    "submit input without a value": "<input id=go type=submit name=pay>",
    "image button": "<input id=go type=image name=map alt=Pay>",
    "image button without a name": "<input id=go type=image alt=Pay>",
    "button without a name": f"<button name=plan value=Basic>Basic</button>{_GO}",
    "checkboxes": "<input type=checkbox name=terms checked><input type=checkbox name=news>"
    "<input type=checkbox name=asset value=BTC checked>"
    f"<input type=checkbox name=asset value=ETH checked>{_GO}",
    "radio buttons": "<input type=radio name=plan value=Basic>"
    f"<input type=radio name=plan value=Pro checked><input type=radio name=term value=y>{_GO}",
    "disabled fields": "<input name=plan value=Pro><input name=hidden_plan value=Basic disabled>"
    "<fieldset disabled><legend><input name=in_legend value=1></legend>"
    "<legend><input name=in_second_legend value=2></legend><input name=in_fieldset value=3>"
    f"<fieldset><input name=in_inner_fieldset value=4></fieldset></fieldset>{_GO}",
    "fields in a datalist or a template": "<datalist><input name=in_datalist value=1></datalist>"
    f"<template><input name=in_template value=2></template>{_GO}",
    "repeated names": f"<input name=tag value=a><input name=tag value=b><input name=tag>{_GO}",
    "fields without a name": "<input value=1><input name='' value=2><output name=sum>3</output>"
    f"<object name=thing></object>{_GO}",
    "buttons that do not submit": "<input type=button name=help value=1><button type=button"
    f" name=more value=2></button><input type=reset name=clear value=3>{_GO}",
    "text direction": f"<input name=note value=hello dirname=note_direction>{_GO}",
    "names of members of a form": "<input name=id value=7><input name=elements value=8>"
    f"<input name=submit value=9><input name=method value=10>{_GO}",
}

# Elements outside of the form that belong to it, and one inside that does not.
_OUTSIDE = """<form id=other-form></form>
<input form=payment-form name=coupon value=SAVE10>
<select form=payment-form name=term><option selected>yearly</select>
<button id=go form=payment-form name=plan value=Pro>Pay</button>"""
_OF_ANOTHER_FORM = "<input form=other-form name=unrelated value=x>"

_CUSTOM_ELEMENTS = """<script>
class FieldElement extends HTMLElement {
  static formAssociated = true;
  constructor() { super(); this.internals = this.attachInternals(); }
  connectedCallback() {
    if (this.getAttribute('name') === 'text') this.internals.setFormValue('one');
    if (this.getAttribute('name') !== 'several') return;
    const fields = new FormData();
    fields.append('street', 'Main St');
    fields.append('city', 'Springfield');
    this.internals.setFormValue(fields);
  }
}
customElements.define('x-field', FieldElement);
</script>"""

_FILES = """() => {
  const transfer = new DataTransfer();
  transfer.items.add(new File(['a'], 'proof.txt', { type: 'text/plain' }));
  transfer.items.add(new File(['b'], 'receipt.txt', { type: 'text/plain' }));
  document.querySelector('[name=proofs]').files = transfer.files;
}"""

_CLICK = "() => document.querySelector('#go').click()"


@pytest.mark.slow
@pytest.mark.parametrize("name", FIELDS)
def test_capture_of_a_form_has_the_posted_fields(name: str, visit: Visit) -> None:
    tab = open_form(visit, form(_ID + FIELDS[name]))
    tab.run(_CLICK)
    posted = posted_fields(wait_until_posted(visit))
    assert captured_fields(visit, tab) == posted
    assert visit.observed(tab) == NOTHING_OBSERVED


@pytest.mark.slow
def test_fields_outside_of_the_form_belong_to_it_by_their_form_attribute(visit: Visit) -> None:
    tab = open_form(visit, form(_ID + _OF_ANOTHER_FORM) + _OUTSIDE)
    tab.run(_CLICK)
    posted = posted_fields(wait_until_posted(visit))
    assert posted == {"transaction_id": "T1", "coupon": "SAVE10", "term": "yearly", "plan": "Pro"}
    assert captured_fields(visit, tab) == posted


@pytest.mark.slow
def test_form_associated_custom_elements_have_their_values_in_the_capture(visit: Visit) -> None:
    fields = "<x-field name=text></x-field><x-field name=several></x-field><x-field name=none>"
    tab = open_form(visit, form(f"{_ID}{fields}</x-field>{_GO}"), _CUSTOM_ELEMENTS)
    tab.run(_CLICK)
    posted = posted_fields(wait_until_posted(visit))
    assert {"text": "one", "street": "Main St"}.items() <= posted.items()
    assert captured_fields(visit, tab) == posted


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["multipart/form-data", "application/x-www-form-urlencoded"])
def test_files_are_captured_as_their_names(encoding: str, visit: Visit) -> None:
    fields = f"{_ID}<input type=file name=proofs multiple><input type=file name=extra>{_GO}"
    tab = open_form(visit, form(fields, f"enctype={encoding}"))
    tab.run(_FILES)
    tab.run(_CLICK)
    posted = posted_fields(wait_until_posted(visit))
    assert posted["proofs"] == ["proof.txt", "receipt.txt"]
    assert captured_fields(visit, tab) == posted


_FORMDATA_HANDLER = """<script>
window.formdataEvents = 0;
addEventListener('formdata', ({ formData }) => {
  window.formdataEvents += 1;
  formData.append('affiliate', 'A-' + window.formdataEvents);
});
</script>"""
_FETCH_HANDLER = """<script>
addEventListener('submit', (event) => {
  event.preventDefault();
  fetch('/api/posted', { method: 'POST', body: new URLSearchParams(new FormData(event.target)) });
});
</script>"""


@pytest.mark.slow
@pytest.mark.parametrize("handler", ["", _FETCH_HANDLER], ids=["posted", "fetched"])
def test_formdata_handlers_run_as_often_as_without_the_tag(handler: str, visit: Visit) -> None:
    body = form(f"{_ID}{_GO}")
    bare = visit.open(_FORMDATA_HANDLER + handler, body)
    bare.run(_CLICK)
    wait_until_posted(visit)
    expected = bare.run("window.formdataEvents")
    visit.shop.saved.clear()
    tab = open_form(visit, body, _FORMDATA_HANDLER + handler)
    tab.run(_CLICK)
    posted = posted_fields(wait_until_posted(visit))
    assert posted["affiliate"] == "A-1"
    captured = captured_fields(visit, tab)
    # No event tells what a page adds to a FormData that it makes after the submit event.
    assert captured == posted if not handler else captured["transaction_id"] == "T1"
    assert tab.run("window.formdataEvents") == expected == 1


# The name says nothing; only the attribute says that the value is a secret.
AUTOCOMPLETES = (
    "cc-csc", "CC-CSC", "billing cc-csc", "section-pay billing cc-csc", "Section-A SHIPPING Cc-Csc",
    "cc-number", "CC-Number", "shipping cc-number", "section-x cc-number", "cc-csc webauthn",
    "billing\tcc-csc", " cc-csc ", "one-time-code", "current-password", "new-password",
    "section-y new-password",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("place", ["inside", "outside"])
def test_fields_for_secrets_are_recognised_by_their_autocomplete(place: str, visit: Visit) -> None:
    attribute = "" if place == "inside" else "form=payment-form"
    inputs = "".join(
        f"<input {attribute} name=f{number} value=91{number:02}55 autocomplete='{words}'>"
        for number, words in enumerate(AUTOCOMPLETES)
    )
    kept = f"<input name=given autocomplete='section-a billing given-name' value=Ann>{_GO}"
    body = form(_ID + inputs + kept) if place == "inside" else form(_ID + kept) + inputs
    tab = open_form(visit, body)
    tab.run(_CLICK)
    assert set(posted_fields(wait_until_posted(visit))) > {"f0", "f15", "given"}
    captured = captured_fields(visit, tab)
    assert captured["given"] == "Ann"
    leaked = {
        words: captured[f"f{number}"]
        for number, words in enumerate(AUTOCOMPLETES)
        if f"91{number:02}55" in str(captured.get(f"f{number}"))
    }
    assert leaked == {}


@pytest.mark.slow
def test_password_fields_are_masked_whatever_their_name(visit: Visit) -> None:
    fields = f"{_ID}<input type=password name=f1 value=hunter-21>{_GO}"
    outside = "<input form=payment-form type=password name=f2 value=hunter-22>"
    tab = open_form(visit, form(fields) + outside)
    tab.run(_CLICK)
    assert posted_fields(wait_until_posted(visit))["f2"] == "hunter-22"
    assert visit.captured(tab)
    assert not [request for request in visit.proxy.received_bytes if b"hunter-2" in request]
