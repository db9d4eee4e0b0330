"""Payments beyond their columns.

statuses.py   the statuses that all payments share, from the spellings of providers
facts.py      a payment's currency, status and amount in minor units, for `payment_facts`
"""
