"""The names under which pages say who the user is: address, name and id.

In each list the preferred name comes first. What the payload says of its user comes before what it
says of the payer, and that before what it says of the account that is signed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from data_capture.capture.conversion import ColumnValue, described_as
from data_capture.capture.converters import is_absent, text
from data_capture.capture.email import (
    is_made_up,
    normalise_as_before,
    normalise_email,
    normalise_placeholders,
)
from data_capture.capture.email_search import search_email
from data_capture.capture.field_lookup import (
    KEYS_BY_NAME,
    PAYLOAD_ITSELF,
    Aliases,
    FieldLookup,
    FieldPath,
    KeyLayout,
    WholeObject,
    normalise_name,
)
from data_capture.json_codec import JsonObject
from data_capture.problems import UNUSABLE, FieldError, Problem

# Objects that describe the user, as the page's own code names them.
_USERS = ("userData", "user", "userProfile")
# Objects that describe who pays, in the page's form or in a payment provider's object.
_PAYERS = (
    "customer", "customer_details", "customer_info", "billing_details",
    "payment_method.billing_details", "payment_source.paypal", "payer", "payer_info", "buyer",
    "purchaser", "client", "subscriber", "billing", "billing_address", "billing_info",
    "billing_contact", "prefill",
)  # fmt: skip
# Objects that describe the user in forms, in metadata and in objects of an API.
_CONTACTS = (
    "contact", "contact_info", "person", "form", "form_data", "values", "profile", "member",
    "account", "attributes", "metadata", "user_metadata", "raw_user_meta_data",
)  # fmt: skip
# Objects of a sale, which may say who pays.
_SALES = (
    "order", "invoice", "checkout", "charge", "latest_charge", "charges", "payment_intent",
    "checkout_session", "transaction", "purchase", "subscription",
)  # fmt: skip
_SIGNED_IN = (
    "current_user", "session.user", "auth.user", "auth", "session", "logged_in_user",
    "signed_in_user",
)  # fmt: skip
# These come last, because the recipient of a parcel may be another person.
_RECIPIENTS = ("shipping", "shipping_details", "shipping_address", "shipping_contact")

EMAIL_ALIASES = Aliases(
    "user_email", "email", "email_address", "user_email_address", "mail", "user_mail", "email.*",
    *(f"{place}.*" for place in _USERS),
    "customer_email", "customer_email_address", "customer_mail", "billing_email",
    "billing_email_address", "receipt_email", "payer_email", "payer_email_address", "buyer_email",
    "purchaser_email", "client_email", "subscriber_email", "invoice_email", "order_email",
    "checkout_email",
    *(f"{place}.*" for place in (*_PAYERS, *_SALES)),
    "contact_email", "member_email", "profile_email", "account_email", "login_email", "your_email",
    "primary_email", "primary_email_address", "email_addresses", "emails",
    *(f"{place}.*" for place in _CONTACTS),
    "current_user_email", "session_email",
    *(f"{place}.*" for place in _SIGNED_IN),
    "shipping_email",
    *(f"{place}.*" for place in _RECIPIENTS),
    # Some pages have the address where others have a name or an id.
    "user", "customer", "payer", "buyer", "username", "user_name", "user_id", "login",
)  # fmt: skip

# The normalised names and the objects of addresses that may be someone else's than the payer's.
_LATE_NAMES = frozenset(map(normalise_name, (
    "current_user_email", "session_email", "shipping_email", "user", "customer", "payer", "buyer",
    "username", "user_name", "user_id", "login",
)))  # fmt: skip
_LATE_OBJECTS = frozenset((*_SIGNED_IN, *_RECIPIENTS))

# In other languages than English. The first ones of them can also be a full name, or a thing's.
_NAMES_ALONE = ("nombre", "nome", "nom", "imię", "imie", "имя")
_FIRST_NAMES_ABROAD = ("vorname", "prénom", "prenom", "förnamn", "fornavn", "voornaam")
_LAST_NAMES_ABROAD = (
    "nachname", "familienname", "apellido", "apellidos", "cognome", "sobrenome", "nazwisko",
    "фамилия", "efternamn", "etternavn", "efternavn", "achternaam",
)  # fmt: skip

SALES = frozenset(map(normalise_name, _SALES))
"""The normalised names of objects that may have anything in them, besides an address."""

USER_ID_ALIASES = ("userData.id", "user.id")

# A login name inside an object is taken only where no other name is given. The names with a leading
# point count at the top only: sections have no user of their own.
USER_NAME_ALIASES = (
    "full_name",
    *(f"{place}.*" for place in _USERS),
    "*first_name", "*given_name", "*forename", "*fname", "*last_name", "*family_name", "*surname",
    "*lname", *(f"*{name}" for name in (*_FIRST_NAMES_ABROAD, *_LAST_NAMES_ABROAD, *_NAMES_ALONE)),
    "nombre_completo", "nome_completo", "nom_complet", "vollständiger_name", ".name_on_card",
    ".customer_name", ".billing_name", ".payer_name", ".buyer_name", ".client_name",
    *(f"{place}.*" for place in (*_PAYERS, *_CONTACTS)),
    "account.full_name", "attributes.full_name", "form.full_name", "metadata.full_name",
    "metadata.customer_name", "name", "name.*", ".display_name", ".contact_name", ".your_name",
    ".cardholder_name",
    "userData.username", "user.username", "username",
    *(f"{place}.*" for place in (*_SIGNED_IN, *_RECIPIENTS)),
)  # fmt: skip

# Normalised names of members, the preferred one first.
_METADATA_MEMBERS = ("usermetadata", "rawusermetadata")  # of a Supabase user
_EMAIL_MEMBERS = (
    "email", "useremail", "emailaddress", "customeremail", "mail", "primaryemailaddress",
    "primaryemail", "emailaddresses", "emails", "address", "value", *_METADATA_MEMBERS,
    "billingemail", "receiptemail", "payeremail", "buyeremail", "customer", "customerdetails",
    "billingdetails", "payer", "buyer", "user", "userdata", "profile", "contact", "data",
)  # fmt: skip
_FIRST_NAMES = (
    "firstname", "givenname", "forename", "fname", "first", "given", *_FIRST_NAMES_ABROAD,
    "nombre", "nome", "imię", "imie", "имя",
)  # fmt: skip
_MIDDLE_NAMES = ("middlename", "middle")
_LAST_NAMES = (
    "lastname", "familyname", "surname", "lname", "last", "family", *_LAST_NAMES_ABROAD, "nom",
)  # fmt: skip
_PARTS_OF_NAMES = frozenset((*_FIRST_NAMES, *_LAST_NAMES))
# Objects whose `name` may be their own: that of a trading account is not its owner's.
_NAMED_THEMSELVES = frozenset({PAYLOAD_ITSELF, "account", "attributes", "form", "metadata"})
_PARTS_IN_OTHER_OBJECTS = _PARTS_OF_NAMES - {"first", "last", "given", "family", *_NAMES_ALONE}
_PARTS_ABROAD = frozenset((*_FIRST_NAMES_ABROAD, *_LAST_NAMES_ABROAD))
_MEMBERS_WITH_NAMES = _PARTS_OF_NAMES | {"fullname", "name", "displayname", *_METADATA_MEMBERS}
_MAX_EMAILS_TRIED = 20  # of one payload, which may spell the aliases of its email in many ways
_MAX_NESTED_OBJECTS = 5  # charges.data[0].billing_details.email


@described_as(
    "The user's name: a text, which is trimmed, or an object with the full name or its parts, such "
    "as firstName and lastName."
)
def person_name(value: Any) -> ColumnValue:
    """Convert a name, or the object that has it, to a trimmed text; None if it has no name."""
    if not isinstance(value, WholeObject):
        return text(value)
    if value.path in _NAMED_THEMSELVES:
        parts = _PARTS_IN_OTHER_OBJECTS
        if not _PARTS_ABROAD.isdisjoint(KEYS_BY_NAME.get(value.members)):
            parts |= frozenset(_NAMES_ALONE)
        return _join_parts(value.members, parts)
    return _find_name(value.members, _MAX_NESTED_OBJECTS)


class FoundEmail(NamedTuple):
    """The address of the user of a payload.

    Attributes:
        email: normalised.
        earlier_email: as earlier versions spelled it; None if they spelled it the same.
        object_path: the object that has it; "" for the payload.
    """

    email: str
    earlier_email: str | None
    object_path: str


NO_USER = FoundEmail("", None, "")
"""The user of a payload without an address."""


def find_email(
    lookup: FieldLookup,
    layout: KeyLayout,
    placeholder_emails: tuple[str, ...],
    *,
    searches_payload: bool = False,
) -> FoundEmail:
    """Return the first usable email address of the user; one that a page made up comes last.

    Args:
        lookup: the payload.
        layout: where the addresses can be in it.
        placeholder_emails: addresses that stand for nobody.
        searches_payload: whether to look everywhere before the account that is signed in counts.

    Raises:
        Problem: 422, there is none.
    """
    message = "is missing"
    tried = 0
    made_up: FoundEmail | None = None
    for path in layout.email_paths:
        found = lookup.find(path)
        if found is None:
            continue
        if tried >= _MAX_EMAILS_TRIED:
            break
        # Nearly every address is a text. Through the generator, parsing takes 3 % longer.
        texts: Iterable[Any] = (found[1],)
        if not isinstance(found[1], str):
            texts = islice(_emails_in(found[1]), _MAX_EMAILS_TRIED - tried)
        for sent in texts:
            tried += 1
            email = normalise_email(sent)
            if email is None:
                message = "is not an email address"
            elif email in normalise_placeholders(placeholder_emails):
                message = "is a placeholder that stands for nobody"
            else:
                if searches_payload and path[1] != "user_email" and _is_late(path):
                    searched = search_email(
                        lookup.payload, normalise_placeholders(placeholder_emails)
                    )
                    if searched is not None:
                        return FoundEmail(searched, None, "")
                earlier = None if email == sent else normalise_as_before(sent)
                found_email = FoundEmail(email, None if earlier == email else earlier, path[0])
                if not is_made_up(email):
                    return found_email
                made_up = made_up or found_email
    if searches_payload:
        searched = search_email(lookup.payload, normalise_placeholders(placeholder_emails))
        if searched is not None:
            return FoundEmail(searched, None, "")
    if made_up is not None:
        return made_up
    raise Problem(
        UNUSABLE,
        f"The user_email {message}, so this can't be attributed to anyone.",
        errors=[FieldError("user_email", message)],
    )


def _is_late(path: FieldPath) -> bool:
    """Tell whether an address at a path may be someone else's than the payer's."""
    if path[0]:
        return path[0] in _LATE_OBJECTS
    return normalise_name(path[1]) in _LATE_NAMES


def _emails_in(value: Any, depth: int = _MAX_NESTED_OBJECTS) -> Iterator[Any]:
    """Yield what may be the user's address: a value, or the members of an object with one."""
    if isinstance(value, list) and len(value) == 1 and depth:
        yield from _emails_in(value[0], depth - 1)
    elif isinstance(value, (dict, WholeObject)) and depth:
        members = value if isinstance(value, dict) else value.members
        for found in _members_named(members, _EMAIL_MEMBERS):
            yield from _emails_in(found, depth - 1)
    else:
        yield value


