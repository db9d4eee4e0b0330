"""Texts that pages send in place of an identifier that they do not have.

Payments with the same placeholder would be taken for one payment, and one of them would be lost.
"""

from __future__ import annotations

import re
import unicodedata

_MAX_CHARACTERS = 80
_SURE_DIGIT = re.compile(r"[1-9]")
_NOT_AN_ID = re.compile(
    r"(?:0x)?[0\W_]*"  # 0, 00000000-0000-0000-0000-000000000000, and nothing but marks
    r"|-1"
    r"|\[object [a-z]*\]"
    r"|function\b.*"
    # undefined-undefined, pi_undefined, order-null
    r"|(?:[a-z]+[\W_]+)*(?:undefined|null|nan)"
    r"|x{2,}|infinity",
    re.IGNORECASE | re.DOTALL,
)
_TEMPLATE = re.compile(r"[$#]?\{{1,2}[^{}]*\}{1,2}|<[^<>]*>|%[sd]|:[a-z_]+", re.ASCII)
_BETWEEN_WORDS = re.compile(r"[\W_]+")

_WORDS = """
undefined null none nil nan true false yes no unknown unset empty blank missing tbd todo na invalid
invaliddate notset notavailable notapplicable notfound noid nodata novalue noresponse nothing
pending processing complete completed success successful succeeded fail failed failure cancel
cancelled canceled error loading initiated created waiting approved declined rejected paid unpaid
captured confirmed finished refunded draft new open
test testing demo dummy sample example placeholder default temp tmp temporary manual free cash
id txid txnid txhash hash reference transaction transactionid transactionhash paymentid orderid
invoiceid yourtransactionid yourpaymentid yourorderid transactionidhere txplaceholder
kein keine keiner keines nichts unbekannt fehler test ninguno ninguna nada desconocido aucun aucune
rien inconnu nessuno nessuna niente sconosciuto nenhum nenhuma desconhecido geen onbekend ingen
inget okand ukjent ukendt ei tuntematon brak nieznany zadny zadne neznamy nincs ismeretlen yok
bilinmiyor нет отсутствует неизвестно немає なし 無し 不明 无 無 未知 没有 없음 لايوجد غيرمعروف
"""


def _fold(text: str) -> str:
    """Return a text without case, accents and what stands between words."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(char for char in folded if not unicodedata.combining(char))
    return _BETWEEN_WORDS.sub("", letters)


_FOLDED_WORDS = frozenset(map(_fold, _WORDS.split()))


def is_id_placeholder(text: str) -> bool:
    """Tell whether a trimmed text is such a placeholder."""
    # Most ids have a digit. Then only a template or -1 could be a placeholder.
    if _SURE_DIGIT.search(text) is not None and text[:1] not in "$#{<[%:-":
        return False
    if len(text) > _MAX_CHARACTERS:
        return False
    if _NOT_AN_ID.fullmatch(text) is not None or _TEMPLATE.fullmatch(text) is not None:
        return True
    return _SURE_DIGIT.search(text) is None and _fold(text) in _FOLDED_WORDS
