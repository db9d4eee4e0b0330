"""Recognise by their names the columns that describe an account.

The table may be another program's. Names are compared without case and punctuation: `passwordHash`,
`PASSWORD_HASH` and `password-hash` are the same name.
"""

from __future__ import annotations

import re
import unicodedata

_HASH_NAMES = frozenset({
    "hash", "bcrypt", "bcrypthash", "argon2", "argon2hash", "scrypthash", "pass", "passwd",
    "passphrase", "pwd", "pw", "credential", "credentials", "secrethash", "authhash", "loginhash",
    "userhash", "kennwort", "motdepasse", "clave", "pswd", "psw", "authenticationstring",
})  # fmt: skip
_HASH_PARTS = re.compile(
    r"passw|passhash|pwdhash|pwhash|pswd|userpass|loginpass|passdigest|crypt(?:ed)?pass"
    r"|hash(?:ed)?pass|hash(?:ed)?pwd|(?:user|login|account|crypt|crypted|encrypted)_?pwd|contrasen"
    r"|senha|clavehash|hashclave|kennworthash"
)
# Properties of a password, such as when it was changed: each begins a word of the column's name.
_ABOUT_A_PASSWORD = re.compile(
    r"reset|chang|updat|expir|hint|salt(?!ed)|algo|type|version|token|date|less|polic|attempt|last"
    r"|must|force|need|requir|temp|histor|old|prev|creat|iter|strength|length|count|fail|enabled"
    r"|(?:at|on|set|time)$|(?:has|is|show|use|allow|can|skip|no)$"
)
# The same in a name that is one word, such as "passwordresettoken".
_ABOUT_IN_ONE_WORD = re.compile(
    r"reset|change|updat|expir|hint|salt(?!ed)|algo|type|version|token|date|less|polic|attempt|last"
    r"|must|force|need|requir|temp|histor|old|prev|creat|(?<!recru)iter|strength|length"
    r"|(?<!ac)count|fail|enabled|(?:at|on|set|time)$"
    r"|^(?:has(?!h)|is|show|use(?!r)|allow|can|skip|no)"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

ENABLED_NAMES = frozenset({
    "isactive", "active", "enabled", "isenabled", "activated", "isactivated", "useractive",
    "userenabled", "accountactive", "accountenabled", "loginenabled", "loginallowed", "canlogin",
    "allowlogin", "accountnonlocked", "accountnonexpired", "enable", "isenable", "isuseractive",
    "isuserenabled", "isaccountactive", "isaccountenabled", "isloginenabled", "isloginallowed",
    "cansignin", "allowsignin", "signinenabled", "isapproved", "approved", "userapproved",
    "accountapproved", "isvalid", "valid", "activeflag", "activeyn", "useyn", "isopen", "isalive",
    "aktiv", "isaktiv", "activo", "ativo", "actif", "attivo", "habilitado", "freigeschaltet",
    "userisactive", "userisenabled", "accountisactive", "accountisenabled",
})  # fmt: skip
"""Names of columns that are true for an open account."""

_CLOSED = (
    "disabled|banned|blocked|locked|suspended|deleted|archived|deactivated|inactive|terminated|"
    "revoked|removed|closed|frozen|blacklisted|trashed|barred|unapproved|invalidated|gesperrt|"
    "inaktiv"
)
_OF_ACCOUNT = (
    r"(?:is|was|has|been|user|account|login|signin|soft|self|auto|admin|temp|perma|permanently|"
    r"temporarily)*"
)
DISABLED_NAME = re.compile(
    rf"{_OF_ACCOUNT}(?:{_CLOSED}|lockedout|shadowbanned)(?:by(?:admin|system|user|staff|id)?|flag|"
    rf"yn|ind|user|account|login)?"
)
"""Names of columns that are true for a closed account."""

DISABLED_SWITCH_NAME = re.compile(
    rf"{_OF_ACCOUNT}(?:ban|block|lock|suspend|disable|delete|del|archive|deactivate|blacklist|"
    rf"trash|freeze)(?:flag|yn|ind)?"
    rf"|(?:prohibit|forbid|deny|disallow|no|disable|block)(?:login|signin|access)"
    rf"|(?:login|signin|access)(?:prohibited|forbidden|denied)"
)
"""Names that are verbs, and may name something else, such as the block of an address.

They count if their value is that of a switch.
"""

CLOSED_AT_NAME = re.compile(
    rf"{_OF_ACCOUNT}(?:{_CLOSED}|ban|block|lock|suspend|suspension|disable|delete|archive|"
    rf"deactivate|deactivation|blacklist|trash)(?:at|on|date|time|since|datetime|timestamp)"
)
"""Names of columns with the time at which an account was closed."""

CLOSED_UNTIL_NAME = re.compile(
    rf"{_OF_ACCOUNT}(?:(?:banned|blocked|locked|lockedout|suspended|disabled|deactivated|frozen|"
    rf"ban|block|lock|lockout|suspension|suspend|disable)(?:until|till|end|ends|endsat|enddate|"
    rf"expires|expiresat|expiry)|lockuntil|lockoutend)"
)
"""Names of columns with the time until which an account is closed."""

OPEN_UNTIL_NAME = re.compile(
    r"(?:user|account|login|access)(?:expires?|expiry|expiration|expired|valid)(?:at|on|date|time|"
    r"until|till|to)?"
)
"""Names of columns with the time until which an account is open."""

STATUS_NAMES = frozenset({
    "status", "accountstatus", "userstatus", "state", "accountstate", "userstate", "loginstatus",
    "memberstatus", "activestatus", "membershipstatus", "customerstatus", "profilestatus",
    "statusname", "statuscode", "statustext", "accstatus", "acctstatus",
})  # fmt: skip
"""Names of columns with the status of an account, as a word or a number."""

CLAIMED_NAME = re.compile(
    r"(?:is|email|user|account)?(?:admin|administrator|staff|superuser|superadmin|moderator|owner|"
    r"root|verified|confirmed)(?:at|on)?"
    r"|(?:user|account)?(?:role|roles|permissions|privileges|accesslevel|usertype|accounttype|"
    r"isinrole|rights)(?:id)?|last(?:login|signin|seen|loggedin|signedin).*|(?:login|signin)count"
    r"|(?:auth|login|oauth|signup|signin|identity|account|social|sso)?provider(?:id|uid|userid)?"
    r"|.*(?:google|facebook|github|gitlab|twitter|discord|linkedin|microsoft|azure|okta|auth0|"
    r"oauth|openid|firebase|supabase|cognito|keycloak|clerk|webauthn|passkey|telegram).*"
    r"|(?:apple|saml|sso|external|social|auth|authuser|sub|subject|oidc)(?:id|uid|sub|subject)"
    r"|.*totp.*|.*mfa.*|.*twofactor.*"
    r"|(?:api|access|refresh|session|auth|remember|bearer)(?:key|token|secret)|otpsecret|pin"
    r"|pinhash|salt|passwordsalt"
)
"""Names of columns in which another program's account has a value.

Its user signs in in another way, has signed in, or has more rights than others.
"""

ID_NAMES = frozenset({"uuid", "guid", "id", "uniqueid", "publicid"})
"""Names of columns with ids, which may have 32 hexadecimal digits, as some hashes do."""


def is_for_hashes(column: str) -> bool:
    """Return whether a column of this name is for a password, or its hash."""
    name = simple_name(column)
    if name in _HASH_NAMES:
        return True
    if _HASH_PARTS.search(name) is None:
        return False
    words = [word.lower() for word in _WORD.findall(_without_accents(column))]
    if len(words) == 1:
        return _ABOUT_IN_ONE_WORD.search(name) is None
    return not any(map(_ABOUT_A_PASSWORD.match, words))


def simple_name(column: str) -> str:
    """Return a column's name without case, punctuation and accents."""
    name = _without_accents(column).lower()
    return "".join(character for character in name if character.isalnum())


def _without_accents(column: str) -> str:
    """Return a name without its accents: "contraseña" becomes "contrasena"."""
    if column.isascii():
        return column
    decomposed = unicodedata.normalize("NFKD", column)
    return "".join(character for character in decomposed if not unicodedata.combining(character))
