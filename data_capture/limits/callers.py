"""Addresses as callers, and the fair share of each caller."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Collection
from functools import lru_cache

# RFC 6177: a subscriber gets at least such a network in IPv6, so all its addresses are one caller.
_NETWORK_BITS = 64


# With this cache, a call takes 0.2 µs instead of 14 (IPv4) or 47 µs (IPv6); parsing a payment takes
# 70 µs.
@lru_cache(maxsize=4096)
def caller_of(address: str) -> str:
    """Return the key that counts an address: itself, or its network in IPv6."""
    try:
        numeric = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if numeric.version == 6 and numeric.ipv4_mapped is None:
        return str(ipaddress.ip_network((numeric, _NETWORK_BITS), strict=False))
    return str(getattr(numeric, "ipv4_mapped", None) or numeric)


def fair_share(counts: Collection[int], total: int) -> int:
    """Return the maximum per caller with which all have at most `total`; at least 1.

    Args:
        counts: what each caller has now.
        total: the maximum of all callers together.
    """
    shares = range(1, max(counts, default=0) + 1)
    fitting = bisect_right(
        shares, total, key=lambda share: sum(min(count, share) for count in counts)
    )
    return max(1, fitting)


def is_loopback(address: str) -> bool:
    """Tell whether an address, or the name localhost, belongs to this machine."""
    try:
        numeric = ipaddress.ip_address(address)
    except ValueError:
        return address.lower() == "localhost"
    return bool((getattr(numeric, "ipv4_mapped", None) or numeric).is_loopback)
