"""Fuzz the signup service: no server errors, and problems for rejections."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import fuzz_bodies
from tests.support.accounts import PASSWORD, assert_problem
from tests.support.services import RunningService

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["ann@example.com", PASSWORD, "\ud800", "\0"]),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=12,
)
field_names = st.sampled_from(
    [
        "email",
        "password",
        "fullName",
        "firstName",
        "username",
        "phone",
        "plan_type",
        "questionnaire",
        "screenshot",
        "consent_accepted",
    ]
)
bodies = (
    st.dictionaries(field_names, json_values).map(lambda body: json.dumps(body).encode())
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=200)
    | st.sampled_from(
        [
            b"[" * 100_000,
            b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
            b'{"email": NaN}',
            b'{"email": 1e999999}',
            b'{"n": ' + b"9" * 10_000 + b"}",
            b'{"email": "a@b", "email": "c@d"}',
            b'{"email": "\\ud800@b.c"}',
            b"\xff\xfe",
        ]
    )
)


@pytest.fixture(scope="module")
def connection() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/api/auth/register", "/api/auth/login"])
@settings(max_examples=fuzz_bodies.EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=bodies)
def test_every_rejection_of_a_fuzzed_body_is_a_problem_response(
    signup_service: RunningService, connection: requests.Session, path: str, body: bytes
) -> None:
    headers = {"Content-Type": "application/json"}
    response = connection.post(signup_service.url + path, data=body, headers=headers, timeout=30)
    if response.status_code not in (200, 201):
        assert_problem(response, 400, 401, 409, 429)


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["/api/auth/register", "/auth/register", "/api/user/register", "/api/auth/login"]
)
@settings(
    max_examples=fuzz_bodies.EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(request=fuzz_bodies.fuzz_requests("hostile@example.com"))
def test_no_fuzzed_request_causes_a_server_error(
    signup_service: RunningService, path: str, request: fuzz_bodies.FuzzRequest
) -> None:
    fuzz_bodies.assert_stored_or_problem(
        fuzz_bodies.send_request(signup_service.url + path, request)
    )


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    fields=st.dictionaries(
        field_names.filter(lambda name: name not in ("email", "password")), json_values
    )
)
def test_optional_fields_of_a_valid_signup_never_make_it_fail(
    signup_service: RunningService, connection: requests.Session, fields: dict[str, Any]
) -> None:
    account = {"email": f"{uuid.uuid4()}@example.com", "password": PASSWORD}
    try:
        body = json.dumps({**account, **fields}, allow_nan=False).encode()
    except ValueError:
        return  # NaN and infinity are not JSON; the bodies above contain them
    response = connection.post(
        f"{signup_service.url}/api/auth/register",
        data=body,
        headers={"Content-Type": "application/json"},
        timeout=30,
    )
    assert response.status_code == 201, response.text
