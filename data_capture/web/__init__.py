"""HTTP: the capture operation, its adapters, access control, headers and errors.

capture_service     `receive_capture`, the only capture operation
fast_path           its adapter on the event loop; the other one is the Flask routes
requests            from a body's bytes to parsed captures
responses           from the results of writes to a response
deferred_body       responding before a request's body has arrived
request_guard       which hosts, origins and browser requests are accepted
read_access         who may read statistics and health details
admin_auth          checks of the admin token and of write tokens
admin_token         the admin token: creating, comparing, rotating it
write_tokens        the write tokens: creating, comparing, revoking them
webhooks            the address of the payment providers' webhooks
health_probe        signed health requests of this installation's own programs
rate_limits         the rate limits of the Flask routes
email_paths         email addresses in URL paths
error_handlers      every error as an application/problem+json response
capture_log         one log line a minute with what was stored and refused
request_log         one log line for each request, with `--debug`
security_headers    headers of every response
"""
