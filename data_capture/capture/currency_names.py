"""The currencies as data: their codes, their decimals, and the names under which pages write them.

Codes and decimals are those of ISO 4217, list one, with codes that were replaced recently.
"""

from __future__ import annotations

_CODES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP
BYN BZD CAD CDF CHE CHF CHW CLF CLP CNH CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN
ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD
JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP
MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON
RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP
TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XAG XAU XBA XBB XBC
XBD XCD XCG XDR XOF XPD XPF XPT XSU XUA YER ZAR ZMW ZWG ZWL
"""
CODES = frozenset(_CODES.split())

_COINS = """
AAVE ADA ALGO APT ARB ATOM AVAX BCH BNB BTC BTT CRO DASH DGB DOGE DOT EOS ETC ETH FIL FTM HBAR ICP
INJ KAS LINK LTC MATIC NEAR PEPE POL SHIB SOL STETH SUI TIA TON TRX UNI VET WBTC WETH XBT XLM XMR
XRP XTZ ZEC
"""
COINS = frozenset(_COINS.split())
"""Cryptocurrencies, which are not in ISO 4217. Their amounts can have more than two decimals."""

_STABLECOINS = "BUSD DAI EURC EURT FDUSD PYUSD RLUSD TUSD USDC USDD USDE USDP USDS USDT"
STABLECOINS = frozenset(_STABLECOINS.split())
"""Cryptocurrencies that follow a currency's price, so that their amounts look like its amounts."""

_WITHOUT_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_WITH_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
MINOR_DIGITS = {
    **dict.fromkeys(_WITHOUT_DECIMALS.split(), 0),
    **dict.fromkeys(_WITH_THREE_DECIMALS.split(), 3),
    "CLF": 4,
    "UYW": 4,
}
"""The decimals of the currencies that do not have two."""

_DOLLARS = (
    "USD ARS AUD BBD BMD BND BRL BSD BZD CAD CLP COP CUP CVE DOP FJD GYD HKD JMD KYD LRD MXN NAD "
    "NIO NZD SBD SGD SRD TOP TTD TWD UYU WST XCD ZWG ZWL"
)
_POUNDS = "GBP EGP FKP GIP LBP SDG SHP SSP SYP"
_RUPEES = "INR LKR MUR NPR PKR SCR"
_FRANCS = "BIF CDF CHF DJF GNF KMF RWF XAF XOF XPF"

