"""Measures the capture script in real browsers, beside the senders of five well-known SDKs; `python3 -m bench.script`."""
