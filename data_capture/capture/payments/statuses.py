"""The statuses that all payments share, from the spellings that providers and pages use.

A spelling is compared as a whole: a part of a word proves nothing (`unpaid`, `incomplete`,
`refund_pending`). Letter case, accents and everything between words are ignored, so that
`PARTIALLY_REFUNDED`, `partiallyRefunded` and `partially-refunded` are one spelling. The name of the
object may stand before the status, as in `payment.completed` and `charge:confirmed`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

PENDING, COMPLETED, FAILED = "pending", "completed", "failed"
REFUNDED, CANCELLED, DISPUTED, UNKNOWN = "refunded", "cancelled", "disputed", "unknown"

STATUSES = (PENDING, COMPLETED, FAILED, REFUNDED, CANCELLED, DISPUTED, UNKNOWN)

_MAX_CHARACTERS = 64
_CACHED_SPELLINGS = 1024

_SPELLINGS = {
    # The payment may still succeed. The money is not there, or only reserved.
    PENDING: """
        pending, processing, in process, in progress, created, new, open, opened, initiated,
        initialized, started, draft, waiting, awaiting, queued, submitted, scheduled, incomplete,
        not completed, unpaid, not paid, partially paid, partial, underpaid, unresolved, authorized,
        authorised, preauthorized, partially authorized, requires payment method,
        pending verification, awaiting verification, verifying,
        requires confirmation, requires action, requires capture, requires source,
        requires source action, uncaptured, not captured, confirming, sending, unconfirmed,
        not confirmed, detected, received by network, on hold, held, under review, in review,
        review, pending review, pending approval, pending capture, pending payment,
        pending verification, verification pending, awaiting verification, verifying,
        pending confirmation, awaiting confirmation, awaiting payment, past due, due,
        overdue, outstanding, not started, payment required, requires payment, action required,
        payment method required, payer action required, saved, ready, retrying, delayed, billed,
        attempted, submitted for settlement, settling, settlement pending, authorizing, trialing,
        signed, unmined, mempool, broadcasted, requires 3ds, 3ds required, wait buyer pay,
        ausstehend, offen, in bearbeitung, unbezahlt, en attente, en cours, pendiente, en proceso,
        pendente, em processamento, em analise, in attesa, in sospeso, in behandeling, oczekujace,
        в ожидании, ожидает оплаты, в обработке, beklemede, 待支付, 待付款, 处理中, 保留中, 処理中,
        대기, 결제 대기, ממתין, قيد الانتظار, i behandling, vantar, odottaa, ceka na platbu,
        menunggu
    """,
    # The seller has the money, or nothing was due.
    COMPLETED: """
        completed, complete, succeeded, succeed, success, successful, successfully completed, paid,
        paid in full, fully paid, pay success, approved, captured, finished, confirmed, settled,
        done, ok, processed, received, accepted, fulfilled, resolved, credited, cleared, overpaid,
        no payment required, verified, dispute won, won, charged, completed successfully,
        finalized, finalised, trade success, trade finished, accredited,
        bezahlt, erfolgreich, abgeschlossen, bestatigt, paye, payee, reussi, reussie, termine,
        pagado, pagada, completado, completada, exitoso, aprobado, pago, paga, concluido, aprovado,
        pagato, completato, riuscito, betaald, voltooid, geslaagd, oplacone, zaplacone, zakonczone,
        оплачено, оплачен, успешно, завершено, выполнено, odendi, basarili, tamamlandi,
        支付成功, 已支付, 已付款, 成功, 完了, 支払い済み, 支払済み, 결제완료, 성공, 완료,
        שולם, مدفوع, مكتمل, ناجح, betald, betalt, maksettu, zaplaceno, zaplatene, fizetve,
        sikeres, platit,
        πληρωμενο, ολοκληρωθηκε, acreditado, acreditada, aprobada, lunas, berhasil, da thanh toan,
        thanh toan thanh cong, thanh cong, сплачено, zaplacono
    """,
    FAILED: """
        failed, fail, failure, error, errored, declined, denied, rejected, refused, unsuccessful,
        not successful, not approved, unapproved, uncollectible, blocked, invalid,
        insufficient funds, card declined, authorization failed, authentication failed,
        timed out, timeout, bounced, returned, processor declined, gateway rejected,
        settlement declined, expired card, soft declined, hard declined, do not honor,
        fraudulent, reverted, dropped, unauthorized, unauthorised,
        fehlgeschlagen, abgelehnt, echoue, refuse, refusee, fallido, fallida, rechazado, rechazada,
        recusado, recusada, falhou, fallito, rifiutato, mislukt, geweigerd, nieudane, odrzucone,
        неудачно, ошибка, отклонено, отклонен, неуспешно, basarisiz, reddedildi, 失败, 支付失败,
        失敗, 실패, נכשל, فشل, mislykket, misslyckades, epaonnistui, selhalo, sikertelen,
        gagal, that bai
    """,
    # The money went back, in full or in part: no sum of completed payments may contain it.
    REFUNDED: """
        refunded, refund, partially refunded, partial refund, fully refunded, full refund,
        refund succeeded, refund completed, refund processed, refund issued, refunded partially,
        reimbursed, reversed, reversal, credit note, money back,
        erstattet, zuruckerstattet, ruckerstattet, rembourse, remboursee, reembolsado, reembolsada,
        devuelto, estornado, rimborsato, terugbetaald, zwrocone, возвращено, возврат, iade edildi,
        已退款, 返金済み
    """,
    # Given up before any money moved.
    CANCELLED: """
        cancelled, canceled, cancel, voided, void, expired, abandoned, aborted, withdrawn,
        user cancelled, user canceled, cancelled by user, canceled by user, cancelled by customer,
        canceled by customer, closed by user, cancellation complete, cancelation complete,
        storniert, abgebrochen, widerrufen, annule, annulee, cancelado, cancelada, annullato,
        geannuleerd, anulowane, отменено, отменен, iptal edildi, 已取消, 已关闭, キャンセル
    """,
    DISPUTED: """
        disputed, dispute, chargeback, charged back, chargedback, in dispute, under dispute,
        needs response, warning needs response, chargebacked, dispute created, dispute opened,
        inquiry, retrieval,
        dispute lost, chargeback lost, angefochten, ruckbuchung, conteste, litige, disputado,
        contracargo, em disputa, contestato, betwist, оспорено
    """,
}
"""By status, its spellings, with commas between them."""

_OBJECTS = (
    "subscriptionpayment", "checkoutsession", "paymentintent", "paymentstatus", "payment",
    "transaction", "charge", "order", "invoice", "capture", "checkout", "session", "sale",
    "status", "txn", "purchase",
)  # fmt: skip
_OBJECT = re.compile("|".join(_OBJECTS))
_SEPARATORS = re.compile(r"[\W_]+")
_STROKES = str.maketrans("łøđı", "lodi")  # letters that have no accent to remove


def _fold(spelling: str) -> str:
    """Return a spelling without case, accents and separators."""
    folded = unicodedata.normalize("NFKD", spelling).casefold().translate(_STROKES)
    letters = "".join(letter for letter in folded if not unicodedata.combining(letter))
    return _SEPARATORS.sub("", letters)


_STATUS_OF = {
    _fold(spelling): status
    for status, spellings in _SPELLINGS.items()
    for spelling in spellings.split(",")
}


@lru_cache(maxsize=_CACHED_SPELLINGS)
def normalise_status(spelling: str) -> str:
    """Return the shared status for a provider's spelling; UNKNOWN if it is not known."""
    if len(spelling) > _MAX_CHARACTERS:
        return UNKNOWN
    word = _fold(spelling)
    # One object at a time: `payment.captured` and `payment.chargeback` begin with two.
    while word not in _STATUS_OF:
        match = _OBJECT.match(word)
        if match is None:
            return UNKNOWN
        word = word[match.end() :]
    return _STATUS_OF[word]