NAMES = {
    "$": _DOLLARS, "＄": _DOLLARS, "﹩": _DOLLARS, "dollar": _DOLLARS, "dollars": _DOLLARS,
    "pound": _POUNDS, "pounds": _POUNDS, "rupee": _RUPEES, "rupees": _RUPEES,
    "franc": _FRANCS, "francs": _FRANCS,
    "€": "EUR", "euro": "EUR", "euros": "EUR", "£": _POUNDS, "￡": _POUNDS,
    "¥": "JPY CNY CNH", "￥": "JPY CNY CNH", "円": "JPY", "元": "CNY TWD HKD MOP", "rmb": "CNY",
    "人民币": "CNY", "cn¥": "CNY",
    "₩": "KRW KPW", "￦": "KRW KPW", "원": "KRW", "₫": "VND", "đ": "VND",
    "฿": "THB", "บาท": "THB", "₱": "PHP", "rp": "IDR", "rm": "MYR", "₹": "INR", "rs": _RUPEES,
    "₨": _RUPEES, "৳": "BDT", "₭": "LAK", "៛": "KHR", "₮": "MNT", "₽": "RUB", "руб": "RUB",
    "р": "RUB BYN", "рублей": "RUB", "₴": "UAH", "грн": "UAH", "₸": "KZT", "тг": "KZT",
    "сум": "UZS", "so'm": "UZS", "₼": "AZN", "₾": "GEL", "֏": "AMD", "\u20c0": "KGS",
    "₺": "TRY", "tl": "TRY", "₪": "ILS", "nis": "ILS", "﷼": "IRR OMR QAR SAR YER", "ریال": "IRR",
    "؋": "AFN", "ج.م": "EGP", "ر.س": "SAR", "د.إ": "AED", "د.ك": "KWD", "د.ب": "BHD",
    "ر.ع": "OMR", "ر.ق": "QAR", "د.أ": "JOD", "د.م": "MAD", "د.ت": "TND", "د.ج": "DZD",
    "د.ع": "IQD", "ل.ل": "LBP", "dh": "AED MAD", "dhs": "AED MAD", "le": "EGP SLE", "zł": "PLN",
    "zl": "PLN", "kč": "CZK", "kc": "CZK", "ft": "HUF", "lei": "RON MDL", "leu": "RON MDL",
    "лв": "BGN", "lv": "BGN", "дин": "RSD", "din": "RSD DZD", "ден": "MKD", "kn": "HRK",
    "km": "BAM", "kr": "DKK ISK NOK SEK", "fr": _FRANCS, "sfr": "CHF", "f": _FRANCS,
    "fcfa": "XAF XOF", "cfa": "XAF XOF", "cfpf": "XPF", "fcfp": "XPF", "₦": "NGN", "₵": "GHS",
    "ksh": "KES", "tsh": "TZS", "ush": "UGX", "birr": "ETB", "br": "BYN ETB", "₡": "CRC SVC",
    "₲": "PYG", "gs": "PYG", "s/": "PEN", "b/": "PAB", "bs": "BOB VES", "a$": "AUD",
    "b$": "BND BSD", "c$": "CAD NIO", "ec$": "XCD", "j$": "JMD", "l$": "LRD", "n$": "NAD",
    "nt$": "TWD", "r$": "BRL", "rd$": "DOP", "s$": "SGD", "t$": "TOP", "u$s": "USD", "$u": "UYU",
    "ws$": "WST", "z$": "ZWG ZWL", "£e": "EGP", "e£": "EGP", "₿": "BTC",
    "cdn$": "CAD", "cad$": "CAD", "can$": "CAD", "mex$": "MXN", "col$": "COP", "arg$": "ARS",
    "chil$": "CLP", "u.s.$": "USD", "u.s.dollars": "USD", "aus$": "AUD", "sing$": "SGD",
    "bds$": "BBD", "mop$": "MOP", "si$": "SBD", "$ec": "XCD", "uk£": "GBP", "£ru": "GBP",
    "$a": "AUD", "$zn": "NZD", "$su": "USD", "¥cn": "CNY", "щ.д": "USD", "cg": "XCG", "ƒ": "XCG",
    "naf": "ANG", "afl": "AWG", "ر.إ": "IRR", "د.ل": "LYD", "أ.م": "MRU", "ج.س": "SDG",
    "ل.س": "SYP", "ر.ي": "YER", "kd": "KWD", "bd": "BHD", "jd": "JOD", "dt": "TND", "da": "DZD",
    "ls": "SYP", "sr": "SAR SCR", "qr": "QAR", "nfk": "ERN", "fdj": "DJF", "fbu": "BIF",
    "fc": "CDF", "fg": "GNF", "cf": "KMF", "rf": "MVR RWF", "um": "MRU", "ar": "MGA", "vt": "VUV",
    "kz": "AOA", "mtn": "MZN", "mk": "MWK", "db": "STN", "nu": "BTN", "dkr": "DKK", "ikr": "ISK",
    "nkr": "NOK", "skr": "SEK", "lek": "ALL", "lekë": "ALL", "den": "MKD", "км": "BAM",
    "кч": "CZK", "зл": "PLN", "тл": "TRY", "сом": "KGS", "сўм": "UZS", "soʻm": "UZS",
    "so\u02bcm": "UZS", "नेरू": "NPR", "රු": "LKR", "ብር": "ETB", "bs.s": "VES", "cfp": "XPF",
    "فرانکcfa": "XOF", "zig": "ZWG", "ש\"ח": "ILS", "ש\u05f4ח": "ILS",
}  # fmt: skip
"""The currencies that a symbol, an abbreviation or a word can mean, in lower case, without a point.

ISO codes are names, too, and `US$` or `$US` is the dollar of the country US.
"""

