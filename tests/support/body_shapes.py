"""Bodies that take, or could take, more than linear time to process, by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count, islice, product
from typing import NamedTuple

EMAIL = "shapes@example.com"
MAX_VALUES = 49_000  # a little less than the commas, and the brackets, that the service accepts

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Shape(NamedTuple):
    """A kind of capture, and the function that makes a body of about the given bytes."""

    kind: str
    body: Callable[[int], bytes]


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def capture_body(members: bytes) -> bytes:
    return b'{"user_email":"%s",%s}' % (EMAIL.encode(), members)


def _note(text: str) -> bytes:
    return capture_body(b'"note":' + _json(text))


def _repeated(piece: str, end: str = "", start: str = "") -> Callable[[int], bytes]:
    """Return a maker of bodies whose text repeats one piece."""

    def body(size: int) -> bytes:
        return _note(start + piece * max(1, size // len(_json(piece)[1:-1])) + end)

    return body


def _members(spell: Callable[[int], str], value: str = "1") -> Callable[[int], bytes]:
    """Return a maker of objects with many members, whose keys `spell` makes from numbers."""

    def body(size: int) -> bytes:
        return capture_body(
            _joined(
                (f"{json.dumps(spell(number), ensure_ascii=False)}:{value}" for number in count()),
                size,
            )
        )

    return body


def _items(
    spell: Callable[[int], str], before: str = '"list":[', after: str = "]"
) -> Callable[[int], bytes]:
    """Return a maker of lists of many values, which `spell` makes from numbers."""

    def body(size: int) -> bytes:
        return capture_body(
            before.encode() + _joined((spell(number) for number in count()), size) + after.encode()
        )

    return body


def _joined(pieces: Iterator[str], size: int) -> bytes:
    """Join pieces with commas, up to a size and to the values that the service accepts."""
    chosen: list[str] = []
    length = commas = brackets = 0
    for piece in pieces:
        length += len(piece.encode()) + 1
        commas += piece.count(",") + 1
        brackets += piece.count("{") + piece.count("[")
        if length > size or commas > MAX_VALUES or brackets > MAX_VALUES:
            break
        chosen.append(piece)
    return ",".join(chosen).encode()


def _name_of(number: int, letters: str = _LETTERS) -> str:
    """Return a short name for a number, of letters only."""
    name = ""
    while True:
        number, place = divmod(number, len(letters))
        name += letters[place]
        if not number:
            return name


def _spelled(name: str) -> Callable[[int], str]:
    """Return a maker of many spellings of a name, with hyphens and underscores in it."""

    def spell(number: int) -> str:
        between = "".join("-_"[number >> place & 1] for place in range(number.bit_length()))
        return name[:1] + between + name[1:]

    return spell


def _nested(size: int, opening: str, closing: str, depth: int = 60) -> bytes:
    chain = opening * depth + "1" + closing * depth
    return capture_body(b'"list":[' + _joined((chain for _ in count()), size) + b"]")


def _nested_objects(size: int) -> bytes:
    return _nested(size, '{"a":', "}")


def _nested_secrets(size: int) -> bytes:
    return _nested(size, '{"pin":', "}", 61)


def _nested_pairs(size: int) -> bytes:
    chain = '{"value":' * 50 + "1" + ',"name":"cvv"}' * 50
    return capture_body(b'"list":[' + _joined((chain for _ in count()), size) + b"]")


def _json_in_texts(size: int) -> bytes:
    """Make a string of JSON that contains strings of JSON, five levels deep."""
    inner = "x" * (size // 40)
    for _ in range(5):
        inner = json.dumps({"state": inner, "pin": 1})
    return _note(inner + " " * (size // 2))


def _many_json_texts(size: int) -> bytes:
    text = json.dumps(json.dumps({"api": {"key": "abc"}}))
    return capture_body(b'"list":[' + _joined((text for _ in count()), size) + b"]")


def _broken_json_texts(size: int) -> bytes:
    text = json.dumps("[" * 62 + "{")
    return capture_body(b'"list":[' + _joined((text for _ in count()), size) + b"]")


def _large_broken_json(size: int) -> bytes:
    return _note("[" + "1 ," * (min(size, 3 * MAX_VALUES) // 3) + "!")


def _several_pictures(size: int) -> bytes:
    picture = "iVBORw0KGg" + "A" * 1_000
    return capture_body(
        _joined(
            (
                f"{json.dumps(_spelled('screenshot')(number))}:{json.dumps(picture)}"
                for number in count()
            ),
            size,
        )
    )


def _a_batch(size: int) -> bytes:
    member = {
        "type": "dashboard",
        "user_email": EMAIL,
        **{
            name: []
            for name in (
                "total_pnl",
                "win_rate",
                "total_trades",
                "average_win",
                "average_loss",
                "max_drawdown",
                "gross_loss",
            )
        },
    }
    members = [{**member, "pins": [1] * max(1, size // 100 // 3)} for _ in range(100)]
    return _json({"captures": members})


def _batch_of_names(size: int) -> bytes:
    each = size // 100
    members = []
    numbers = count()
    for _ in range(100):
        names = islice(numbers, max(1, each // 12))
        members.append(
            {
                "type": "payment",
                "user_email": EMAIL,
                **{f"pwd={_name_of(number)}": 1 for number in names},
            }
        )
    return _json({"captures": members})


def _batch_of_new_users(size: int) -> bytes:
    kinds = ("payment", "dashboard", "questionnaire")
    note = "x" * max(1, size // 100 - 110)
    return _json({"captures": [
        {"type": kinds[number % 3], "user_email": f"{number}-{size}@example.com",
         "transaction_id": f"t{number}", "note": note}
        for number in range(100)
    ]})  # fmt: skip


def _batch_of_one_user(size: int) -> bytes:
    note = "x" * max(1, size // 100 - 90)
    return _json({"captures": [
        {"type": "dashboard", "user_email": EMAIL, "total_pnl": number, "note": note}
        for number in range(100)
    ]})  # fmt: skip


def _sections(size: int) -> bytes:
    inner = ",".join(
        f"{json.dumps(_spelled('totalpnl')(number))}:[]"
        for number in range(max(1, size // 9 // 22))
    )
    names = ["tradingState", "dashboardData"]
    parts = [f'"{name}":{{{inner}}}' for name in names]
    metrics = "".join(
        f'"{name}":{{{inner}}},' for name in ("performanceMetrics", "riskSettings", "dailyStats")
    )
    parts.append(f'"trading-state":{{{metrics}"x":1}}')
    return capture_body(",".join(parts).encode())


def _keys_in_sections(size: int) -> bytes:
    """Make a dashboard with the same short keys in each section that is searched for fields."""
    spelled = (
        f'"{_name_of(number)}":1' for number in range(max(1, min(size // 45, MAX_VALUES // 5)))
    )
    inner = ",".join(spelled)
    data = "".join(f',"{name}":{{{inner}}}' for name in ("performance", "riskProtocol", "account"))
    return capture_body(f'"dashboardData":{{{inner}{data}}},"tradingState":{{{inner}}}'.encode())


def _spellings_of_sections(size: int) -> bytes:
    return capture_body(
        _joined((f"{json.dumps(_spelled('paymentdata')(number))}:{{}}" for number in count()), size)
    )


def _texts_as_sections(size: int) -> bytes:
    """Make sections that are strings of JSON, each invalid only at its end."""
    broken = json.dumps('{"a":[' + "1," * min(size // 6, MAX_VALUES // 8))
    return capture_body(
        ",".join(
            f'"{name}":{broken}' for name in ("tradingState", "dashboardData", "user", "userData")
        ).encode()
    )


def _envelopes_of_texts(size: int) -> bytes:
    """Texts that are envelopes: each is JSON in which nothing is understood."""
    names = ("data", "payload", "body", "values", "input", "form", "state", "record", "new")
    text = json.dumps(json.dumps({"x": ["[" * 8] * (size // 12 // len(names))}))
    return capture_body(",".join(f'"{name}":{text}' for name in names).encode())


def _emails(size: int) -> bytes:
    """Make many spellings of the address field, none of which has an address.

    Each value has the maximum length that is examined, with marks out of Unicode's order.
    """
    value = json.dumps("a" + "\u0301\u0323" * 250, ensure_ascii=False)
    return (
        b"{"
        + _joined(
            (f"{json.dumps(_spelled('useremail')(number))}:{value}" for number in count()), size
        )
        + b"}"
    )


def _name_of_a_pair(size: int) -> bytes:
    return capture_body(
        b'"list":[{"name":%s,"value":1}]' % _json("\uff41" + "\u0301\u0323" * (size // 4))
    )


def _names_of_pairs(size: int) -> bytes:
    names = ("key:a " * 40 + _name_of(number) for number in count())
    return capture_body(
        b'"list":[' + _joined((f'{{"name":"{name}","value":1}}' for name in names), size) + b"]"
    )


def _letters(size: int) -> bytes:
    """Make a text of as many different characters as fit, and a digit of another script."""
    characters = (chr(code) for code in range(0x4E00, 0x110000) if not 0xD800 <= code < 0xE000)
    return _note("\u0664=" + "".join(islice(characters, size // 4)))


def _surrogate_keys(size: int) -> bytes:
    spelled = ("".join(pair) for pair in product("89ab", "0123456789abcdef", "0123456789abcdef"))
    many = (
        f'"\\ud{one}\\ud{other}":1' for one in spelled for other in ("800", "900", "a00", "b00")
    )
    return capture_body(_joined(many, size))


SHAPES: dict[str, Shape] = {
    # Keys and their values.
    "keys that are masked to one name": Shape("payment", _members(lambda number: f"pwd=a{number}")),
    "keys that are masked to one card": Shape(
        "payment", _members(lambda number: f"{number} 4111111111111111"[-19:])
    ),
    "keys with a card and a number": Shape(
        "payment", _members(lambda number: "4111 1111 1111 1111" + " " * (number % 200))
    ),
    "keys that are masked to existing names": Shape(
        "payment",
        _members(
            lambda number: f"pwd=a{number}" if number % 2 else f"pwd=[redacted] ({number // 2 + 2})"
        ),
    ),
    "masked keys under a secret": Shape(
        "payment", _items(lambda number: f'"pwd=a{number}":1', '"password":{', "}")
    ),
    "short keys": Shape("dashboard", _members(_name_of)),
    "short keys and a secret": Shape(
        "dashboard", _members(lambda number: _name_of(number) if number else "password")
    ),
    "short keys with capitals and digits": Shape(
        "payment", _members(lambda number: f"A{_name_of(number, 'aBcDeF12')}")
    ),
    "keys that nearly name a secret": Shape(
        "questionnaire", _members(lambda number: f"pinpasskeycv{number}", '"x"')
    ),
    "keys around keys": Shape(
        "payment", _items(lambda number: f'{{"card":{{"number{number}":1}}}}')
    ),
    "long keys": Shape("payment", _members(lambda number: f"{number}" + "aB" * 125)),
    "keys in full width": Shape(
        "payment", _members(lambda number: f"{number}" + "\uff41\uff42" * 40)
    ),
    "keys whose marks are out of order": Shape(
        "payment", _members(lambda number: f"{number}" + "\u0301\u0323" * 120)
    ),
    "keys that are lone surrogates": Shape("payment", _surrogate_keys),
    "many spellings of one name": Shape("payment", _members(_spelled("finalprice"), "[]")),
    "many spellings of one name, all empty": Shape("payment", _members(_spelled("username"), '""')),
    "many spellings of the address": Shape("payment", _emails),
    "many spellings of a section": Shape("payment", _spellings_of_sections),
    "many spellings in each section": Shape("dashboard", _sections),
    "the same keys in each section": Shape("dashboard", _keys_in_sections),
    "objects with a time": Shape(
        "dashboard",
        _items(lambda number: f'"k{number}":{{"timestamp":1}}', '"tradingState":{', "}"),
    ),
    "many spellings of a picture": Shape("questionnaire", _several_pictures),
    "many spellings of a state": Shape("dashboard", _members(_spelled("tradingstate"), '"[1,"')),
    "envelopes that are texts": Shape("payment", _envelopes_of_texts),
    "names of form fields": Shape(
        "payment", _members(lambda number: f"a[{number % 50}][{_name_of(number)}]")
    ),
    "names of form lists": Shape("payment", _members(lambda number: f"a[b][{number}][]", "[1,2]")),
    "names of numbered fields": Shape("payment", _members(lambda number: f"1_{_name_of(number)}")),
    "sections that are broken texts": Shape("dashboard", _texts_as_sections),
    # Values.
    "secrets in a list": Shape("payment", _items(lambda _: "1", '"pins":[')),
    "secrets in lists of lists": Shape("payment", _items(lambda _: "[[1]]", '"pins":[')),
    "card numbers in a list": Shape("payment", _items(lambda _: "4111111111111111", '"list":[')),
    "numbers that are nearly cards": Shape(
        "payment", _items(lambda _: "4111111111112", '"list":[')
    ),
    "numbers with points that are nearly cards": Shape(
        "payment", _items(lambda _: "4111111111112.5", '"list":[')
    ),
    "numbers with exponents": Shape("dashboard", _items(lambda _: "1e15", '"tradingState":[')),
    "numbers with many digits": Shape(
        "dashboard", _items(lambda _: "9" * 1000, '"total_trades":7,"a":[')
    ),
    "decimals with many digits": Shape(
        "dashboard", _items(lambda _: f"4.{'9' * 990}", '"tradingState":[')
    ),
    "a decimal with very many digits": Shape(
        "dashboard", lambda size: capture_body(b'"total_pnl":4.' + b"1" * size)
    ),
    "a large decimal with very many digits": Shape(
        "payment", lambda size: capture_body(b'"plan_name":4111111111111.' + b"1" * size)
    ),
    "pairs": Shape("payment", _items(lambda _: '{"name":"cvv","value":1}')),
    "pairs with many names": Shape("payment", _names_of_pairs),
    "a pair with a very long name": Shape("payment", _name_of_a_pair),
    "a pair whose name is letters": Shape(
        "payment",
        lambda size: capture_body(b'"list":[{"name":"%s","value":"1"}]' % (b"A" * size)),
    ),
    "a card number without end": Shape(
        "payment", lambda size: capture_body(b'"cardNumber":"%s"' % (b"4-" * (size // 2)))
    ),
    "a state of quotes": Shape(
        "dashboard",
        lambda size: capture_body(b'"tradingState":{"a":"%s"}' % (b'\\"' * (size // 2))),
    ),
    "a coupon whose type is a list": Shape(
        "payment", _items(lambda _: "1.5", '"coupon":{"type":[', "]}")
    ),
    "nested objects": Shape("dashboard", _nested_objects),
    "nested lists": Shape("dashboard", lambda size: _nested(size, "[", "]")),
    "nested secrets": Shape("payment", _nested_secrets),
    "nested pairs": Shape("payment", _nested_pairs),
    "JSON in texts in texts": Shape("dashboard", _json_in_texts),
    "many texts that are JSON": Shape("payment", _many_json_texts),
    "many texts that are nearly JSON": Shape("payment", _broken_json_texts),
    "a text that is nearly JSON": Shape("payment", _large_broken_json),
    "texts with a secret": Shape("payment", _items(lambda _: '"pin=1234"')),
    "texts with a card": Shape("payment", _items(lambda _: '"4111 1111 1111 1111"')),
    "empty objects": Shape("dashboard", _items(lambda _: "{}", '"trades":[')),
    "a batch with warnings and secrets": Shape("batch", _a_batch),
    "a batch for new users": Shape("batch", _batch_of_new_users),
    "a batch for one user": Shape("batch", _batch_of_one_user),
    "a batch of masked keys": Shape("batch", _batch_of_names),
    # Texts.
    "words that name a secret": Shape("payment", _repeated("pwd=")),
    "words that name a secret, in quotes": Shape("payment", _repeated('pwd="')),
    "words that name a secret, with values": Shape("payment", _repeated("key:a ")),
    "words that nearly name a secret": Shape("payment", _repeated("token = ,")),
    "words with blanks": Shape("payment", _repeated("pwd         =         ")),
    "words with backslashes": Shape("payment", _repeated("cvv" + "\\" * 64)),
    "codes": Shape("payment", _repeated("cvv   number   =   ")),
    "codes without end": Shape("payment", _repeated("pin:123456789")),
    "private keys that begin": Shape("payment", _repeated("-----BEGIN PRIVATE KEY----- ")),
    "private keys that nearly end": Shape(
        "payment", _repeated("-----END " + "A" * 25, start="-----BEGIN PRIVATE KEY-----")
    ),
    "tokens": Shape("payment", _repeated("eyJ")),
    "tokens with points": Shape("payment", _repeated("eyJaaaaaaaa.eyJaaaaaaaa ")),
    "tokens without end": Shape("payment", _repeated(".eyJaaaaaaaa")),
    "bearers": Shape("payment", _repeated("Bearer Bearer abcdefghabcdefg ")),
    "digits": Shape("payment", _repeated("4")),
    "digits with blanks": Shape("payment", _repeated("4 ")),
    "digits of no issuer with blanks": Shape("payment", _repeated("9 ")),
    "digits with three blanks": Shape("payment", _repeated("4   ")),
    "twelve digits with blanks": Shape("payment", _repeated("4   " * 12 + "x")),
    "cards": Shape("payment", _repeated("4111111111111111,")),
    "nearly cards": Shape("payment", _repeated("4111111111111112 ")),
    "cards in words": Shape("payment", _repeated("abcdefghijklmnopqrstuvwxyzabcd4111111111111111")),
    "cards in groups": Shape("payment", _repeated("4111.1111.1111.1111.")),
    "names of secrets": Shape("payment", _repeated("my password ")),
    "long names of secrets": Shape("payment", _repeated("pass_word_")),
    "secrets without end": Shape("payment", _repeated("password: a b ")),
    "secrets that are said": Shape("payment", _repeated("password is a ")),
    "words of seed phrases": Shape("payment", _repeated("abandon ability ")),
    "lists of prices": Shape("payment", _repeated("4111,1250,2222,6500\\n")),
    "cards in lists": Shape("payment", _repeated("4111, 1111, 1111, 1111; ")),
    "groups with many blanks": Shape("payment", _repeated("4111      1111  ,  ")),
    "addresses of card numbers": Shape("payment", _repeated("4111111111111111@")),
    "nearly IBANs": Shape("payment", _repeated("DE89 3704 0044 0532 0130 01 ")),
    "beginnings of IBANs": Shape("payment", _repeated("DE89 3704 0044 ")),
    "percent-encoded digits": Shape("payment", _repeated("%34")),
    "percent-encoded digits and blanks": Shape("payment", _repeated("%34%20%20%20%20%20%20")),
    "digits that are escaped twice": Shape("payment", _repeated("%5Cu0034")),
    "broken escapes": Shape("payment", _repeated("%3%2\\u003\\u00")),
    "digits of other scripts": Shape("payment", _repeated("\u0664 ")),
    "letters of all scripts": Shape("payment", _letters),
    "equals signs and words": Shape("payment", _repeated("=a ")),
    "letters that are longer in lower case": Shape("payment", _repeated("\u0130=")),
    "marks out of order": Shape("payment", _repeated("\u0301\u0323", start="4=")),
    "backslashes": Shape("payment", _repeated("\\")),
    "quotes": Shape("payment", _repeated('"')),
    "times": Shape("payment", _repeated("12:30:00 ")),
    "base64 with an invalid end": Shape("payment", _repeated("A", "!")),
    "base64 with line ends and an invalid end": Shape(
        "payment", _repeated("\n", "!", "iVBORw0KGg")
    ),
    "base64 with line ends": Shape("payment", _repeated("A" * 59 + "\n", "=\n!", "iVBORw0KGg")),
    "base64 with blanks": Shape("payment", _repeated(" ", "!", "iVBORw0KGg==")),
    "many beginnings of pictures": Shape("payment", _items(lambda _: '"iVBORw0KGg\\n\\n\\n!"')),
    "an invalid picture": Shape(
        "questionnaire",
        lambda size: capture_body(
            b'"screenshot":"data:image/png;base64,iVBORw0KGg' + b"\\n" * (size // 2) + b'!"'
        ),
    ),
    "a list in a text": Shape(
        "questionnaire",
        lambda size: capture_body(b'"crypto_assets":"%s"' % (b"a," * min(size // 2, MAX_VALUES))),
    ),
    "a number with blanks": Shape(
        "payment", lambda size: capture_body(b'"final_price":"$%s"' % (b" " * size))
    ),
    "a time with decimals": Shape(
        "payment",
        lambda size: capture_body(b'"capture_timestamp":"2024-01-15T10:30:00.%sZ"' % (b"1" * size)),
    ),
    "masked names that exist": Shape(
        "payment", _members(lambda number: "_" * (number % 240) + f"masked{number // 240 or ''}")
    ),
}
