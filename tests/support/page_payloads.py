"""Payloads of payment and questionnaire pages, with the columns that they set."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

USER = "$USER"  # replaced by the address of the test's user


class Case(NamedTuple):
    """A payload, its row's columns that are not NULL, and the fields with conversion errors."""

    name: str
    kind: str
    payload: dict[str, Any]
    columns: dict[str, Any]
    conversion_errors: tuple[str, ...] = ()


PAYMENTS = [
    Case(
        "POST /api/payments",
        "payment",
        {
            "id": 17, "user_id": 42, "user_email": USER, "user_name": "Ada Lovelace",
            "plan_name_payment": "Elite", "original_price": 499, "discount_amount": "49.90",
            "final_price": 449.1, "coupon_code": "TRADE10", "payment_method": "crypto",
            "transaction_id": "TXN-1705312200000", "payment_status": "completed",
            "payment_provider": "coinbase",
            "crypto_transaction_hash": "0x5c504ed432cb51138bcf09aa5e8a410d",
            "crypto_from_address": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
            "crypto_amount": "0.0105",
        },
        {
            "user_id": 42, "user_name": "Ada Lovelace", "plan_name": "Elite", "original_price": 499,
            "discount_amount": 49.9, "final_price": 449.1, "coupon_code": "TRADE10",
            "payment_method": "crypto", "transaction_id": "TXN-1705312200000",
            "payment_status": "completed", "payment_processor": "coinbase",
            "crypto_transaction_hash": "0x5c504ed432cb51138bcf09aa5e8a410d",
            "crypto_from_address": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
            "crypto_amount": "0.0105",
        },
    ),
    Case(
        "POST /api/payments with a placeholder for the crypto hash",
        "payment",
        {
            "user_email": USER, "plan_name_payment": "Starter", "original_price": 99,
            "discount_amount": "0.00", "final_price": 99, "coupon_code": None,
            "payment_method": "paypal", "payment_status": "completed",
            "crypto_transaction_hash": "NON-CRYPTO-1705312200000", "crypto_from_address": "N/A",
            "crypto_amount": "0",
        },
        {
            "plan_name": "Starter", "original_price": 99, "discount_amount": 0, "final_price": 99,
            "payment_method": "paypal", "payment_status": "completed", "crypto_amount": "0",
        },
    ),
    Case(
        "all fields in camelCase",
        "payment",
        {
            "userId": "42", "userEmail": USER, "userName": "Ada", "planName": "Elite",
            "originalPrice": "$1,499.00", "discountAmount": "10", "finalPrice": "1489",
            "couponCode": "X", "paymentMethod": "card", "transactionId": "t-1",
            "paymentStatus": "paid", "paymentProcessor": "stripe", "cryptoTransactionHash": "0xabc",
            "cryptoFromAddress": "bc1q", "cryptoAmount": 0.00000001,
        },
        {
            "user_id": 42, "user_name": "Ada", "plan_name": "Elite", "original_price": 1499,
            "discount_amount": 10, "final_price": 1489, "coupon_code": "X",
            "payment_method": "card", "transaction_id": "t-1", "payment_status": "paid",
            "payment_processor": "stripe", "crypto_transaction_hash": "0xabc",
            "crypto_from_address": "bc1q", "crypto_amount": "0.00000001",
        },
    ),
    Case(
        "localStorage payment_success_data",
        "payment",
        {
            "userId": 42, "planName": "Pro", "originalPrice": 199.5, "discount": 19.95,
            "finalPrice": 179.55, "couponCode": None, "paymentMethod": "paypal",
            "transactionId": "PAY-1AB23456CD789012EF34GHIJ",
            "userData": {"id": 43, "email": USER, "fullName": "Ada Lovelace"},
            "selectedPlan": {"name": "Pro Plan", "price": 200},
            "paymentData": {
                "method": "paypal-nested", "amount": 1, "plan": "nested", "paymentId": "nested",
                "coupon_code": None, "discount_amount": 2, "timestamp": "2024-01-15T10:30:00.000Z",
            },
            "timestamp": "2024-01-15T10:30:00.000Z",
        },
        {
            "user_id": 42, "user_name": "Ada Lovelace", "plan_name": "Pro", "original_price": 199.5,
            "discount_amount": 19.95, "final_price": 179.55, "payment_method": "paypal",
            "transaction_id": "PAY-1AB23456CD789012EF34GHIJ",
        },
    ),
    Case(
        "localStorage payment_success_data, as pages rewrite it later",
        "payment",
        {
            "email": USER, "plan": "Pro", "timestamp": "2024-01-15T10:30:00.000Z",
            "paymentData": {
                "method": "paypal", "amount": 179.55, "plan": "Pro", "paymentId": "PAY-1AB",
                "coupon_code": "SAVE10", "discount_amount": 19.95,
                "timestamp": "2024-01-15T10:30:00.000Z",
            },
        },
        {
            "plan_name": "Pro", "discount_amount": 19.95, "final_price": 179.55,
            "coupon_code": "SAVE10", "payment_method": "paypal", "transaction_id": "PAY-1AB",
        },
    ),
    Case(
        "localStorage with the plan as an object and the rest as JSON texts",
        "payment",
        {
            "userData": json.dumps({"id": 5, "email": USER, "fullName": "Ada"}),
            "selectedPlan": {"name": "Pro", "price": 199.5},
            "paymentData": json.dumps({"method": "card", "amount": "199.50"}),
        },
        {
            "user_id": 5, "user_name": "Ada", "plan_name": "Pro", "original_price": 199.5,
            "final_price": 199.5, "payment_method": "card",
        },
    ),
    Case(
        "localStorage crypto_verification",
        "payment",
        {
            "user_email": USER, "crypto": "BTC", "address": "bc1qours",
            "transactionHash": "7f83b1657ff1fc53b92dc18148a1d65d", "amount": "0.0105",
            "fromAddress": "bc1qtheirs", "screenshot": "receipt.png",
            "timestamp": "2024-01-15T10:30:00.000Z", "status": "pending_verification",
            "coupon_code": "TRADE10", "coupon_applied": True, "discount_amount": 49.9,
        },
        {
            "discount_amount": 49.9, "coupon_code": "TRADE10",
            "payment_status": "pending_verification",
            "crypto_transaction_hash": "7f83b1657ff1fc53b92dc18148a1d65d",
            "crypto_from_address": "bc1qtheirs", "crypto_amount": "0.0105",
        },
    ),
    Case(
        "localStorage payment_details",
        "payment",
        {
            "user_email": USER, "method": "stripe", "amount": 449.1, "plan": "Elite",
            "paymentId": "pi_3NvXfX2eZvKYlo2C", "coupon_code": "TRADE10", "discount_amount": 49.9,
        },
        {
            "plan_name": "Elite", "discount_amount": 49.9, "final_price": 449.1,
            "coupon_code": "TRADE10", "payment_method": "stripe",
            "transaction_id": "pi_3NvXfX2eZvKYlo2C",
        },
    ),
    Case(
        "localStorage paymentRecord",
        "payment",
        {
            "user_email": USER, "status": "completed", "plan": "Elite", "amount": 449.1,
            "method": "paypal", "orderId": "5O190127TN364715T", "couponCode": "",
            "discountAmount": 0,
        },
        {
            "plan_name": "Elite", "discount_amount": 0, "final_price": 449.1,
            "payment_method": "paypal", "transaction_id": "5O190127TN364715T",
            "payment_status": "completed",
        },
    ),
    Case(
        "XHR /payment/verify-payment",
        "payment",
        {
            "user_email": USER, "token": "tok_abc", "plan": "pro", "user_id": "42",
            "amount_paid": 179.55, "coupon_code": None,
        },
        {"user_id": 42, "plan_name": "pro", "final_price": 179.55},
    ),
    Case(
        "POST /api/payment/process with a coupon of a fixed amount",
        "payment",
        {
            "email": USER, "amount": 449.1, "originalAmount": 499, "currency": "USD",
            "planName": "Elite", "paymentMethod": "card",
            "coupon": {"code": "TRADE10", "discount": 49.9, "type": "fixed"},
            "timestamp": "2024-01-15T10:30:00.000Z",
        },
        {
            "plan_name": "Elite", "original_price": 499, "discount_amount": 49.9,
            "final_price": 449.1, "coupon_code": "TRADE10", "payment_method": "card",
        },
    ),
    Case(
        "POST /api/payment/process with a coupon of a percentage, which is not stored",
        "payment",
        {
            "email": USER, "amount": 449.1, "originalAmount": 499, "currency": "USD",
            "planName": "Elite", "paymentMethod": "card",
            "coupon": {"code": "TRADE10", "discount": 10, "type": "percentage"},
        },
        {
            "plan_name": "Elite", "original_price": 499, "final_price": 449.1,
            "coupon_code": "TRADE10", "payment_method": "card",
        },
    ),
    Case(
        "POST /api/payment/process without a coupon",
        "payment",
        {
            "email": USER, "amount": "99", "originalAmount": "99", "coupon": None,
            "planName": "Starter", "paymentMethod": "paypal",
        },
        {
            "plan_name": "Starter", "original_price": 99, "final_price": 99,
            "payment_method": "paypal",
        },
    ),
    Case(
        "a Supabase user id, which does not fit an INTEGER column",
        "payment",
        {
            "user_email": USER, "user_id": "1f0e7d2c-8c55-4b9a-9d57-1b2c3d4e5f60",
            "final_price": "99.80",
        },
        {"final_price": 99.8},
    ),
    Case(
        "fields of the wrong type",
        "payment",
        {
            "user_email": USER, "planName": ["Pro"], "final_price": "free", "original_price": True,
            "coupon_code": "", "user_id": {},
        },
        {},
        ("user_id", "planName", "original_price", "final_price"),
    ),
]  # fmt: skip

