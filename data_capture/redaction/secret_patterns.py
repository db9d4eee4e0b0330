"""The patterns of codes and tokens in texts, and quick checks that rule most texts out.

All patterns match a text in lower case, except those of tokens, whose capitals matter.
"""

from __future__ import annotations

import re

from data_capture.redaction.card_issuers import MIN_CARD_DIGITS
from data_capture.redaction.card_numbers import BEGIN_OF_GROUPS, SEPARATOR
from data_capture.redaction.decodings import has_entity, has_other_forms
from data_capture.redaction.iban_numbers import may_contain_iban
from data_capture.redaction.named_secrets import any_of, may_say_secret
from data_capture.redaction.spellings import has_other_digits
from data_capture.scanning import contains, join_pieces, overlapping_steps, steps

_LONG_TEXT_CHARACTERS = 100_000  # lower-cased and searched in steps

# The pattern begins with fixed letters, so that `re` skips most places at once.
WORD_AND_CODE = re.compile(
    r"""(?: cv(?<![a-z]cv)[vcn]2? | security[ _-]?code ) \s{0,3}
            (?: (?:code|number|is|no\.?) \s{0,3} )? [=:]? \s{0,3}
            \\{0,64} ["']? (?P<value> [0-9]{3,8} ) (?![0-9])
        | (?: pin(?<![a-z]pin) | otp(?<![a-z]otp) | csc(?<![a-z]csc)
                | one[ -]?time[ -]?(?:code|pin) )
            (?: [ _-](?:code|number) )? \\{0,64} ["']? \s{0,9} [=:] \s{0,9}
            \\{0,64} ["']? (?P<pin> [0-9]{3,8} ) (?![0-9])""",
    re.VERBOSE,
)
# A group of a pattern is the secret in it; without one, the whole match is.
TOKEN = re.compile(
    r"""(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.
            (?: [A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]* | [A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+){3} )
        | (?<=[Bb]earer\ )[A-Za-z0-9._~+/-]{16,}=*
        | -----BEGIN\ [A-Z ]{0,30}PRIVATE\ KEY(?:\ BLOCK)?-----.*?
            (?:-----END\ [A-Z ]{0,30}PRIVATE\ KEY(?:\ BLOCK)?-----|\Z)
        | Private-Lines:\s?[0-9]+\s(.+)
        | (?<![A-Za-z0-9])(?:
            (?:sk|rk)_(?:org_)?(?:live|test)_[A-Za-z0-9]{8,}
            | whsec_[A-Za-z0-9+/]{16,}=* | sk-(?=[\w-]{0,99}?[0-9])[\w-]{20,}
            | SG\.[\w-]{16,}\.[\w-]{32,}
            | gh[opsur]_[A-Za-z0-9]{30,} | github_pat_[A-Za-z0-9_]{30,} | glpat-[\w-]{18,}
            | xox[abeprs]-[A-Za-z0-9-]{20,} | xapp-[A-Za-z0-9-]{20,}
            | AIza[\w-]{35} | (?:AKIA|ASIA)[A-Z0-9]{16} | ya29\.[\w-]{20,} | pypi-[\w-]{50,}
            | shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32} | sq0[a-z]{3}-[\w-]{20,}
            | dop_v1_[a-f0-9]{64} | sbp_[a-f0-9]{40} | key-[a-f0-9]{32}
            | access_token\$\w{1,20}\$\w{1,40}\$[a-f0-9]{16,} | [0-9]{8,10}:AA[\w-]{33}(?![\w-])
            | [vxyzVYZ]prv[1-9A-HJ-NP-Za-km-z]{90,} )
        | (?<=_secret_)[A-Za-z0-9]{16,}
        | hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/]{20,})
        | /webhooks/[0-9]{15,21}/([\w-]{40,})
        | ://[^\s/?#@:"'<>]{0,100}:([^\s/?#@"'<>]{1,200})@""",
    re.DOTALL | re.VERBOSE,
)
# Each text in lower case that matches `TOKEN`, or has a name of `shown_secrets.py`, has one of
# these. They begin with letters that are rare in payloads: ruling out 180 characters takes 1.4 us.
_BEGIN_OF_TOKEN_OR_NAME = re.compile(
    any_of((
        "yj", "bearer ", "vate key", "vate-lines", "k_live_", "k_test_", "k_org_", "vprv",
        "xprv", "yprv", "zprv", "whsec_", "_secret_", "ghp_", "gho_", "ghs_", "ghu_",
        "ghr_", "github_pat", "glpat-", "xox", "xapp-", "zasy", "kia", "ya29", "k-", "ypi-",
        "hpat_", "q0", "v1_", "bp_", "key", ":aa", "://", "webhooks/", "ks.slack", "$production$",
        "$sandbox$", "g.", "word", "wort", "woord", "wd", "hrase", "ken", "mnem", "kode", "mdp",
        "passc", "passe", "passo", "contrase", "jelsz", "zinka", "zodis", "haslo", "heslo", "geslo",
        "salasana", "senha", "senord", "sifre", "parola", "pk", "cret", "<", "kie",
    ))
)  # fmt: skip
_NAME_OF_OTHER_SCRIPT = re.compile("[łóñöşıžпα-ω密パ비\u00e0-\u00ff]")
# The only letter that gets longer in lower case, and one that no pattern here contains either.
_LONGER_IN_LOWER_CASE = "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}"
_SUBSTITUTE = "\N{LATIN SMALL LETTER DOTLESS I}"

