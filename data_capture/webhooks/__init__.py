"""Webhooks of payment providers: from a signed body to a `PaymentEvent`.

signatures.py          verifies the signature of each provider
payloads.py            reads members of events: ids, emails, amounts
stripe.py              events of Stripe
nowpayments.py         notifications (IPN) of NOWPayments
coinbase_commerce.py   events of Coinbase Commerce
providers.py           the providers, by the names in their webhooks' addresses
"""
