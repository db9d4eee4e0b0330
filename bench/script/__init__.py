"""Benchmark the browser script and five SDKs: `python3 -m bench.script`.

senders.py     the script and the SDKs, with their sizes
adapters/      the smallest program that sends a page's captures, for each SDK
costs.py       measures how much time a sender takes from its page (page.js runs there)
faults.py      counts what a sender loses and sends twice when something fails
collector.py   the server that the SDKs send to
report.py      prints the figures and checks the claims
"""