# Every other text with a secret has JSON's brackets, an escape, "=" or ":" (but not between the
# digits of a time or ratio), an issuer's first digit at the beginning of 12 digits, or the form of
# an IBAN. Each is a pattern of its own, because `re` is quick at finding one character that most
# texts lack.
_BEHIND_A_WORD = "(?: (?<![0-9].) | (?<=[A-Za-z_][0-9].) )"
_EQUALS, _COLON, _ESCAPE, _CARD = (
    re.compile(pattern, re.DOTALL | re.VERBOSE)
    for pattern in (
        f"={_BEHIND_A_WORD}",
        f":(?!//){_BEHIND_A_WORD}",
        "%[0-9A-Fa-f]{2}",
        rf"[2-68](?<![0-9].)(?: (?:{SEPARATOR}[0-9]){{11}} | {BEGIN_OF_GROUPS} )",
    )
)
# A necessary condition for `_CARD` in ASCII: with 4 for an issuer's first digit, 0 for the other
# digits, and without separators, the text has this pattern. Ruling out 500,000 characters this way
# takes 0.6 ms for words and 4.4 ms for many numbers, instead of 3.3 and 14 ms with `_CARD` alone.
_TWELVE_DIGITS = re.compile(rb"4[04]{11}")
_ISSUERS_AND_OTHERS = bytes.maketrans(b"0123456789", b"0044444040")
_BETWEEN_DIGITS = b" +\t\n\v\f\r-._/,;|:=\\*~#'\"`<>()[]^!$"


def may_contain_secret(text: str) -> bool:
    """Tell whether a text needs a closer look; False is never wrong."""
    return may_contain_other_secret(text) or may_contain_card(text)


def may_contain_other_secret(text: str) -> bool:
    """Tell whether a text needs a closer look for another reason than a plain card number."""
    if len(text) < _LONG_TEXT_CHARACTERS:
        return _may_contain_other_secret(text)
    return any(map(_may_contain_other_secret, overlapping_steps(text)))


def _may_contain_other_secret(text: str) -> bool:
    lowered = _to_lower_case(text)
    return (
        "cv" in lowered  # a code may follow these two without "=" or ":"
        or "ecurity" in lowered
        or "{" in text
        or "[" in text
        or "\\" in text
        or may_contain_token(lowered)
        or has_other_digits(text)
        or ("=" in text and contains(_EQUALS, text))
        or (":" in text and contains(_COLON, text))
        or "\uff1a" in text  # the colon of Chinese and Japanese
        or has_other_forms(text)
        or has_entity(text)
        or ("%" in text and contains(_ESCAPE, text))
        or may_contain_iban(text)
    )


def may_contain_card(text: str) -> bool:
    """Tell whether a text may contain a card number in unescaped ASCII digits."""
    if len(text) < _LONG_TEXT_CHARACTERS:
        return _may_contain_card(text)
    return any(map(_may_contain_card, overlapping_steps(text)))


def _may_contain_card(text: str) -> bool:
    if len(text) < MIN_CARD_DIGITS:
        return False
    if text.isascii():
        digits = text.encode().translate(_ISSUERS_AND_OTHERS, _BETWEEN_DIGITS)
        if not contains(_TWELVE_DIGITS, digits):
            return False
    return contains(_CARD, text)


def may_contain_card_in_any_spelling(text: str) -> bool:
    """Tell whether a text may contain a card number, escaped or in any script."""
    return "%" in text or "\\u" in text or has_other_digits(text) or may_contain_card(text)


def may_contain_token(lowered: str) -> bool:
    """Tell whether a text in lower case may contain a token, or a name without "=" and ":"."""
    return contains(_BEGIN_OF_TOKEN_OR_NAME, lowered) or (
        not lowered.isascii() and contains(_NAME_OF_OTHER_SCRIPT, lowered)
    )


def may_contain_code(lowered: str) -> bool:
    """Tell whether a text in lower case may contain a match of `WORD_AND_CODE`."""
    return "=" in lowered or ":" in lowered or "cv" in lowered or "ecurity" in lowered


def may_contain_name(lowered: str) -> bool:
    """Tell whether a text in lower case may have the name of a secret before its value."""
    return "=" in lowered or ":" in lowered or "\uff1a" in lowered or may_say_secret(lowered)


def to_lower_case_of_same_length(text: str) -> str:
    """Lower-case a text so that each character keeps its index."""
    if len(text) >= _LONG_TEXT_CHARACTERS:
        return join_pieces(_lower_case_of_same_length(step) for step in steps(text))
    return _lower_case_of_same_length(text)


def _lower_case_of_same_length(text: str) -> str:
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return text.replace(_LONGER_IN_LOWER_CASE, _SUBSTITUTE).lower()


def _to_lower_case(text: str) -> str:
    if len(text) < _LONG_TEXT_CHARACTERS:
        return text.lower()
    return join_pieces(step.lower() for step in steps(text))