ANSWERS = {
    "trades_per_day": "1-2", "trading_session": "any", "crypto_assets": ["BTC", "ETH"],
    "forex_assets": ["EUR/USD", "XAU/USD"], "has_account": "yes", "account_equity": 98500.5,
    "prop_firm": "FTMO", "account_type": "2-step", "account_size": 100000, "risk_percentage": 1.5,
    "risk_reward_ratio": "3",
}  # fmt: skip
PICTURE = "data:image/png;base64," + "iVBORw0KGgo" * 10

QUESTIONNAIRES = [
    Case(
        "localStorage questionnaireAnswers",
        "questionnaire",
        {
            "user_email": USER, "tradesPerDay": "1-2", "tradingSession": "any",
            "cryptoAssets": ["BTC", "ETH"], "forexAssets": ["EUR/USD", "XAU/USD"],
            "hasAccount": "yes", "accountEquity": "98500.50", "propFirm": "FTMO",
            "accountType": "2-step", "accountSize": "100000", "riskPercentage": "1.5",
            "riskRewardRatio": "3", "accountNumber": "50123456",
        },
        ANSWERS,
    ),
    Case(
        "sessionStorage currentQuestionnaire of a user without an account",
        "questionnaire",
        {
            "user_email": USER, "tradesPerDay": "3-5", "tradingSession": "london",
            "cryptoAssets": [], "forexAssets": ["EUR/USD"], "hasAccount": "no", "accountEquity": "",
            "propFirm": "", "accountType": "", "accountSize": "50000", "riskPercentage": "1",
            "riskRewardRatio": "2", "accountNumber": "",
        },
        {
            "trades_per_day": "3-5", "trading_session": "london", "crypto_assets": [],
            "forex_assets": ["EUR/USD"], "has_account": "no", "account_size": 50000,
            "risk_percentage": 1, "risk_reward_ratio": "2",
        },
    ),
    Case(
        "XHR /api/users/<id>/questionnaire, with the address that the script adds",
        "questionnaire",
        {
            "user_email": USER, "tradesPerDay": "1-2", "tradingSession": "any",
            "cryptoAssets": ["BTC", "ETH"], "forexAssets": ["EUR/USD", "XAU/USD"],
            "hasAccount": True, "accountEquity": 98500.5, "propFirm": "FTMO",
            "accountType": "2-step", "accountSize": 100000, "riskPercentage": 1.5,
            "riskRewardRatio": 3,
        },
        ANSWERS,
    ),
    Case(
        "POST /api/questionnaire in snake_case",
        "questionnaire",
        {
            **ANSWERS, "user_id": 42, "user_email": USER, "user_name": "Ada",
            "custom_forex_pairs": ["USDMXN"], "account_equity": None, "account_number": "50123456",
            "created_at": "2024-01-15T10:30:00.000Z",
        },
        {
            **{column: value for column, value in ANSWERS.items() if column != "account_equity"},
            "user_id": 42, "user_name": "Ada", "custom_forex_pairs": ["USDMXN"],
        },
    ),
    Case(
        "POST /api/simple/questionnaire with userData and password",
        "questionnaire",
        {
            "id": 42, "email": USER, "fullName": "Ada Lovelace", "password": "hunter2",
            "token": "abc", "plan_type": "pro",
            "questionnaire": {
                "accountSize": "$100,000", "riskPerTrade": "1.5", "riskRewardRatio": "1:2",
                "forexPairs": ["EURUSD", "GBPUSD"], "cryptoPairs": ["BTCUSD"],
                "tradingSession": "new-york",
            },
        },
        {
            "user_name": "Ada Lovelace", "account_size": 100000, "risk_percentage": 1.5,
            "risk_reward_ratio": "1:2", "forex_assets": ["EURUSD", "GBPUSD"],
            "crypto_assets": ["BTCUSD"], "trading_session": "new-york",
        },
    ),
    Case(
        "POST /api/questionnaire/submit with a range as account size",
        "questionnaire",
        {
            "email": USER, "accountSize": "$50K - $100K",
            "riskManagement": {"riskPerTrade": "1%", "dailyLossLimit": "5%"},
            "assetSelection": ["EURUSD"],
        },
        {"risk_percentage": 1, "forex_assets": ["EURUSD"]},
        ("accountSize",),
    ),
    Case(
        "a screenshot with separate name, size and type",
        "questionnaire",
        {
            "user_email": USER, "account_screenshot": PICTURE, "screenshot_filename": "account.png",
            "screenshot_size": 1234, "screenshot_type": "image/png",
        },
        {
            "account_screenshot": PICTURE, "screenshot_filename": "account.png",
            "screenshot_size": 1234, "screenshot_type": "image/png",
        },
    ),
    Case(
        "a screenshot as one object",
        "questionnaire",
        {
            "user_email": USER,
            "questionnaire": {
                "screenshot": {
                    "data": PICTURE, "name": "a.png", "size": "1234", "type": "image/png",
                },
            },
        },
        {
            "account_screenshot": PICTURE, "screenshot_filename": "a.png", "screenshot_size": 1234,
            "screenshot_type": "image/png",
        },
    ),
    Case("an empty account_equity", "questionnaire", {"user_email": USER, "accountEquity": ""}, {}),
    Case(
        "account_size as a word",
        "questionnaire",
        {"user_email": USER, "accountSize": "lots"},
        {},
        ("accountSize",),
    ),
    Case(
        "lists as text",
        "questionnaire",
        {"user_email": USER, "cryptoAssets": "BTC, ETH"},
        {"crypto_assets": ["BTC", "ETH"]},
    ),
]  # fmt: skip
