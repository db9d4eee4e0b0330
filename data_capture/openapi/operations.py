"""Every call of both services, a line each: what it does, takes and answers. A route without its line here fails the tests."""

from __future__ import annotations

from dataclasses import dataclass, field

from data_capture.accounts.verification_page import PAGE_FILES
from data_capture.capture.kinds import KINDS, Kind
from data_capture.openapi.schemas import Json, ref
from data_capture.privacy.export import MEDIA_TYPES
from data_capture.settings import REPOSITORY
from data_capture.web.requests import MAX_CAPTURES_IN_A_BATCH

JSON, ZIP = MEDIA_TYPES["json"], MEDIA_TYPES["zip"]

_EVERYWHERE = (400, 403, 405, 421, 429)
_WITH_BODY = (*_EVERYWHERE, 413, 415, 503)

_LOOSE = (
    "Numbers may be texts, as pages have them ($50,000, 1.5%). What can't be understood is stored as NULL and named in "
    "`warnings`; no field but the email address is ever a reason to refuse. A `capture_id` (1 to 128 letters, digits, '.', "
    "'_', ':' or '-'; the header Idempotency-Key serves, too) makes sure that what is sent again adds nothing, and "
    "`capture_timestamp` says when it happened. The body may also be text/plain that holds the JSON, which pages send "
    "without a preflight."
)


@dataclass(frozen=True)
class Operation:
    """One call: what it does, what it takes, and what it answers, by status: a description, and what it is by media type."""

    summary: str
    answers: dict[int, tuple[str, dict[str, Json]]]
    refusals: tuple[int, ...] = _EVERYWHERE
    body: Json | None = None
    example: Json | None = None
    description: str = ""
    parameters: dict[str, Json] = field(default_factory=dict)
    needs_admin: bool = False
    takes_admin: bool = False
    """Some callers need the admin token, or get more with it."""


def _text(media_type: str) -> dict[str, Json]:
    return {media_type: {"type": "string"}}


_EMAIL = {"email": ref("EmailInPath")}
_EXAMPLE_FILES = sorted(path.name for path in (REPOSITORY / "examples").iterdir())


_SOMEBODY = "user@example.com"
_EXAMPLES_OF: dict[str, Json] = {
    "payment": {"user_email": _SOMEBODY, "plan_name": "Pro", "final_price": "$179.99", "transaction_id": "TX-1001",
                "payment_status": "completed"},
    "questionnaire": {"user_email": _SOMEBODY, "tradesPerDay": "3-5", "forexAssets": ["EURUSD"], "accountSize": "$100,000",
                      "riskPerTrade": "1.5%"},
    "dashboard": {"user_email": _SOMEBODY, "tradingState": {"currentEquity": 10250.5, "performanceMetrics": {"winRate": 62.5}},
                  "theme": "dark"},
    "activity": {"user_email": _SOMEBODY, "activity_type": "trade_closed", "activity_data": {"pair": "EURUSD", "pnl": 42.5}},
}  # fmt: skip


def _capture(kind: Kind) -> Operation:
    return Operation(
        f"Stores {'an' if kind.name[0] in 'aeiou' else 'a'} {kind.name}.",
        {
            201: ("It is stored, and on disk.", {JSON: ref(f"{kind.title}Stored")}),
            200: (
                "It was there already, and nothing was added.",
                {JSON: ref(f"{kind.title}Stored")},
            ),
        },
        (*_WITH_BODY, 410, 422),
        ref(kind.title),
        _EXAMPLES_OF[kind.name],
        _LOOSE,
    )


_SIGN_UP = Operation(
    "Signs a person up; one who was captured before becomes a full account.",
    {
        201: ("The account and a token.", {JSON: ref("Account")}),
        202: (
            "With EDC_MAIL_URL: a link was mailed, which completes the sign-up.",
            {JSON: ref("SignUpRequested")},
        ),
    },
    (*_WITH_BODY, 409),
    ref("SignUp"),
    {
        "email": _SOMEBODY,
        "password": "correct horse battery",
        "fullName": "Example User",
        "plan_type": "pro",
    },
    "A questionnaire and a screenshot that come along are captured in the same transaction. With EDC_MAIL_URL the password is "
    "not stored: who opens the link chooses one.",
)
_DOCUMENT = Operation(
    "This description.", {200: ("An OpenAPI 3.1 document.", {JSON: {"type": "object"}})}
)
_PAGE = Operation("This description as a page.", {200: ("The page.", _text("text/html"))})
_HEALTH = Operation(
    "Says whether the service can do its work; in more words to a direct caller on the same machine.",
    {200: ("It can.", {JSON: ref("Health")})},
    (*_EVERYWHERE, 503),
    description="Where other machines can reach the installation, the details need the admin token.",
    takes_admin=True,
)

