"""Addresses to which pages send: those of saves, and those that only resemble one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TABLES = {
    "payment": "payment_data",
    "questionnaire": "questionnaire_data",
    "dashboard": "dashboard_data",
    "activity": "trading_activity_log",
}


def _as_it_is(body: dict[str, Any]) -> Any:
    return body


@dataclass(frozen=True)
class Sent:
    """A request of a page.

    Attributes:
        kind: the kind of its body.
        line: its method and address; OTHER is another host.
        is_save: whether it is captured.
        wrap: makes the request's body.
        note: tells it from another one with the same line.
    """

    kind: str
    line: str
    is_save: bool = True
    wrap: Callable[[dict[str, Any]], Any] = _as_it_is
    note: str = ""

    @property
    def name(self) -> str:
        return f"{self.line} {self.note}".strip()

    @property
    def method(self) -> str:
        return self.line.partition(" ")[0]

    @property
    def address(self) -> str:
        return self.line.partition(" ")[2]


def _table(kind: str, text: str, *, is_save: bool = True) -> list[Sent]:
    """Read addresses, one a line; without a method, it is POST."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return [Sent(kind, line if " " in line else f"POST {line}", is_save=is_save) for line in lines]


SAVES = [
    *_table("payment", """
        /api/payments
        /api/payments/
        /api/payments?source=web&plan=pro
        /api/payments#pro
        /payment
        /api/v2/payments
        OTHER/api/payments
        OTHER/payments/?retry=1
        PUT /api/payments/42
        PATCH /api/payments/6e1c1d39-3fa5-4f1a-9c6e-0f3a2b1c4d5e
        /api/payments/create
        /api/payments/confirm/
        /api/payments/store
        /api/save-payment
        /api/save_payment
        /api/savePayment
        /api/process-payment
        /api/create-payment
        /api/submit-payment
        /api/record_payment
        /payment.php
        /save-payment.php
        /api/process_payment.php?lang=de
        /api/payments.json
        /api/payment/process
        /payment/verify-payment
        /payment/complete
        /payment/confirm
        /payment/success
        /api/payment/save
        /api/payment/submit
        /crypto-payment
        /crypto-payment/confirm
        /api/crypto-payment/verify
        /api/crypto_payments
        /checkout
        /api/checkout
        /checkout/complete
        /api/checkout/confirm
        /checkout.php
        /orders
        /api/orders
        /api/orders/create
        PUT /api/orders/42
        /api/create-order
        /wp-json/wc/v3/orders
        /index.php/payments/save
        /rest/v1/payments?columns=%22plan_name%22
        /rest/v1/user_payments?on_conflict=id
        /rest/v1/user%5Fpayments
        PATCH /rest/v1/payments?id=eq.7
        /rest/v1/rpc/create_payment
        /rest/v1/rpc/save-payment
        /rest/v1/rpc/record_user_payment
        /functions/v1/create-payment
        /functions/v1/process_payment
        OTHER/functions/v1/confirm-payment
        /api/collections/payments/records
        PATCH /api/collections/payments/records/abc123def456ghi
        /proxy?url=https%3A%2F%2Fapi.shop.example%2Fapi%2Fpayments
        /proxy?url=https://api.shop.example/api/payments
        /proxy/?https%3A%2F%2Fapi.shop.example%2Fpayments
        /proxy/https://api.shop.example/api/payments
        """),
    *_table("questionnaire", """
        /api/questionnaire
        /api/questionnaires/?step=2
        /questionnaire/save
        /questionnaire/submit
        /questionnaire/complete
        PUT /questionnaires/7
        /api/users/u-1/questionnaire
        /api/simple/questionnaire
        /api/save-questionnaire
        /api/submit_questionnaire
        /api/saveQuestionnaire
        /questionnaire.php
        /onboarding
        /api/onboarding
        /onboarding/complete
        /api/onboarding/save
        OTHER/api/questionnaire
        /rest/v1/questionnaires?on_conflict=user_id
        /rest/v1/user_questionnaires
        PATCH /rest/v1/questionnaire_data?id=eq.7
        /rest/v1/rpc/submit_questionnaire
        /functions/v1/save-questionnaire
        /api/collections/questionnaires/records
        /proxy?url=https%3A%2F%2Fapi.shop.example%2Fquestionnaire%2Fsubmit
        """),
    *_table("dashboard", """
        /api/dashboard
        /api/dashboard/
        /dashboard/save
        /dashboard/update
        /user-dashboard
        /api/user-dashboard
        /api/simple/dashboard
        PUT /api/dashboard/equity
        PUT /api/dashboards/7
        /api/save-dashboard
        /api/saveDashboard
        /dashboard.php
        OTHER/api/dashboard
        /rest/v1/user_dashboards
        /rest/v1/dashboard_data?on_conflict=user_id
        /rest/v1/rpc/update_dashboard
        /functions/v1/save-dashboard
        PATCH /api/collections/dashboards/records/abc123def456ghi
        """),
    *_table("activity", """
        /api/activity
        /api/activities
        /api/activity/
        /api/activity/log
        /api/user-activity
        /api/log-activity
        /api/trading_activity
        /activity.php
        OTHER/api/activity
        /rest/v1/user_activities
        /rest/v1/trading_activity_log
        /rest/v1/rpc/log_activity
        /functions/v1/log-activity
        """),
]  # fmt: skip