_WORDS = {
    "USD": "usdollar usdollars americandollars", "CAD": "canadiandollar canadiandollars",
    "AUD": "australiandollar australiandollars", "NZD": "newzealanddollar newzealanddollars",
    "HKD": "hongkongdollar hongkongdollars", "SGD": "singaporedollar singaporedollars",
    "TWD": "newtaiwandollar newtaiwandollars",
    "GBP": "britishpound britishpounds poundsterling poundssterling",
    "INR": "indianrupee indianrupees", "PKR": "pakistanirupee pakistanirupees",
    "JPY": "japaneseyen yen", "CNY": "chineseyuan yuan renminbi", "KRW": "southkoreanwon",
    "CHF": "swissfranc swissfrancs", "MXN": "mexicanpeso mexicanpesos",
    "PHP": "philippinepeso philippinepesos", "ARS": "argentinepeso argentinepesos",
    "CLP": "chileanpeso chileanpesos", "COP": "colombianpeso colombianpesos",
    "BRL": "brazilianreal brazilianreals reais", "TRY": "turkishlira",
    "PLN": "polishzloty polishzlotys złoty złote złotych zloty zlotys",
    "SEK": "swedishkrona swedishkronor", "NOK": "norwegiankrone norwegiankroner",
    "DKK": "danishkrone danishkroner", "ISK": "icelandickróna icelandickrónur",
    "CZK": "czechkoruna czechkorunas korun", "HUF": "hungarianforint hungarianforints forint",
    "RON": "romanianleu romanianlei", "BGN": "bulgarianlev bulgarianleva",
    "RUB": "russianruble russianrubles", "UAH": "ukrainianhryvnia ukrainianhryvnias hryvnia",
    "AED": "uaedirham uaedirhams", "SAR": "saudiriyal saudiriyals",
    "QAR": "qataririal qataririals qataririyals", "KWD": "kuwaitidinar kuwaitidinars",
    "BHD": "bahrainidinar bahrainidinars", "EGP": "egyptianpound egyptianpounds",
    "ILS": "israelinewshekel israelinewshekels shekel shekels", "ZAR": "southafricanrand rand",
    "NGN": "nigeriannaira nigeriannairas naira", "KES": "kenyanshilling kenyanshillings",
    "GHS": "ghanaiancedi ghanaiancedis", "THB": "thaibaht baht",
    "IDR": "indonesianrupiah indonesianrupiahs rupiah",
    "MYR": "malaysianringgit malaysianringgits ringgit", "VND": "vietnamesedong",
    "BDT": "bangladeshitaka bangladeshitakas taka",
}  # fmt: skip
# As Intl.NumberFormat writes currencies in English, and some in their own language, without spaces.
NAMES |= {word: code for code, words in _WORDS.items() for word in words.split()}

USUAL_CODES = {
    "£": "GBP", "￡": "GBP", "pound": "GBP", "pounds": "GBP",
    "₩": "KRW", "￦": "KRW", "c$": "CAD", "fr": "CHF", "₡": "CRC",
}  # fmt: skip
"""The currencies of names that have others, too, but are hardly ever used for them."""

NAMES_BEFORE_NUMBERS = {
    "r": "ZAR", "k": "MMK PGK ZMW", "l": "HNL", "q": "GTQ", "p": "BWP PHP", "d": "GMD",
}  # fmt: skip
"""Letters that are a currency before a number only: `R 100`. Behind one, K means thousands."""

_GROUPED_BY_COMMA = """
AED AUD BBD BDT BMD BSD BZD CAD CNH CNY DOP EGP FJD GBP GHS GTQ HKD HNL ILS INR JMD JPY KES KHR KRW
KYD LKR LRD MMK MOP MXN MYR NAD NGN NIO NPR NZD PAB PEN PHP PKR QAR SAR SBD SGD THB TTD TWD TZS UGX
USD WST XCD ZWG ZWL
"""
GROUPED_BY_COMMA = frozenset(_GROUPED_BY_COMMA.split()) | STABLECOINS
"""Currencies whose countries write 1,234.50: a comma before three digits separates thousands."""

_HARDLY_EVER_WITH_DECIMALS = "COP HUF IDR IRR KPW LAK MMK MNT"
WRITTEN_WITHOUT_DECIMALS = frozenset(f"{_WITHOUT_DECIMALS} {_HARDLY_EVER_WITH_DECIMALS}".split())
"""Currencies whose amounts never have three decimals, because their units are small."""
