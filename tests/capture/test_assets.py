"""Test how lists that mix crypto assets and currency pairs become the two columns."""

from __future__ import annotations

import json

import pytest

from tests.capture.test_user_fields import USER, parse, value_of

CRYPTO = [
    "BTC", "eth", "Bitcoin", "BTC/USD", "BTCUSDT", "ETH-BTC", "SOL_USDT", "BINANCE:BTCUSDT",
    "doge", "XRPUSD", "PEPE/USDT", "BTC-EUR", "Crypto", "1INCH/USDT",
]  # fmt: skip
FOREX = [
    "EURUSD", "EUR/USD", "gbp-jpy", "USD_JPY", "usd chf", "OANDA:EUR_USD", "XAU/USD", "XAGUSD",
    "USDMXN", "NZDCAD", "Forex", "EUR.USD",
]  # fmt: skip
UNDECIDED = ["AAPL", "NAS100", "Gold", "US30", "EURXYZ", "EUR/USDT", "", "Oil", "ABCDEF", "x" * 99]


@pytest.mark.parametrize("asset", CRYPTO)
def test_a_crypto_asset_is_recognised(asset: str) -> None:
    capture = parse({"user_email": USER, "assetSelection": ["EURUSD", asset]}, "questionnaire")
    assert json.loads(str(value_of(capture, "crypto_assets"))) == [asset]
    assert json.loads(str(value_of(capture, "forex_assets"))) == ["EURUSD"]
    assert capture.warnings == ()


@pytest.mark.parametrize("asset", FOREX)
def test_a_currency_pair_is_recognised(asset: str) -> None:
    capture = parse({"user_email": USER, "asset_selection": [asset, "BTC"]}, "questionnaire")
    assert json.loads(str(value_of(capture, "forex_assets"))) == [asset]
    assert json.loads(str(value_of(capture, "crypto_assets"))) == ["BTC"]


@pytest.mark.parametrize("asset", [*UNDECIDED, 17, None, {}])
def test_a_list_with_another_asset_is_null_with_a_warning(asset: object) -> None:
    payload = {"user_email": USER, "assetSelection": ["EURUSD", "BTC", asset]}
    capture = parse(payload, "questionnaire")
    assert value_of(capture, "crypto_assets") is value_of(capture, "forex_assets") is None
    assert [warning.field for warning in capture.warnings] == ["assetSelection"]


@pytest.mark.parametrize(
    "payload",
    [
        {"assetSelection": "BTC, EURUSD"},
        {"assetSelection": '["BTC", "EURUSD"]'},
        {"selectedAssets": ["EURUSD", "BTC"]},
        {"questionnaire": {"assetSelection": ["BTC", "EURUSD"]}},
        {"assetSelection": {"crypto": ["BTC"], "forex": ["EURUSD"]}},
        {"assets": {"cryptoPairs": ["BTC"], "forexAssets": ["EURUSD"]}},
        {"cryptoAssets": ["BTC"], "assetSelection": ["EURUSD"]},
        {"cryptoAssets": ["BTC"], "forexAssets": ["EURUSD"], "assetSelection": ["BTC", "Gold"]},
    ],
)
def test_other_shapes_of_the_list_are_read(payload: dict[str, object]) -> None:
    capture = parse({"user_email": USER, **payload}, "questionnaire")
    assert value_of(capture, "crypto_assets") == '["BTC"]'
    assert value_of(capture, "forex_assets") == '["EURUSD"]'