NO_SAVES = [
    *_table("payment", """
        /api/payment_settings
        /api/payment-settings
        /api/payments/settings
        PATCH /rest/v1/payment_settings?id=eq.7
        /rest/v1/agent_payment_methods
        /rest/v1/payment_methods
        /api/payment-methods
        /api/paymentMethods
        PUT /api/payment_methods/7
        /api/payments/methods
        /api/get-payments
        /api/getPayments
        /api/payments/get
        /api/payments/list
        /api/payments/search
        /api/payments/validate
        /api/payments/fetch
        /api/payments/search?plan=pro
        /api/list_payments.php
        /api/searchPayments
        /api/payment/validate-coupon
        /api/orders/search
        /api/orders/list
        /api/checkout/validate
        /rest/v1/rpc/get_payments
        /rest/v1/rpc/get_payment_status
        /rest/v1/rpc/list_payments
        /rest/v1/rpc/fetch-payments
        /rest/v1/rpc/search_payments
        /rest/v1/rpc/validate_payment
        /functions/v1/get-payments
        /functions/v1/list-orders
        /functions/v1/validate-payment
        /api/create-invoice
        /api/payment-info/7
        /api/create-payment-intent
        /api/payments/capture
        OTHER/api/payment/capture
        GET /api/payments
        DELETE /api/payments/42
        /api/cart
        /api/auth/login
        /api/newsletter
        /api/users/u-1
        /graphql
        /api/user-flow/mark-step
        /api/track?page=%2Fpayments
        /api/collections/users/records
        /v1/databases/main/collections/customers/documents
        /proxy?url=https%3A%2F%2Fapi.shop.example%2Fapi%2Fusers
        /proxy?url=https%3A%2F%2Fapi.shop.example%2Fapi%2Fpayment_methods
        """, is_save=False),
    *_table("questionnaire", """
        /api/questionnaire/validate
        /api/questionnaires/search
        /api/questionnaire/get
        /api/get-questionnaire
        /api/onboarding/validate
        /rest/v1/rpc/get_questionnaire
        /functions/v1/list-questionnaires
        """, is_save=False),
    *_table("dashboard", """
        /rest/v1/dashboard_layout
        /api/dashboard-layout
        /api/dashboard/layout
        /api/dashboardLayout
        PATCH /rest/v1/dashboard_layout?id=eq.7
        /rest/v1/dashboard_settings
        /api/dashboard/settings
        /api/dashboard/search
        /api/dashboard/list
        /rest/v1/rpc/get_dashboard_stats
        /rest/v1/rpc/fetch_dashboard
        /functions/v1/get-dashboard
        """, is_save=False),
    *_table("activity", """
        /api/activity/search
        /rest/v1/rpc/get_activity
        /rest/v1/rpc/list_activities
        /functions/v1/fetch-activity
        """, is_save=False),
]  # fmt: skip


def _query(table: str, operation: str) -> Callable[[dict[str, Any]], Any]:
    return lambda body: {"table": table, "operation": operation, "data": body}


def _appwrite(body: dict[str, Any]) -> Any:
    return {"documentId": "unique()", "data": body, "permissions": ['read("any")']}


# The table is in the body, or the body has an envelope.
WRAPPED = [
    Sent("payment", "POST /supabase/query", True, _query("payments", "insert"), "into payments"),
    Sent("payment", "POST /api/supabase/query", True, _query("user_payments", "upsert"), "upsert"),
    Sent("dashboard", "POST /supabase/query", True, _query("dashboard_data", "update"), "update"),
    Sent(
        "questionnaire", "POST /supabase/query", True, _query("questionnaires", "insert"), "answers"
    ),
    Sent("payment", "POST /supabase/query", False, _query("payments", "select"), "of payments"),
    Sent("payment", "POST /supabase/query", False, _query("customers", "insert"), "of customers"),
    Sent("payment", "POST /supabase/query", False, _query("payment_methods", "insert"), "methods"),
    Sent("payment", "POST /v1/databases/main/collections/payments/documents", True, _appwrite),
    Sent("payment", "POST /v1/tablesdb/main/tables/payments/rows", True, _appwrite),
    Sent(
        "dashboard",
        "PATCH /v1/databases/main/collections/dashboards/documents/64f0",
        True,
        lambda body: {"data": body},
    ),
    Sent(
        "payment",
        "POST /functions/v1/create-payment",
        True,
        lambda body: {"payment": body},
        "with an envelope",
    ),
]
