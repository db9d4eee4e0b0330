"""The password hashes that other programs leave in a database: which are checked, and how.

Supported are Argon2 (also Django's), bcrypt (also Laravel's and Django's), Werkzeug's and Django's
PBKDF2 and scrypt, and a plain SHA-256 in hex. Nothing else opens an account: no plain texts, MD5,
SHA-1 or other hashes without a salt, and no hashes with parameters that would make a login too
expensive.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable

import argon2
import bcrypt
from argon2.exceptions import Argon2Error, InvalidHashError

Check = Callable[[str], bool]
"""Tells whether a password matches the stored hash."""

MAX_HASH_CHARACTERS = 512
MAX_BCRYPT_COST = 15  # 2.5 s of a core; programs use 10 to 12
MAX_BCRYPT_PASSWORD_BYTES = 72  # bcrypt ignores the rest, so longer passwords would all match
MAX_ARGON2_KIB = 256 * 1024
MAX_ARGON2_PASSES = 12
MAX_ARGON2_KIB_PASSES = 1024 * 1024  # about 1 s of a core
MAX_ARGON2_LANES = 16
MAX_PBKDF2_ITERATIONS = 2_000_000  # Django's and Werkzeug's are 1,000,000 and grow every year
MAX_SCRYPT_BYTES = 128 * 1024 * 1024
MAX_SCRYPT_LANES = 8

_BASE64 = "[A-Za-z0-9+/]+"
_ARGON2 = re.compile(
    rf"(?:argon2)?(\$argon2(?:id|i|d)\$(?:v=\d+\$)?m=\d+,t=\d+,p=\d+\${_BASE64}\${_BASE64})"
)
_BCRYPT = re.compile(r"(bcrypt_sha256\$|bcrypt\$)?(\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53})")
_SHA_256_IN_HEX = re.compile(r"[0-9a-fA-F]{64}")
_WERKZEUG_PBKDF2 = re.compile(r"pbkdf2:(sha256|sha512):(\d{1,7})\$([^$]+)\$([0-9a-f]+)")
_WERKZEUG_SCRYPT = re.compile(r"scrypt:(\d{1,7}):(\d{1,3}):(\d{1,3})\$([^$]+)\$([0-9a-f]{128})")
_DJANGO_PBKDF2 = re.compile(rf"pbkdf2_sha256\$(\d{{1,7}})\$([^$]+)\$({_BASE64}=*)")
_DJANGO_SCRYPT = re.compile(
    rf"scrypt\$(\d{{1,7}})\$([^$]+)\$(\d{{1,3}})\$(\d{{1,3}})\$({_BASE64}=*)"
)
_DIGEST_BYTES = {"sha256": 32, "sha512": 64}


def check_of(stored: str) -> Check | None:
    """Return the check of a stored hash; None for an unsupported or too expensive one."""
    if len(stored) > MAX_HASH_CHARACTERS or not stored.isascii():
        return None
    for check_of_format in (
        _check_of_argon2,
        _check_of_bcrypt,
        _check_of_sha_256,
        _check_of_pbkdf2,
        _check_of_scrypt,
    ):
        check = check_of_format(stored)
        if check is not None:
            return check
    return None


def is_plain_sha_256(stored: str) -> bool:
    """Tell whether a stored hash is a SHA-256 in hex, without a salt."""
    return _SHA_256_IN_HEX.fullmatch(stored) is not None


def _check_of_argon2(stored: str) -> Check | None:
    match = _ARGON2.fullmatch(stored)
    if match is None:
        return None
    encoded = match[1]
    try:
        parameters = argon2.extract_parameters(encoded)
    except InvalidHashError:
        return None
    kib, passes, lanes = parameters.memory_cost, parameters.time_cost, parameters.parallelism
    if (
        kib > MAX_ARGON2_KIB
        or passes > MAX_ARGON2_PASSES
        or kib * passes > MAX_ARGON2_KIB_PASSES
        or lanes > MAX_ARGON2_LANES
    ):
        return None

    def check(password: str) -> bool:
        try:
            return argon2.PasswordHasher().verify(encoded, password)
        except (Argon2Error, InvalidHashError):
            return False

    return check


def _check_of_bcrypt(stored: str) -> Check | None:
    match = _BCRYPT.fullmatch(stored)
    if match is None or not 4 <= int(match[3]) <= MAX_BCRYPT_COST:
        return None
    is_digested, encoded = match[1] == "bcrypt_sha256$", match[2].encode()

    def check(password: str) -> bool:
        content = password.encode()
        if b"\0" in content:
            return False  # bcrypt repeats the password after a NUL: "a" would match "a\\0a"
        if is_digested:
            content = hashlib.sha256(content).hexdigest().encode()
        if len(content) > MAX_BCRYPT_PASSWORD_BYTES:
            return False
        try:
            return bcrypt.checkpw(content, encoded)
        except ValueError:
            return False

    return check


def _check_of_sha_256(stored: str) -> Check | None:
    if not is_plain_sha_256(stored):
        return None
    return lambda password: hmac.compare_digest(
        hashlib.sha256(password.encode()).hexdigest(), stored.lower()
    )


def _check_of_pbkdf2(stored: str) -> Check | None:
    werkzeug, django = _WERKZEUG_PBKDF2.fullmatch(stored), _DJANGO_PBKDF2.fullmatch(stored)
    if werkzeug is not None:
        name, iterations, salt = werkzeug[1], int(werkzeug[2]), werkzeug[3]
        digest = _from_hex(werkzeug[4])
    elif django is not None:
        name, iterations, salt = "sha256", int(django[1]), django[2]
        digest = _from_base64(django[3])
    else:
        return None
    if not 0 < iterations <= MAX_PBKDF2_ITERATIONS or len(digest) != _DIGEST_BYTES[name]:
        return None

    def derive(password: str) -> bytes:
        return hashlib.pbkdf2_hmac(name, password.encode(), salt.encode(), iterations)

    return _check_by(derive, digest)


def _check_of_scrypt(stored: str) -> Check | None:
    werkzeug, django = _WERKZEUG_SCRYPT.fullmatch(stored), _DJANGO_SCRYPT.fullmatch(stored)
    if werkzeug is not None:
        cost, block, lanes = int(werkzeug[1]), int(werkzeug[2]), int(werkzeug[3])
        salt, digest = werkzeug[4], _from_hex(werkzeug[5])
    elif django is not None:
        cost, block, lanes = int(django[1]), int(django[3]), int(django[4])
        salt, digest = django[2], _from_base64(django[5])
    else:
        return None
    is_valid = cost > 1 and cost & (cost - 1) == 0 and block > 0 and 0 < lanes <= MAX_SCRYPT_LANES
    if not is_valid or 128 * cost * block > MAX_SCRYPT_BYTES or len(digest) != 64:
        return None

    def derive(password: str) -> bytes:
        needed_bytes = 132 * cost * block * lanes + 1024 * 1024
        return hashlib.scrypt(
            password.encode(),
            salt=salt.encode(),
            n=cost,
            r=block,
            p=lanes,
            maxmem=needed_bytes,
            dklen=64,
        )

    return _check_by(derive, digest)


def _check_by(derive: Callable[[str], bytes], digest: bytes) -> Check:
    def check(password: str) -> bool:
        if "\0" in password:
            return False  # HMAC fills a short key with NULs: "a" would match "a\\0"
        try:
            return hmac.compare_digest(derive(password), digest)
        except ValueError:
            return False

    return check


def _from_hex(text: str) -> bytes:
    return bytes.fromhex(text) if len(text) % 2 == 0 else b""


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
