"""Who shares a budget: addresses as callers, and how much each caller may have when all together have too much."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Collection
from functools import lru_cache

_NETWORK_BITS = (
    64  # RFC 6177: one subscriber gets at least this much of IPv6, so its addresses are one caller
)


@lru_cache(maxsize=4096)
def caller_of(address: str) -> str:
    """The name under which a budget counts an address: the address, or its network in IPv6."""
    try:
        numeric = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if numeric.version == 6 and numeric.ipv4_mapped is None:
        return str(ipaddress.ip_network((numeric, _NETWORK_BITS), strict=False))
    return str(getattr(numeric, "ipv4_mapped", None) or numeric)


def fair_share(counts: Collection[int], total: int) -> int:
    """The most that each caller may keep so that all together keep at most `total`; at least 1."""
    shares = range(1, max(counts, default=0) + 1)
    fitting = bisect_right(
        shares, total, key=lambda share: sum(min(count, share) for count in counts)
    )
    return max(1, fitting)


def is_loopback(address: str) -> bool:
    """Whether an address, or the name localhost, is this machine's own."""
    try:
        numeric = ipaddress.ip_address(address)
    except ValueError:
        return address.lower() == "localhost"
    return bool((getattr(numeric, "ipv4_mapped", None) or numeric).is_loopback)
