"""Describe every endpoint of both services. A route without its line here fails the tests."""

from __future__ import annotations

from dataclasses import dataclass, field

from data_capture.accounts.verification_page import PAGE_FILES
from data_capture.capture.kinds import KINDS, Kind
from data_capture.openapi.schema_parts import Json, ref
from data_capture.privacy.export import MEDIA_TYPES
from data_capture.settings import REPOSITORY
from data_capture.web.requests import MAX_CAPTURES_IN_A_BATCH
from data_capture.webhooks.providers import PROVIDERS

JSON, ZIP = MEDIA_TYPES["json"], MEDIA_TYPES["zip"]

_COMMON_ERRORS = (400, 403, 405, 421, 429)
_BODY_ERRORS = (*_COMMON_ERRORS, 413, 415, 503)

_EMAIL_PARAMETER = {"email": ref("EmailInPath")}
_EXAMPLE_FILES = sorted(path.name for path in (REPOSITORY / "examples").iterdir())


@dataclass(frozen=True)
class Operation:
    """One endpoint with its method."""

    summary: str
    responses: dict[int, tuple[str, dict[str, Json]]]
    """By status: a description, and the schemas by media type."""
    errors: tuple[int, ...] = _COMMON_ERRORS
    """The statuses of its problem responses."""
    body: Json | None = None
    """The schema of the request's body."""
    example: Json | None = None
    description: str = ""
    parameters: dict[str, Json] = field(default_factory=dict)
    requires_admin_token: bool = False
    accepts_admin_token: bool = False
    """Whether some callers need the admin token, or get more with it."""


def _text_schema(media_type: str) -> dict[str, Json]:
    return {media_type: {"type": "string"}}


_EXAMPLE_EMAIL = "user@example.com"
_EXAMPLES: dict[str, Json] = {
    "payment": {
        "user_email": _EXAMPLE_EMAIL,
        "plan_name": "Pro",
        "final_price": "$179.99",
        "transaction_id": "TX-1001",
        "payment_status": "completed",
    },
    "questionnaire": {
        "user_email": _EXAMPLE_EMAIL,
        "tradesPerDay": "3-5",
        "forexAssets": ["EURUSD"],
        "accountSize": "$100,000",
        "riskPerTrade": "1.5%",
    },
    "dashboard": {
        "user_email": _EXAMPLE_EMAIL,
        "tradingState": {"currentEquity": 10250.5, "performanceMetrics": {"winRate": 62.5}},
        "theme": "dark",
    },
    "activity": {
        "user_email": _EXAMPLE_EMAIL,
        "activity_type": "trade_closed",
        "activity_data": {"pair": "EURUSD", "pnl": 42.5},
    },
}

_CAPTURE_RULES = (
    "Numbers may be texts, as pages have them ($50,000, 1.5%). A field that cannot be read is "
    "stored as NULL and named in `warnings`; only a missing or invalid email address rejects the "
    "capture. A `capture_id` (1 to 128 letters, digits, '.', '_', ':' or '-'; also accepted as the "
    "header Idempotency-Key) makes sure that sending the capture again adds nothing. "
    "`capture_timestamp` is the time when it happened, in ISO 8601, as seconds or milliseconds "
    "since 1970, or in another common notation. If it is older than 7 days (without the admin "
    "token), in the future or unreadable, the time of arrival is stored and `warnings` says so. "
    "The body may also be text/plain that contains the JSON, which pages send without a preflight."
)


def _describe_capture(kind: Kind) -> Operation:
    article = "an" if kind.name[0] in "aeiou" else "a"
    stored = {JSON: ref(f"{kind.title}Stored")}
    return Operation(
        f"Stores {article} {kind.name}.",
        {
            201: ("The capture is stored, and synced to disk.", stored),
            200: ("The capture belongs to a stored row, and adds none.", stored),
            202: (
                "The capture has a `capture_target` that names no known row, and no address: it "
                "is kept without a user.",
                {JSON: ref("Unattributed")},
            ),
        },
        (*_BODY_ERRORS, 410, 422),
        ref(kind.title),
        _EXAMPLES[kind.name],
        _CAPTURE_RULES,
    )


