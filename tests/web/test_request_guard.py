"""Test which pages may send captures and sign up, by origin and fetch metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests

from data_capture.web import fast_path
from tests.support.services import RunningService, capture_service_in, signup_service_in

PAYMENT = "/api/data-capture/payment"
LOCAL_ORIGINS = [
    "http://localhost", "http://localhost:3000", "https://localhost:8443", "http://127.0.0.1:5500",
    "http://[::1]:5173", "http://localhost:1", "http://localhost:65535",
]  # fmt: skip
FOREIGN_ORIGINS = [
    "https://evil.example", "http://localhost.evil.example", "http://evil.example/localhost",
    "http://127.0.0.1.evil.example", "http://localhost:80:80", "http://localhost:3000/",
    "http://xlocalhost", "file://", "http://192.168.0.2", "http://127.0.0.2",
    "chrome-extension://abc", "nullx", "localhost", "", "null, http://localhost",
    "http://evil.example#http://localhost",
    "null",  # a page opened from disk, and a sandboxed frame of any site
    "NULL", "http://foo.localhost", "http://localhost.", "http://localhost.:3000",
    "HTTP://localhost", "http://LOCALHOST", "http://user@localhost",
    "http://localhost:3000@evil.example", "http://localhost@evil.example",
    "http://127.0.0.1.nip.io", "http://localhost:65536", "http://localhost:99999",
    "http://localhost:0", "http://localhost:080", "http://localhost:", "http://[::1", "http://::1",
    "http://[::ffff:127.0.0.1]", "http://[::2]", "http://127.1", "http://2130706433",
    "http://0.0.0.0", "http://xn--lcalhost-54a", "ftp://localhost", "http:/localhost",
    "http://localhost\\@evil.example", "http://127.0.0.1.", "http://127.0.0.01",
    "http://localhost http://evil.example", "http://localhost,http://localhost",
]  # fmt: skip
MALFORMED_ORIGINS = [  # no browser sends them; they are not sent back
    "http://evil.example/localhost", "http://localhost:80:80", "http://localhost:3000/", "file://",
    "nullx", "localhost", "", "null, http://localhost", "http://evil.example#http://localhost",
    "NULL", "HTTP://localhost", "http://LOCALHOST", "http://user@localhost",
    "http://localhost:3000@evil.example", "http://localhost@evil.example", "http://localhost:",
    "http://[::1", "http://::1", "http:/localhost", "http://localhost\\@evil.example",
    "http://localhost http://evil.example", "http://localhost,http://localhost",
]  # fmt: skip


def cors_headers(response: requests.Response) -> list[str]:
    return [name for name in response.headers if name.lower().startswith("access-control-")]


def preflight(service: RunningService, origin: str) -> requests.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    return requests.options(service.url + PAYMENT, headers=headers, timeout=30)


def is_rejected_without_cors(response: requests.Response) -> bool:
    return (
        response.status_code == 403
        and response.headers["Content-Type"] == "application/problem+json"
        and not cors_headers(response)
    )


def is_refused_readably(response: requests.Response, origin: str) -> bool:
    """Tell whether a page of this origin may read that it is refused, and do nothing else."""
    return (
        response.status_code == 403
        and response.headers["Content-Type"] == "application/problem+json"
        and "EDC_ALLOWED_ORIGINS" in response.json()["detail"]
        and [name.lower() for name in cors_headers(response)] == ["access-control-allow-origin"]
        and response.headers["Access-Control-Allow-Origin"] == origin
        and response.headers["Vary"] == "Origin"
    )


def is_refused(response: requests.Response, origin: str) -> bool:
    """Tell whether an origin is refused, readably if it is one."""
    if origin in MALFORMED_ORIGINS:
        return is_rejected_without_cors(response)
    return is_refused_readably(response, origin)


class TestPages:
    @pytest.mark.slow
    @pytest.mark.parametrize("origin", LOCAL_ORIGINS)
    def test_local_page_can_send_and_read_the_response(
        self, capture_service: RunningService, user: str, origin: str
    ) -> None:
        asked = preflight(capture_service, origin)
        assert asked.status_code == 200
        assert asked.headers["Access-Control-Allow-Origin"] == origin
        assert "content-type" in asked.headers["Access-Control-Allow-Headers"].lower()
        assert "Access-Control-Allow-Credentials" not in asked.headers
        response = capture_service.capture("payment", {"user_email": user}, Origin=origin)
        assert response.status_code == 201
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert "Origin" in response.headers["Vary"]

    def test_local_page_can_read_a_rejection(self, capture_service: RunningService) -> None:
        response = capture_service.capture("payment", {}, Origin="http://localhost:3000")
        assert response.status_code == 422
        assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"

    def test_program_gets_no_cors_headers(self, capture_service: RunningService, user: str) -> None:
        assert not cors_headers(capture_service.capture("payment", {"user_email": user}))

    @pytest.mark.slow(quick_cases=5)
    @pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
    @pytest.mark.parametrize("content_type", ["application/json", "text/plain;charset=UTF-8"])
    def test_foreign_page_is_rejected_and_stores_nothing(
        self, capture_service: RunningService, user: str, origin: str, content_type: str
    ) -> None:
        assert is_refused(preflight(capture_service, origin), origin)
        body = json.dumps({"user_email": user})
        headers = {"Origin": origin, "Content-Type": content_type}
        response = requests.post(
            capture_service.url + PAYMENT, data=body, headers=headers, timeout=30
        )
        assert is_refused(response, origin)
        assert capture_service.rows("SELECT * FROM users WHERE email = ?", user) == []

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            *(("POST", f"/api/data-capture/{kind}") for kind in
              ("payment", "questionnaire", "dashboard", "activity", "batch")),
            ("OPTIONS", "/api/data-capture/batch"),
            ("GET", PAYMENT),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("size", [0, 10, 200_000], ids=["no body", "small", "large"])
    def test_foreign_page_may_read_why_its_capture_is_refused(
        self, capture_service: RunningService, user: str, method: str, path: str, size: int
    ) -> None:
        origin, headers = FOREIGN_ORIGINS[0], {"Origin": FOREIGN_ORIGINS[0]}
        body = json.dumps({"user_email": user, "note": "x" * size}) if size else None
        response = requests.request(
            method, capture_service.url + path, data=body, headers=headers, timeout=30
        )
        assert is_refused_readably(response, origin)
        assert user not in response.text
        assert capture_service.rows("SELECT * FROM users WHERE email = ?", user) == []

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/api/data-capture/stats/ann@example.com"),
            ("GET", "/api/data-capture/health"),
            ("GET", "/api/data-capture/users/ann@example.com/export"),
            ("DELETE", "/api/data-capture/users/ann@example.com"),
            ("POST", "/api/webhooks/stripe"),
            ("POST", "/api/data-capture/payment/"),
            ("POST", "/api/data-capture/unknown"),
            ("GET", "/openapi.json"),
        ],
    )
    def test_foreign_page_reads_nothing_else(
        self, capture_service: RunningService, method: str, path: str
    ) -> None:
        response = requests.request(
            method, capture_service.url + path, headers={"Origin": FOREIGN_ORIGINS[0]}, timeout=30
        )
        assert is_rejected_without_cors(response)

    def test_foreign_page_reads_no_other_error(self, capture_service: RunningService) -> None:
        """Such as the one about a host name, which a page can let resolve to our address."""
        headers = {"Origin": FOREIGN_ORIGINS[0], "Host": "evil.example"}
        response = requests.post(
            capture_service.url + PAYMENT, data="{}", headers=headers, timeout=30
        )
        assert response.status_code == 421
        assert not cors_headers(response)

    def test_beacon_of_a_local_page_is_accepted(
        self, capture_service: RunningService, user: str
    ) -> None:
        headers = {"Origin": "http://localhost:3000", "Content-Type": "text/plain;charset=UTF-8"}
        body = json.dumps({"user_email": user})
        assert (
            requests.post(
                capture_service.url + PAYMENT, data=body, headers=headers, timeout=30
            ).status_code
            == 201
        )

    def test_any_page_can_load_the_script(self, capture_service: RunningService) -> None:
        url = f"{capture_service.url}/frontend_data_capture_integration.js"
        response = requests.get(url, headers={"Origin": "https://anywhere.example"}, timeout=30)
        assert response.status_code == 200
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Content-Type"].startswith("text/javascript")


FOREIGN = [  # headers that Chromium sends for pages of other sites
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    {"Sec-Fetch-Site": "Cross-Site"},
    {"Sec-Fetch-Site": "a future value"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "none", "Origin": "https://evil.example"},
    *({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": destination,
       "Origin": LOCAL_ORIGINS[1]}
      for destination in ("document", "iframe")),
    {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    *({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": destination}
      for destination in (
          "frame", "object", "embed", "report", "image", "script", "serviceworker",
      )),
]  # fmt: skip
ALLOWED = [
    {
        "Sec-Fetch-Site": site,
        "Sec-Fetch-Mode": mode,
        "Sec-Fetch-Dest": "empty",
        "Origin": LOCAL_ORIGINS[1],
    }
    for site in ("cross-site", "same-site", "same-origin")
    for mode in ("cors", "no-cors")
] + [{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "same-origin", "Sec-Fetch-Dest": "empty"}]
BOTH_ADAPTERS = pytest.mark.parametrize(
    "members",
    [{}, {"note": "large " * fast_path.MAX_BYTES}],
    ids=["fast path", "Flask"],
)


class TestFetchMetadata:
    @BOTH_ADAPTERS
    @pytest.mark.parametrize("headers", FOREIGN, ids=str)
    def test_capture_with_fetch_metadata_of_a_foreign_page_is_rejected(
        self,
        capture_service: RunningService,
        user: str,
        headers: dict[str, str],
        members: dict[str, str],
    ) -> None:
        payload = {"user_email": user, "payment_status": "refunded", **members}
        assert is_rejected(capture_service.capture("payment", payload, **headers))
        assert capture_service.rows("SELECT * FROM users WHERE email = ?", user) == []

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "path", ["/api/auth/register", "/auth/register", "/api/user/register", "/api/auth/login"]
    )
    @pytest.mark.parametrize("headers", FOREIGN, ids=str)
    def test_sign_up_with_fetch_metadata_of_a_foreign_page_is_rejected(
        self, signup_service: RunningService, user: str, headers: dict[str, str], path: str
    ) -> None:
        account = {"email": user, "password": "correct horse"}
        response = requests.post(
            signup_service.url + path, json=account, headers=headers, timeout=30
        )
        assert is_rejected(response)
        assert signup_service.rows("SELECT * FROM users WHERE email = ?", user) == []

    @BOTH_ADAPTERS
    @pytest.mark.parametrize("headers", ALLOWED, ids=str)
    def test_fetch_and_beacons_of_an_allowed_page_are_accepted(
        self,
        capture_service: RunningService,
        user: str,
        headers: dict[str, str],
        members: dict[str, str],
    ) -> None:
        payload = {"user_email": user, **members}
        assert capture_service.capture("activity", payload, **headers).status_code == 201

    @pytest.mark.parametrize(
        "path", ["/frontend_data_capture_integration.js", "/examples/", "/docs", "/openapi.json"]
    )
    def test_any_site_can_load_the_pages_and_the_script(
        self, capture_service: RunningService, path: str
    ) -> None:
        for mode, destination in (("navigate", "document"), ("no-cors", "script")):
            headers = {
                "Sec-Fetch-Site": "cross-site",
                "Sec-Fetch-Mode": mode,
                "Sec-Fetch-Dest": destination,
            }
            assert (
                requests.get(capture_service.url + path, headers=headers, timeout=30).status_code
                == 200
            )

    def test_foreign_frames_and_images_cannot_read_the_api(
        self, capture_service: RunningService
    ) -> None:
        headers = {
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "no-cors",
            "Sec-Fetch-Dest": "image",
        }
        for path in ("stats/a@example.com", "users/a@example.com/export"):
            assert is_rejected_without_cors(
                requests.get(
                    f"{capture_service.url}/api/data-capture/{path}", headers=headers, timeout=30
                )
            )


def is_rejected(response: requests.Response) -> bool:
    return (
        response.status_code == 403
        and "token" not in response.json()
        and response.json()["success"] is False
    )


@pytest.fixture(scope="module")
def services_with_file(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningService, RunningService]]:
    """Both services, with `file` in `EDC_ALLOWED_ORIGINS`."""
    folder = tmp_path_factory.mktemp("disk")
    running = [
        of(folder, EDC_ALLOWED_ORIGINS="local,file")
        for of in (capture_service_in, signup_service_in)
    ]
    for one in running:
        one.start()
    yield running[0], running[1]
    for one in running:
        one.stop()


class TestFilePages:
    @pytest.mark.slow
    @BOTH_ADAPTERS
    def test_file_page_can_send_when_file_is_allowed(
        self,
        services_with_file: tuple[RunningService, RunningService],
        user: str,
        members: dict[str, str],
    ) -> None:
        capture, _ = services_with_file
        assert preflight(capture, "null").headers["Access-Control-Allow-Origin"] == "null"
        headers = {
            "Origin": "null",
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "cors",
            "Sec-Fetch-Dest": "empty",
        }
        response = capture.capture("activity", {"user_email": user, **members}, **headers)
        assert response.status_code == 201
        assert response.headers["Access-Control-Allow-Origin"] == "null"

    @pytest.mark.slow
    @pytest.mark.parametrize("destination", ["document", "iframe"])
    def test_form_from_file_page_is_rejected(
        self, services_with_file: tuple[RunningService, RunningService], user: str, destination: str
    ) -> None:
        headers = {
            "Origin": "null",
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": destination,
        }
        assert (
            services_with_file[0].capture("activity", {"user_email": user}, **headers).status_code
            == 403
        )

    def test_sign_up_from_file_page_is_rejected_and_logged(
        self, services_with_file: tuple[RunningService, RunningService], user: str
    ) -> None:
        _, signup = services_with_file
        account = {"email": user, "password": "correct horse"}
        response = requests.post(
            f"{signup.url}/api/auth/register", json=account, headers={"Origin": "null"}, timeout=30
        )
        assert is_rejected_without_cors(response)
        assert signup.rows("SELECT * FROM users WHERE email = ?", user) == []
        assert "Pages opened from disk can't sign up" in signup.log_file.read_text()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A capture service that allows only the pages of two sites."""
    running = capture_service_in(
        tmp_path_factory.mktemp("origins"),
        EDC_ALLOWED_ORIGINS="https://www.example.com, https://Shop.example.com:8443",
    )
    running.start()
    yield running
    running.stop()


