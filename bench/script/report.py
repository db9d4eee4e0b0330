"""Print the figures as a table, and check the claims about our script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from bench.output import format_claim, format_left_out, format_table, join_report
from bench.script.costs import HUNG_MS, Costs
from bench.script.faults import Losses
from bench.script.senders import Sender

_KB = 1024

# The limits of the claims.
_MAX_MINIFIED_KB, _MAX_SERVED_KB = 10, 16
_MAX_START_MS = 5
_MAX_CALL_MEDIAN_MICROSECONDS, _MAX_CALL_P95_MICROSECONDS = 100, 1000
_MAX_BURST_MS, _MAX_LONG_TASKS = 5, 0
_MAX_REWRITING_PERCENT = 1
_MAX_LARGE_MS = 50  # a longer task is a long task

_P95 = 18  # the index of the 95th percentile among the 19 cut points of n=20

_CALLS = {
    "function": "a wrapped function",
    "fetch": "fetch, a payment",
    "storage": "localStorage, a payment",
    "otherFetch": "fetch, something else",
    "otherStorage": "localStorage, something else",
}

_LARGE_CALLS = {"function": "a function", "fetch": "fetch"}


@dataclass
class Results:
    """All figures of one run; costs and losses by the sender's name."""

    engine: str
    senders: list[Sender]
    left_out: dict[str, str]
    costs: dict[str, Costs] = field(default_factory=dict)
    losses: dict[str, Losses] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """A claim about our script: a figure is at most `at_most`."""

    what: str
    at_most: float
    got: float
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Tell whether the claim holds."""
        return self.got <= self.at_most

    def __str__(self) -> str:
        wanted, got = f"≤ {self.at_most:g}{self.unit}", f"{self.got:.3g}{self.unit}"
        return format_claim(self.what, wanted, got, holds=self.holds)


def claims(results: Results) -> list[Claim]:
    """Return the claims whose figures were measured."""
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
        found.append(Claim(f"duplicate captures of {made}", 0, sum(losses.duplicates.values())))
    return found


def _claims_of_size(ours: Sender) -> Iterator[Claim]:
    if ours.minified_bytes:
        yield Claim(
            "size, minified and gzipped", _MAX_MINIFIED_KB, ours.minified_bytes / _KB, " KB"
        )
    yield Claim("size, as served and gzipped", _MAX_SERVED_KB, ours.served_bytes / _KB, " KB")


def _claims_of_costs(costs: Costs) -> Iterator[Claim]:
    yield Claim("load and init, median", _MAX_START_MS, median(costs.start_ms), " ms")
    for kind in ("function", "fetch", "storage"):
        middle, high = _added(costs, kind)
        yield Claim(
            f"added to a call of 1.4 KB by {kind}, median",
            _MAX_CALL_MEDIAN_MICROSECONDS,
            middle,
            " µs",
        )
        yield Claim(
            f"added to a call of 1.4 KB by {kind}, p95", _MAX_CALL_P95_MICROSECONDS, high, " µs"
        )
    yield Claim("50 calls in a row, median", _MAX_BURST_MS, median(costs.burst_ms), " ms")
    yield Claim("long tasks after them, median", _MAX_LONG_TASKS, median(costs.long_tasks))
    yield Claim(
        "of a page that rewrites a key 80 times a second",
        _MAX_REWRITING_PERCENT,
        median(costs.rewriting_percent),
        " %",
    )
    for kind, times in costs.large_ms.items():
        what = f"added to the longest task by 20 MB through {_LARGE_CALLS[kind]}, median"
        yield Claim(what, _MAX_LARGE_MS, median(times), " ms")


def _added(costs: Costs, kind: str) -> tuple[float, float]:
    """Return the µs that the script adds to a call: median and p95, at least 0."""
    wrapped, bare = costs.call_microseconds[kind], costs.bare_microseconds[kind]
    return max(0.0, median(wrapped) - median(bare)), max(0.0, _p95(wrapped) - _p95(bare))


def _p95(times: Sequence[float]) -> float:
    return quantiles(times, n=20)[_P95] if len(times) > 1 else times[0]


def as_text(results: Results) -> str:
    """Return the report for people."""
    head = ["", *(sender.name for sender in results.senders)]
    lines = [
        f"measured in {results.engine}; medians",
        "",
        *format_table(head, list(_rows(results))),
    ]
    ours = next((costs for costs in results.costs.values() if costs.bare_microseconds), None)
    if ours is not None:
        lines += ["", *_added_table(ours)]
    lines += format_left_out(results.left_out)
    return join_report(lines, claims(results))


def _added_table(ours: Costs) -> list[str]:
    head = ["our script adds to a call of 1.4 KB, µs", "median", "p95", "the call alone"]
    return format_table(
        head,
        [
            [
                name,
                *(f"{added:.0f}" for added in _added(ours, kind)),
                f"{median(ours.bare_microseconds[kind]):.0f}",
            ]
            for kind, name in _CALLS.items()
        ],
    )


def _rows(results: Results) -> Iterator[list[str]]:
    found = results.senders
    yield ["version", *(sender.version for sender in found)]
    yield ["gzip size, minified, KB", *(_size(sender.minified_bytes) for sender in found)]
    yield ["gzip size, as served, KB", *(_size(sender.served_bytes) for sender in found)]
    if results.costs:
        yield from _cost_rows([results.costs[sender.name] for sender in found])
    if results.losses:
        yield from _loss_rows([results.losses[sender.name] for sender in found])


def _cost_rows(costs: Sequence[Costs]) -> Iterator[list[str]]:
    calls = [next(iter(each.call_microseconds.values())) for each in costs]
    idle = [each.idle_ms for each in costs]
    rewriting = [each.rewriting_percent for each in costs]
    yield ["load and init, ms", *(f"{median(each.start_ms):.1f}" for each in costs)]
    yield ["one call at 1.4 KB, median µs", *(f"{median(times):.0f}" for times in calls)]
    yield ["one call at 1.4 KB, p95 µs", *(f"{_p95(times):.0f}" for times in calls)]
    yield ["50 calls in a row, ms", *(f"{median(each.burst_ms):.1f}" for each in costs)]
    yield ["long tasks (> 50 ms)", *(f"{median(each.long_tasks):g}" for each in costs)]
    yield ["idle for 3 s, ms", *(f"{median(times):.1f}" if times else "–" for times in idle)]
    yield [
        "80 rewrites a second, %",
        *(f"{median(shares):.2f}" if shares else "–" for shares in rewriting),
    ]
    yield ["longest task with 20 MB, ms", *(_longest(each.large_ms) for each in costs)]


def _longest(times: Mapping[str, Sequence[float]]) -> str:
    longest = max(map(median, times.values()), default=None)
    if longest is None:
        return "–"
    return f"over {HUNG_MS}" if longest >= HUNG_MS else f"{longest:.0f}"


def _loss_rows(losses: Sequence[Losses]) -> Iterator[list[str]]:
    for scenario in losses[0].made:
        yield [
            scenario,
            *(_loss(each.lost[scenario], each.duplicates[scenario]) for each in losses),
        ]
    yield ["lost", *(f"{sum(each.lost.values())} of {sum(each.made.values())}" for each in losses)]
    yield ["duplicates", *(str(sum(each.duplicates.values())) for each in losses)]


def _size(size: int) -> str:
    return f"{size / _KB:.1f}" if size else "–"


def _loss(lost: int, duplicates: int) -> str:
    return f"{lost} lost" + (f", {duplicates} duplicates" if duplicates else "")


def as_json(results: Results) -> dict[str, Any]:
    """Return the report for programs, with the figures of every run."""
    return {
        "engine": results.engine,
        "senders": [_sender_as_json(sender, results) for sender in results.senders],
        "left_out": results.left_out,
        "claims": [{**vars(claim), "holds": claim.holds} for claim in claims(results)],
    }


def _sender_as_json(sender: Sender, results: Results) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": sender.name,
        "version": sender.version,
        "minified_bytes": sender.minified_bytes,
        "served_bytes": sender.served_bytes,
    }
    if sender.name in results.costs:
        document["costs"] = vars(results.costs[sender.name])
    if sender.name in results.losses:
        document["losses"] = vars(results.losses[sender.name])
    return document