_BATCH = Operation(
    f"Stores up to {MAX_CAPTURES_IN_A_BATCH} captures in one commit.",
    {
        200: ("All captures were stored.", {JSON: ref("BatchResponse")}),
        207: (
            "Some captures were not stored. There is one result per capture, in order.",
            {JSON: ref("BatchResponse")},
        ),
    },
    (*_BODY_ERRORS, 422),
    ref("Batch"),
    {"captures": [{"type": name, **example} for name, example in _EXAMPLES.items()]},
)

_USER_DATA_OPERATIONS = {
    "GET /api/data-capture/stats/{email}": Operation(
        "Counts a user's data.",
        {200: ("The counts; zeros for an unknown address.", {JSON: ref("Statistics")})},
        (*_COMMON_ERRORS, 401, 404, 422, 503),
        description="Needs the admin token. Only a direct caller on the same machine needs none, "
        "while other machines cannot reach the installation.",
        parameters=_EMAIL_PARAMETER,
        accepts_admin_token=True,
    ),
    "GET /api/data-capture/users/{email}/export": Operation(
        "Exports a user's data.",
        {
            200: (
                "The document, or an archive of it with the screenshots as files.",
                {JSON: ref("Export"), **_text_schema(ZIP)},
            )
        },
        (*_COMMON_ERRORS, 404, 422, 503),
        description="All data is of the same moment. A row has one member for each column. Secrets "
        "are left out. The export is recorded in the audit trail.",
        parameters={
            **_EMAIL_PARAMETER,
            "format": {"type": "string", "enum": list(MEDIA_TYPES), "default": "json"},
        },
        requires_admin_token=True,
    ),
    "DELETE /api/data-capture/users/{email}": Operation(
        "Erases a user. Captures from before the erasure are rejected from then on.",
        {
            200: ("The data is deleted, also from the files' bytes.", {JSON: ref("Erasure")}),
            202: (
                "The data is deleted. Its bytes are still in the files while another program "
                "reads an older state.",
                {JSON: ref("Erasure")},
            ),
        },
        (*_COMMON_ERRORS, 404, 422, 503),
        description="Anonymised audit records remain. Erasing an unknown user is not an error.",
        parameters=_EMAIL_PARAMETER,
        requires_admin_token=True,
    ),
}

_WEBHOOK = Operation(
    "Takes an event from a payment provider, which its signature proves.",
    {200: ("The event is stored, or changes nothing.", {JSON: ref("WebhookOutcome")})},
    (*_BODY_ERRORS, 401, 404),
    {"type": "object", "description": "The event, as the provider sends it."},
    description="404 unless the provider's secret is set: EDC_STRIPE_WEBHOOK_SECRET, "
    "EDC_NOWPAYMENTS_IPN_SECRET or EDC_COINBASE_COMMERCE_SECRET. The signature is in the header "
    f"{', '.join(provider.signature_header for provider in PROVIDERS.values())}.",
    parameters={"provider": {"type": "string", "enum": list(PROVIDERS)}},
)

_FILE_OPERATIONS = {
    "GET /frontend_data_capture_integration.js": Operation(
        "The script that pages include. Pages of any origin may load it.",
        {200: ("The script.", _text_schema("text/javascript"))},
    ),
    "GET /examples/": Operation(
        "The example pages.", {200: ("The first page.", _text_schema("text/html"))}
    ),
    "GET /examples/{name}": Operation(
        "A file of the example pages.",
        {
            200: (
                "The file.",
                {
                    **_text_schema("text/html"),
                    **_text_schema("text/css"),
                    **_text_schema("text/javascript"),
                },
            )
        },
        (*_COMMON_ERRORS, 404),
        parameters={"name": {"type": "string", "enum": _EXAMPLE_FILES}},
    ),
}

