"""Benchmark the capture service: `python3 -m bench`.

rounds.py      measures all servers in alternating rounds
targets.py     the capture service and the other servers
servers/       the other servers
load.py        the load: payments, sent by wrk (load.lua) or by client.py
growth.py      measures the service over large databases, and its memory
limits.py      measures the disk and SQLite alone
report.py      prints the figures and checks the claims
output.py      formats tables and claims, for this benchmark and that of the script
processes.py   starts, measures and stops servers
machine.py     describes the machine
installing.py  installs the packages of the other servers, inside bench/
script/        benchmarks the browser script: `python3 -m bench.script`
"""
