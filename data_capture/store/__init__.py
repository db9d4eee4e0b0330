"""Store captures and accounts durably: `Store` is the interface, over one SQLite file.

store.py           reads and writes
write_queue.py     queues writes; its docstring shows the states of a write
loop_committer.py  runs the event loop's writes in the loop and commits them in a thread
write_refusals.py  whether writes are refused, and why: for the health and the log
recovery_probe.py  writes while writes are refused, to find out when that is over
sqlite/            connections, group commit, and the SQL of captures, users and the schema
"""

from data_capture.store.store import Store

__all__ = ["Store"]