class TestAllowedOrigins:
    @pytest.mark.slow
    @pytest.mark.parametrize("origin", ["https://www.example.com", "https://shop.example.com:8443"])
    def test_listed_origin_is_accepted(
        self, service: RunningService, user: str, origin: str
    ) -> None:
        response = service.capture("payment", {"user_email": user}, Origin=origin)
        assert response.status_code == 201
        assert response.headers["Access-Control-Allow-Origin"] == origin

    @pytest.mark.parametrize(
        "origin",
        [
            "http://www.example.com", "https://example.com", "https://wwwxexample.com", "https://www.example.com:444",
            "https://www.example.com.evil.example", "https://evil.example/https://www.example.com", "https://shop.example.com",
            "http://localhost:3000", "null",
        ],
    )  # fmt: skip
    def test_origin_that_is_not_listed_exactly_is_rejected(
        self, service: RunningService, user: str, origin: str
    ) -> None:
        response = service.capture("payment", {"user_email": user}, Origin=origin)
        if "example/" in origin:
            assert is_rejected_without_cors(response)
        else:
            assert is_refused_readably(response, origin)
            assert is_refused_readably(preflight(service, origin), origin)
        assert service.rows("SELECT * FROM users WHERE email = ?", user) == []

    def test_caller_without_an_origin_is_accepted(self, service: RunningService, user: str) -> None:
        assert service.capture("payment", {"user_email": user}).status_code == 201