_DESCRIPTION_OPERATIONS = {
    "GET /openapi.json": Operation(
        "This description.", {200: ("An OpenAPI 3.1 document.", {JSON: {"type": "object"}})}
    ),
    "GET /docs": Operation(
        "This description as a page.", {200: ("The page.", _text_schema("text/html"))}
    ),
}

_HEALTH = Operation(
    "Says whether the service can store data; with details for a direct caller on this machine.",
    {200: ("The service is healthy.", {JSON: ref("Health")})},
    (*_COMMON_ERRORS, 503),
    description="If other machines can reach the installation, the details need the admin token.",
    accepts_admin_token=True,
)

_SIGN_UP = Operation(
    "Signs a user up. A provisional user becomes a full account.",
    {
        201: ("The account and a token.", {JSON: ref("Account")}),
        202: (
            "With EDC_MAIL_URL: a mail with a link was sent, which completes the sign-up.",
            {JSON: ref("SignUpRequested")},
        ),
    },
    (*_BODY_ERRORS, 409),
    ref("SignUp"),
    {
        "email": _EXAMPLE_EMAIL,
        "password": "correct horse battery",
        "fullName": "Example User",
        "plan_type": "pro",
    },
    "A questionnaire and a screenshot that come along are captured in the same transaction. With "
    "EDC_MAIL_URL the password is not stored, and the holder of the link chooses one.",
)

_ACCOUNT_OPERATIONS = {
    "POST /api/auth/register": _SIGN_UP,
    "POST /auth/register": _SIGN_UP,
    "POST /api/user/register": _SIGN_UP,
    "POST /api/auth/login": Operation(
        "Checks a password.",
        {200: ("The account and a token.", {JSON: ref("Account")})},
        (*_BODY_ERRORS, 401),
        ref("Login"),
        {"email": _EXAMPLE_EMAIL, "password": "correct horse battery"},
        "A wrong password and an address without an account get the same response, after the same "
        "time.",
    ),
    "POST /api/auth/recover": Operation(
        "With EDC_MAIL_URL: mails a link to choose a new password.",
        {
            202: (
                "The same for every address, with or without an account.",
                {JSON: ref("Accepted")},
            )
        },
        (*_BODY_ERRORS, 404),
        ref("Recovery"),
        {"email": _EXAMPLE_EMAIL},
        "404 without EDC_MAIL_URL. An address gets at most 5 mails an hour.",
    ),
    "POST /api/auth/verify": Operation(
        "With EDC_MAIL_URL: takes a link's token and the chosen password.",
        {
            201: ("The sign-up is complete: the account and a token.", {JSON: ref("Account")}),
            200: (
                "The account has the new password: the account and a token.",
                {JSON: ref("Account")},
            ),
        },
        (*_BODY_ERRORS, 404, 409, 410),
        ref("LinkUse"),
        {"token": "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl", "password": "correct horse battery"},
        "404 without EDC_MAIL_URL. A link is valid once, for 24 hours.",
    ),
    "GET /verify": Operation(
        "With EDC_MAIL_URL: the page that a link opens. Opening it changes nothing.",
        {200: ("The page.", _text_schema("text/html"))},
        (*_COMMON_ERRORS, 404),
    ),
    "GET /verify/{name}": Operation(
        "With EDC_MAIL_URL: a file of that page.",
        {200: ("The file.", {**_text_schema("text/css"), **_text_schema("text/javascript")})},
        (*_COMMON_ERRORS, 404),
        parameters={"name": {"type": "string", "enum": list(PAGE_FILES)}},
    ),
}

OPERATIONS: dict[str, Operation] = {
    **{f"POST /api/data-capture/{kind.name}": _describe_capture(kind) for kind in KINDS.values()},
    "POST /api/data-capture/batch": _BATCH,
    "POST /api/webhooks/{provider}": _WEBHOOK,
    **_USER_DATA_OPERATIONS,
    "GET /api/data-capture/health": _HEALTH,
    **_FILE_OPERATIONS,
    **_DESCRIPTION_OPERATIONS,
    **_ACCOUNT_OPERATIONS,
    "GET /api/health": _HEALTH,
}