def prefer_object(paths: tuple[FieldPath, ...], object_path: str) -> tuple[FieldPath, ...]:
    """Sort the paths of a name so that those of one object follow the payload's own members.

    A payload can name several users; the name must be that of the user with the address.
    """
    if object_path in _USERS:
        return paths  # these come first anyway
    return tuple(sorted(paths, key=lambda path: path[0] not in ("", object_path)))


def _find_name(members: JsonObject, depth: int) -> ColumnValue:
    """Return the first usable name among an object's members: full, in parts, or for display."""
    # Many objects of a user have none. Without this shortcut, parsing a dashboard takes 4 % longer.
    if _MEMBERS_WITH_NAMES.isdisjoint(KEYS_BY_NAME.get(members)):
        return None
    for full_name in _members_named(members, ("fullname",)):
        if isinstance(full_name, str):
            return text(full_name)
    joined = _join_parts(members, _PARTS_OF_NAMES)
    if joined is not None or not depth:
        return joined
    for found in _members_named(members, ("name", "displayname", *_METADATA_MEMBERS)):
        name = text(found) if isinstance(found, str) else None
        if isinstance(found, dict):
            name = _find_name(found, depth - 1)
        if name is not None:
            return name
    return None


def _join_parts(members: JsonObject, parts: frozenset[str]) -> ColumnValue:
    """Join first, middle and last name; None if the object has neither a first nor a last one."""
    if parts.isdisjoint(KEYS_BY_NAME.get(members)):
        return None
    first = _first_text(members, _FIRST_NAMES, parts)
    middle = _first_text(members, _MIDDLE_NAMES, frozenset(_MIDDLE_NAMES))
    last = _first_text(members, _LAST_NAMES, parts)
    return text(" ".join(filter(None, (first, middle, last)))) if first or last else None


def _first_text(members: JsonObject, names: Iterable[str], allowed: frozenset[str]) -> str | None:
    values = _members_named(members, [name for name in names if name in allowed])
    return next((value.strip() for value in values if isinstance(value, str)), None)


def _members_named(members: JsonObject, names: Iterable[str]) -> Iterator[Any]:
    """Yield the values that are not absent under these normalised names, in order."""
    keys = KEYS_BY_NAME.get(members)
    for name in names:
        for key in keys.get(name, ()):
            if not is_absent(members[key]):
                yield members[key]
