"""Masking what must never be stored: passwords, keys, card numbers and the like.

redact.py           masks the secrets in a JSON value; the other rooms use this module
hidden_values.py    finds the values behind masks that tell payloads apart
quick_check.py      rules most payloads out at once
plain_text.py       masks the secrets in a text that is not JSON
decodings.py        what a text means behind the encodings of URLs, HTML and JSON
named_secrets.py    finds secrets in texts after their names
shown_secrets.py    finds secrets in texts that no "=" or ":" separates from their names
private_keys.py     finds private keys of Bitcoin and its relatives by their checksum
seed_phrases.py     finds the seed phrases of wallets
secret_patterns.py  codes and tokens in texts, and quick checks that rule most texts out
card_numbers.py     finds and masks card numbers in texts
card_issuers.py     the issuers' prefixes and lengths, and the Luhn sum
spellings.py        digits and signs as they are spelled in URLs, JSON and other scripts
iban_numbers.py     finds and masks IBANs in texts
emails.py           tells whether a part of a text belongs to an email address
identifiers.py      phone numbers and other identifiers that can look like card numbers
key_roles.py        what a key says about its value, cached
pairs.py            pairs of a name and a value, as forms send them
sensitive_keys.py   tells whether a key names a secret or a card number
secret_names.json   the names of secrets, and cases that the service and the script agree on
harmless_values.py  values that are no secrets, although their keys could name one
"""
