"""Make schemathesis put fields into captures, with any JSON value.

The schema allows any value in a field, because no value is a reason for a rejection. So
schemathesis makes no fields by itself.
"""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import Phase, settings
from hypothesis import strategies as st

from data_capture.capture.kinds import KINDS

# With schemathesis' targets, Hypothesis 6.168 ends some runs with a ValueError ("is not in list").
# A profile overrides the options of schemathesis. This one starts from the default profile, so that
# it has nothing of the profile that Hypothesis uses on CI.
settings.register_profile(
    "without a target",
    settings.get_profile("default"),
    phases=[phase for phase in Phase if phase is not Phase.target],
)
settings.load_profile("without a target")

_UNUSUAL_TEXTS = [
    "$50,000",
    "1.5%",
    "1.234,50",
    "-3",
    "1e400",
    "9" * 30,
    "",
    "N/A",
    "NaN",
    "[1, 2",
    '{"a": 1}',
    "a, b",
]
_NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(max_size=20) | st.sampled_from(_UNUSUAL_TEXTS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def _fields(kind_name: str) -> st.SearchStrategy[dict[str, Any]]:
    kind = KINDS[kind_name]
    names = [
        name.lstrip("*")
        for field in kind.parsed_fields
        for name in (field.column, *field.aliases)
        if "." not in name
    ]
    flat = st.dictionaries(st.sampled_from(names), _ANYTHING, max_size=8)
    if not kind.sections:
        return flat
    sections = st.dictionaries(
        st.sampled_from([name for name in kind.sections if "." not in name]),
        flat | _ANYTHING,
        max_size=2,
    )
    return st.builds(lambda one, other: {**one, **other}, flat, sections)


@schemathesis.hook
def flatmap_body(context: schemathesis.HookContext, body: Any) -> st.SearchStrategy[Any]:
    """Add some of its kind's fields to a capture; leave other bodies unchanged."""
    kind_name = context.operation.path.rpartition("/")[2] if context.operation is not None else ""
    if kind_name not in KINDS or not isinstance(body, dict):
        return st.just(body)
    return _fields(kind_name).map(lambda fields: {**fields, **body})