OPERATIONS: dict[str, Operation] = {
    **{f"POST /api/data-capture/{kind.name}": _capture(kind) for kind in KINDS.values()},
    "POST /api/data-capture/batch": Operation(
        f"Stores up to {MAX_CAPTURES_IN_A_BATCH} captures in one commit.",
        {
            200: ("All were taken.", {JSON: ref("BatchAnswer")}),
            207: ("Not all were taken: each has its answer, in order.", {JSON: ref("BatchAnswer")}),
        },
        (*_WITH_BODY, 422),
        ref("Batch"),
        {"captures": [{"type": name, **example} for name, example in _EXAMPLES_OF.items()]},
    ),
    "GET /api/data-capture/stats/{email}": Operation(
        "Counts what is held on one person.",
        {200: ("The counts; zeros for an address that is not known.", {JSON: ref("Statistics")})},
        (*_EVERYWHERE, 401, 404, 422, 503),
        description="Needs the admin token, but for a direct caller on the machine of an installation that nobody else reaches.",
        parameters=_EMAIL,
        takes_admin=True,
    ),
    "GET /api/data-capture/users/{email}/export": Operation(
        "Hands out everything that is held on one person.",
        {
            200: (
                "The document, or an archive of it with the screenshots as files.",
                {JSON: ref("Export"), **_text(ZIP)},
            )
        },
        (*_EVERYWHERE, 404, 422, 503),
        description="Of one moment; the rows as the tables have them, a member a column. Secrets are left out. It is recorded.",
        parameters={
            **_EMAIL,
            "format": {"type": "string", "enum": list(MEDIA_TYPES), "default": "json"},
        },
        needs_admin=True,
    ),
    "DELETE /api/data-capture/users/{email}": Operation(
        "Erases one person; captures of the time before are refused from then on.",
        {
            200: ("Nothing of them is left, also not in the files' bytes.", {JSON: ref("Erasure")}),
            202: ("The same, once nobody reads an older state any more.", {JSON: ref("Erasure")}),
        },
        (*_EVERYWHERE, 404, 422, 503),
        description="Audit records stay, and name nobody. Erasing somebody who is not known is no error.",
        parameters=_EMAIL,
        needs_admin=True,
    ),
    "GET /api/data-capture/health": _HEALTH,
    "GET /frontend_data_capture_integration.js": Operation(
        "The script that pages include; for pages everywhere.",
        {200: ("The script.", _text("text/javascript"))},
    ),
    "GET /examples/": Operation(
        "The example pages.", {200: ("The first of them.", _text("text/html"))}
    ),
    "GET /examples/{name}": Operation(
        "A file of the example pages.",
        {
            200: (
                "The file.",
                {**_text("text/html"), **_text("text/css"), **_text("text/javascript")},
            )
        },
        (*_EVERYWHERE, 404),
        parameters={"name": {"type": "string", "enum": _EXAMPLE_FILES}},
    ),
    "GET /openapi.json": _DOCUMENT,
    "GET /docs": _PAGE,
    "POST /api/auth/register": _SIGN_UP,
    "POST /auth/register": _SIGN_UP,
    "POST /api/user/register": _SIGN_UP,
    "POST /api/auth/login": Operation(
        "Checks a password.",
        {200: ("The account and a token.", {JSON: ref("Account")})},
        (*_WITH_BODY, 401),
        ref("Login"),
        {"email": _SOMEBODY, "password": "correct horse battery"},
        "A wrong password and an address that has no account are answered alike, and take as long.",
    ),
    "POST /api/auth/recover": Operation(
        "With EDC_MAIL_URL: mails a link with which the holder of the mailbox chooses a new password.",
        {
            202: (
                "The same for every address, whether or not it has an account.",
                {JSON: ref("Accepted")},
            )
        },
        (*_WITH_BODY, 404),
        ref("Recovery"),
        {"email": _SOMEBODY},
        "404 without EDC_MAIL_URL. At most 5 mails an hour go to one address.",
    ),
    "POST /api/auth/verify": Operation(
        "With EDC_MAIL_URL: takes the token of a mailed link, and the password that its holder chose.",
        {
            201: ("The sign-up is complete: the account and a token.", {JSON: ref("Account")}),
            200: (
                "The account has the new password: the account and a token.",
                {JSON: ref("Account")},
            ),
        },
        (*_WITH_BODY, 404, 409, 410),
        ref("LinkUse"),
        {"token": "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl", "password": "correct horse battery"},
        "404 without EDC_MAIL_URL. A link is valid for 24 hours, and once.",
    ),
    "GET /verify": Operation(
        "With EDC_MAIL_URL: the page that a mailed link opens. Opening it changes nothing.",
        {200: ("The page.", _text("text/html"))},
        (*_EVERYWHERE, 404),
    ),
    "GET /verify/{name}": Operation(
        "With EDC_MAIL_URL: what that page loads.",
        {200: ("The file.", {**_text("text/css"), **_text("text/javascript")})},
        (*_EVERYWHERE, 404),
        parameters={"name": {"type": "string", "enum": list(PAGE_FILES)}},
    ),
    "GET /api/health": _HEALTH,
}
