"""The figures as a table, and ours held against what they have to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from bench.script.costs import Costs
from bench.script.faults import Losses
from bench.script.senders import Sender

_KB = 1024
_MINIFIED_KB, _SERVED_KB = 10, 16
_START_MS, _CALL_MEDIAN_MICROSECONDS, _CALL_P95_MICROSECONDS, _BURST_MS, _LONG_TASKS = (
    5,
    100,
    1000,
    5,
    0,
)
_REWRITING_PERCENT = 1
_P95 = 18  # of 19 cuts


@dataclass
class Results:
    """Everything that one run measured; costs and losses by the sender's name."""

    engine: str
    senders: list[Sender]
    left_out: dict[str, str]
    costs: dict[str, Costs] = field(default_factory=dict)
    losses: dict[str, Losses] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """One thing that has to hold of ours."""

    what: str
    at_most: float
    got: float
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Whether it does."""
        return self.got <= self.at_most

    def __str__(self) -> str:
        wanted, got = f"≤ {self.at_most:g}{self.unit}", f"{self.got:.3g}{self.unit}"
        return f"{self.what}: wanted {wanted}, got {got}: {'yes' if self.holds else 'NO'}"


def claims(results: Results) -> list[Claim]:
    """What has to hold of ours, as far as it was measured."""
    ours = next((sender for sender in results.senders if sender.is_ours), None)
    if ours is None:
        return []
    found = list(_claims_of_size(ours))
    if ours.name in results.costs:
        found += _claims_of_costs(results.costs[ours.name])
    losses = results.losses.get(ours.name)
    if losses is not None:
        made = sum(losses.made.values())
        found.append(Claim(f"captures lost of {made}", 0, sum(losses.lost.values())))
        found.append(Claim(f"captures twice of {made}", 0, sum(losses.twice.values())))
    return found


def _claims_of_size(ours: Sender) -> Iterator[Claim]:
    if ours.minified_bytes:
        yield Claim("size, minified and gzipped", _MINIFIED_KB, ours.minified_bytes / _KB, " KB")
    yield Claim("size, as served and gzipped", _SERVED_KB, ours.served_bytes / _KB, " KB")


def _claims_of_costs(costs: Costs) -> Iterator[Claim]:
    yield Claim("load and init, median", _START_MS, median(costs.start_ms), " ms")
    for way in ("function", "fetch", "storage"):
        middle, high = _added(costs, way)
        yield Claim(
            f"added to a call of 1.4 KB by {way}, median", _CALL_MEDIAN_MICROSECONDS, middle, " µs"
        )
        yield Claim(f"added to a call of 1.4 KB by {way}, p95", _CALL_P95_MICROSECONDS, high, " µs")
    yield Claim("50 calls in a row, median", _BURST_MS, median(costs.burst_ms), " ms")
    yield Claim("long tasks after them, median", _LONG_TASKS, median(costs.long_tasks))
    yield Claim(
        "of a page that rewrites a key 80 times a second",
        _REWRITING_PERCENT,
        median(costs.rewriting_percent),
        " %",
    )


def _added(costs: Costs, way: str) -> tuple[float, float]:
    """The median, and the p95, with the script less those without it, in µs; not below nothing."""
    there, bare = costs.call_microseconds[way], costs.bare_microseconds[way]
    return max(0.0, median(there) - median(bare)), max(0.0, _p95(there) - _p95(bare))


def _p95(times: Sequence[float]) -> float:
    return quantiles(times, n=20)[_P95] if len(times) > 1 else times[0]


def as_text(results: Results) -> str:
    """The report for a person."""
    head = ["", *(sender.name for sender in results.senders)]
    lines = [f"measured in {results.engine}; medians", "", *_table(head, list(_rows(results)))]
    ours = next((costs for costs in results.costs.values() if costs.bare_microseconds), None)
    if ours is not None:
        lines += ["", *_table(["what ours adds to a call at 1.4 KB, µs", "median", "p95", "the call alone"], [
            [name, *(f"{added:.0f}" for added in _added(ours, way)), f"{median(ours.bare_microseconds[way]):.0f}"]
            for way, name in _WAYS.items()
        ])]  # fmt: skip
    lines += [f"left out: {name}: {reason}" for name, reason in results.left_out.items()]
    return "\n".join([*lines, "", *map(str, claims(results))])


_WAYS = {
    "function": "a wrapped function", "fetch": "fetch, a payment", "storage": "localStorage, a payment",
    "otherFetch": "fetch, something else", "otherStorage": "localStorage, something else",
}  # fmt: skip


def _rows(results: Results) -> Iterator[list[str]]:
    found = results.senders
    yield ["version", *(sender.version for sender in found)]
    yield ["gzip size, minified, KB", *(_size(sender.minified_bytes) for sender in found)]
    yield ["gzip size, as served, KB", *(_size(sender.served_bytes) for sender in found)]
    if results.costs:
        costs = [results.costs[sender.name] for sender in found]
        calls = [next(iter(each.call_microseconds.values())) for each in costs]
        yield ["load and init, ms", *(f"{median(each.start_ms):.1f}" for each in costs)]
        yield ["one call at 1.4 KB, median µs", *(f"{median(times):.0f}" for times in calls)]
        yield ["one call at 1.4 KB, p95 µs", *(f"{_p95(times):.0f}" for times in calls)]
        yield ["50 calls in a row, ms", *(f"{median(each.burst_ms):.1f}" for each in costs)]
        yield ["long tasks (> 50 ms)", *(f"{median(each.long_tasks):g}" for each in costs)]
        yield [
            "being there for 3 s, ms",
            *(f"{median(each.idle_ms):.1f}" if each.idle_ms else "–" for each in costs),
        ]
        shares = [each.rewriting_percent for each in costs]
        yield [
            "80 rewrites a second, %",
            *(f"{median(share):.2f}" if share else "–" for share in shares),
        ]
    if results.losses:
        losses = [results.losses[sender.name] for sender in found]
        for scenario in next(iter(losses)).made:
            yield [scenario, *(_loss(each.lost[scenario], each.twice[scenario]) for each in losses)]
        yield [
            "lost",
            *(f"{sum(each.lost.values())} of {sum(each.made.values())}" for each in losses),
        ]
        yield ["twice", *(str(sum(each.twice.values())) for each in losses)]


def _size(size: int) -> str:
    return f"{size / _KB:.1f}" if size else "–"


def _loss(lost: int, twice: int) -> str:
    return f"{lost} lost" + (f", {twice} twice" if twice else "")


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(line[column]) for line in [head, *rows]) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) if not column else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(line, widths, strict=True))).rstrip()
        for line in [head, *rows]
    ]  # fmt: skip


def as_json(results: Results) -> dict[str, Any]:
    """The report for a program: every run's figures."""
    return {
        "engine": results.engine,
        "senders": [
            {
                "name": sender.name, "version": sender.version, "minified_bytes": sender.minified_bytes,
                "served_bytes": sender.served_bytes,
                **({"costs": vars(results.costs[sender.name])} if sender.name in results.costs else {}),
                **({"losses": vars(results.losses[sender.name])} if sender.name in results.losses else {}),
            }
            for sender in results.senders
        ],
        "left_out": results.left_out,
        "claims": [{**vars(claim), "holds": claim.holds} for claim in claims(results)],
    }  # fmt: skip
