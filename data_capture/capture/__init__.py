"""The kinds of captures, and how a payload becomes a capture.

kinds.py           the kinds with their tables, fields, aliases and converters, as one table
parse.py           from a payload to a Capture
columns.py         from a payload's members to the values of the columns
envelopes.py       looks into the objects that clients and protocols put around a payload
unnamed_envelopes.py  looks into an object of any name, if only that has the fields
firestore.py       decodes Firestore's typed values
partial_mark.py    recognises partial updates
capture_target.py  reads the path and query of a page's request: whose row does it change?
page_ids.py        the page's own ids of users and records
form_names.py      builds the objects that names of form fields describe
normalise.py       brings payloads of another shape into the usual one
user_fields.py     the names of the user's address, name and id, and how the user is found
assets.py          tells currency pairs from crypto assets
field_lookup.py    finds a field's value under its aliases and spellings
conversion.py      what all converters share
converters.py      converts texts, pictures, lists and objects
says_nothing.py    recognises what stands for a missing value
id_placeholders.py recognises what pages send in place of an id
typed_values.py    reads typed values of databases, and price objects
money.py           converts amounts, ratios and whole numbers
number_text.py     reads numbers as people and formatters write them
currencies.py      the currency of an amount, its code and its decimals
currency_names.py  the currencies as data
timestamps.py      formats times, and parses those of browsers
time_formats.py    parses times in all other notations
capture_time.py    decides when a capture happened
email.py           normalises email addresses
email_text.py      finds an address in what surrounds it
email_search.py    finds the payer's address where no list of names has its place
email_domain.py    normalises the domains of addresses (IDNA)
user_agent.py      shortens and masks the User-Agent header
pictures.py        describes the pictures of a payload for its snapshot
snapshot.py        the snapshot and the digests of a payload
volatile_names.py  the members that differ each time a page saves the same data
"""
