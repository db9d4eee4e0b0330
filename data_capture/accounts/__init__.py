"""Accounts: sign-up, log-in, passwords, and the mails that confirm an address.

signup              signing users up without mail
signup_form         the fields of a sign-up
login               logging users in
fields              email addresses and passwords in requests
access_tokens       signed tokens, and the response that contains them
passwords           hashing and checking passwords
verification        sign-ups confirmed by mail, and account recovery
verification_links  the signed links in mails
verification_page/  the page that a link opens
link_mail           the mails that contain a link, and their limits
mail                sending mails in a thread
events              audit records of accounts
"""
