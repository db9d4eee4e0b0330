"""Tell currency pairs from crypto assets in a list that mixes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_MAX_ASSET_CHARACTERS = 60

# The currencies that brokers quote, and the metals with a currency code.
_CURRENCY_CODES = """
    USD EUR GBP JPY CHF AUD NZD CAD SEK NOK DKK PLN CZK HUF RON BGN ISK TRY ZAR MXN BRL CLP COP PEN
    ARS SGD HKD CNH CNY INR KRW THB IDR MYR PHP TWD VND ILS RUB UAH KZT AED SAR QAR KWD BHD OMR JOD
    EGP MAD NGN KES GHS PKR LKR BDT XAU XAG XPT XPD
"""
_COIN_NAMES = """
    BTC XBT ETH SOL XRP BNB ADA DOGE DOT AVAX MATIC POL LTC BCH LINK UNI ATOM XLM XMR ETC TRX SHIB
    PEPE NEAR APT ARB OP FIL ICP HBAR VET ALGO AAVE MKR SUI SEI INJ TON TIA RUNE FTM GRT EGLD XTZ
    EOS NEO ZEC DASH IOTA KAS USDT USDC BUSD DAI TUSD FDUSD WBTC STETH CRO LDO CRV SNX COMP
    BITCOIN ETHEREUM SOLANA RIPPLE CARDANO DOGECOIN POLKADOT AVALANCHE POLYGON LITECOIN CHAINLINK
    TETHER MONERO TRON STELLAR COSMOS UNISWAP BINANCECOIN SHIBAINU
"""
_CURRENCIES = frozenset(_CURRENCY_CODES.split())
_COINS = frozenset(_COIN_NAMES.split())
# Only crypto exchanges quote prices in these.
_CRYPTO_QUOTE = re.compile(r"([A-Z0-9]{2,10})(?:USDT|USDC|BUSD|FDUSD|TUSD|BTC|ETH|BNB)(?:PERP)?")
_CRYPTO_WORDS = frozenset(
    {"CRYPTO", "CRYPTOS", "CRYPTOCURRENCY", "CRYPTOCURRENCIES", "CRYPTOPAIRS"}
)
_FOREX_WORDS = frozenset({"FOREX", "FX", "FOREXPAIRS", "CURRENCIES", "CURRENCYPAIRS"})


class Assets(NamedTuple):
    """A list of assets by their kind, each asset as the page spells it."""

    crypto: list[str]
    forex: list[str]
    undecided: list[object]


def split_assets(assets: Iterable[object]) -> Assets:
    """Split a list of assets into crypto assets, currency pairs, and those that may be either."""
    split = Assets([], [], [])
    for asset in assets:
        kind = _find_kind(asset) if isinstance(asset, str) else None
        if kind is None or not isinstance(asset, str):
            split.undecided.append(asset)
        else:
            (split.crypto if kind == "crypto" else split.forex).append(asset)
    return split


def _find_kind(asset: str) -> str | None:
    """Return "crypto", "forex", or None for an asset that is not known to be one of them."""
    if len(asset) > _MAX_ASSET_CHARACTERS:
        return None
    symbol = re.sub(r"[\s/_.-]", "", asset.rpartition(":")[2].upper())  # OANDA:EUR_USD
    if symbol in _FOREX_WORDS or symbol in _CURRENCIES:
        return "forex"
    if symbol in _CRYPTO_WORDS or symbol in _COINS:
        return "crypto"
    base, quote = symbol[:-3], symbol[-3:]
    if quote in _CURRENCIES and base in _CURRENCIES:
        return "forex"
    if quote in _CURRENCIES and base in _COINS:
        return "crypto"
    quoted = _CRYPTO_QUOTE.fullmatch(symbol)
    return "crypto" if quoted and quoted[1] not in _CURRENCIES else None
