"""Store captures and accounts durably: `Store` is the interface, `sqlite` its implementation."""

from data_capture.store.store import Store

__all__ = ["Store"]
