"""Write one email address in many ways: those of pages, of mail programs, and of people."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator

DOMAIN, IN_ASCII = "bücher.example", "xn--bcher-kva.example"

_INVISIBLE = (
    "\ufeff", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2060", "\u00ad", "\u202a",
    "\u202e", "\u2066", "\u2069", "\u00a0", "\u3000", "\u2028", "\t", "\r\n", "\0", "\x7f", " ",
)  # fmt: skip
_AFTER = (
    ".", ",", ";", ":", "/", ">", ")", "!", "?", "'", '"', "...", "。", "，", " .", ",,", "//",
)  # fmt: skip
_AROUND = (
    ("<", ">"), ("(", ")"), ("[", "]"), ("{", "}"), ('"', '"'), ("'", "'"), ("`", "`"),
    ("\u201c", "\u201d"), ("\u2018", "\u2019"), ("«", "»"), ("「", "」"), ("<<", ">>"),
    ("mailto:", ""), ("MAILTO:", ""), ("Mailto: ", ""), ("mailto://", ""),
    ("mailto:", "?subject=x"),
    ("mailto:", "?cc="), ("<mailto:", ">"), ("", "?subject=x"), ("", "#top"), ("", "/inbox"),
    ("", "\\"), ("", ":25"), ("Ann <", ">"), ('"Archer, Ann" <', ">"), ("Ann Archer <", ">;"),
    ("=?utf-8?q?Ann?= <", ">"), ("Ann (private) <", ">"), ("", " (Ann)"), ("(Ann) ", ""),
    ("mailto:mailto:", ""), ("http://", "/"), ("email:", ""), ("<a href='mailto:", "'>"),
    ("'", ""), ('"', ""), ("", "*"), ("\ufeff<", ">\u200b,"), ("https://", ""), ("to=<", ">"),
    ("&lt;", "&gt;"), ("\\", ""), ("//", ""), ("bob@example.com <", ">"),
)  # fmt: skip


def list_spellings(local_part: str) -> list[str]:
    """Return more than 200 spellings of `local_part@bücher.example`, each once.

    A service may reject some of them, but none may become another user.
    """
    plain = f"{local_part}@{IN_ASCII}"
    written = f"{local_part}@{DOMAIN}"
    ways = itertools.chain(
        _vary_case(plain, written),
        (f"{mark}{one}" for mark in _INVISIBLE for one in (plain,)),
        (f"{one}{mark}" for mark in _INVISIBLE for one in (written,)),
        (plain.replace("@", f"@{mark}") for mark in _INVISIBLE),
        (f"{local_part[:3]}{mark}{local_part[3:]}@{DOMAIN}" for mark in _INVISIBLE[:12]),
        (f"{one}{after}" for after in _AFTER for one in (plain, written)),
        (f"{before}{one}{after}" for before, after in _AROUND for one in (plain, written)),
        _vary_domain(local_part),
        _encode(plain, written),
    )
    return [*dict.fromkeys(ways)]


def _vary_case(*addresses: str) -> Iterator[str]:
    for address in addresses:
        yield from (address, address.upper(), address.title(), address.swapcase())
        yield f"  {address.capitalize()}\n"


def _vary_domain(local_part: str) -> Iterator[str]:
    for domain in (
        DOMAIN.upper(), "Bücher.Example", unicodedata.normalize("NFD", DOMAIN), "bücher。example",
        "bücher．example", "bücher｡example", "ｂüｃｈｅｒ.ｅｘａｍｐｌｅ", "XN--BCHER-KVA.example",
        "xn--bcher-kva.EXAMPLE", "bu\u0308cher.example", f"{DOMAIN}.", f"{IN_ASCII}.", f".{DOMAIN}",
        "bücher..example", "b\u00adücher.example", "bücher\u200b.example", "𝐛ücher.example",
        f"{IN_ASCII}/", f"{DOMAIN}\\x", f"{DOMAIN}?x", "xn--b\u00fccher-kva.example",
    ):  # fmt: skip
        yield f"{local_part}@{domain}"
    yield f"{local_part}＠{DOMAIN}"
    yield f"{local_part}\ufe6b{DOMAIN}"
    yield _widen(f"{local_part}@") + DOMAIN
    yield _widen(local_part) + "@" + IN_ASCII
    yield f'"{local_part}"@{DOMAIN}'
    yield f"{local_part}(comment)@{DOMAIN}"
    yield f"\U0001d433{local_part[1:]}@{DOMAIN}"  # a bold z
    yield f"{local_part} @{DOMAIN}"
    yield f"{local_part}@@{DOMAIN}"


def _encode(plain: str, written: str) -> Iterator[str]:
    yield plain.replace("@", "%40")
    yield written.replace("@", "%40").replace("ü", "%C3%BC")
    yield "".join(f"%{byte:02X}" for byte in plain.encode())
    yield f"%{ord(plain[0]):02x}{plain[1:]}"
    yield plain.replace("@", "%2540")
    yield f"mailto:{plain.replace('@', '%40')}"
    yield f"%20{plain}%0A"
    yield f"%3C{plain}%3E"
    yield plain.replace("@", "&#64;")
    yield plain.replace("@", "\\u0040")


def _widen(text: str) -> str:
    """Return a text in full-width forms."""
    return "".join(chr(ord(character) + 0xFEE0) for character in text)
