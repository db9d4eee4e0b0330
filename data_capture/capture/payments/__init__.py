"""Payments beyond their columns.

statuses.py          the statuses that all payments share, from the spellings of providers
facts.py             a payment's currency, status and amount in minor units, for `payment_facts`
provider_objects.py  reads the objects of payment providers, which pages send as they are
provider_shapes.py   these objects as one table: how each is recognised, and what lies where
stripe_shapes.py     the part of Stripe
paypal_shapes.py     the part of PayPal
razorpay_shapes.py   the part of Razorpay
paddle_shapes.py     the part of Paddle
shape.py             what a line of that table says, and how its places are looked up
price_names.py       names of the price, also in minor units
unmapped.py          a warning if neither price nor number was found
events.py            events of payment providers, and the facts that follow from them
"""
