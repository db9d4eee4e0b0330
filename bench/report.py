"""Print the figures as tables, and check the claims about the capture service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench.growth import BUSY_USER_ROWS, Memory, Size
from bench.output import format_claim, format_left_out, format_table, join_report
from bench.rounds import BATCH_CAPTURES, CONNECTIONS, Comparison, Row, Spread, find_row
from bench.targets import BARE, FASTIFY, PLAIN, SERVICE

# The limits of the claims. Ratios compare two figures of the same run.
_MIN_RATIO_TO_FASTIFY, _MIN_RATIO_TO_PLAIN, _MIN_RATIO_TO_BARE = 1.5, 6.0, 0.75
_MAX_P99_RATIO_TO_BARE = 2.0
_MIN_BATCH_CAPTURES_PER_SECOND, _MIN_BATCH_RATIO_TO_SINGLE = 10_000, 6.0
_LARGE_FILE_CAPTURES, _MIN_RATIO_TO_EMPTY_FILE = 1_000_000, 0.9
_MAX_STATISTICS_MS = 5.0
_MAX_MEMORY_MEGABYTES, _MAX_MEMORY_GROWTH = 150.0, 1.1


@dataclass
class Results:
    """All figures of one run."""

    machine: dict[str, str]
    comparison: Comparison
    sizes: list[Size] = field(default_factory=list)
    memory: Memory | None = None


@dataclass(frozen=True)
class Claim:
    """A claim about the capture service; `wanted` and `got` are texts."""

    what: str
    wanted: str
    got: str
    holds: bool

    def __str__(self) -> str:
        return "ratio  " + format_claim(self.what, self.wanted, self.got, holds=self.holds)


def claims(results: Results) -> list[Claim]:
    """Return the claims whose figures were measured."""
    return [
        *_claims_of_rounds(results.comparison.rows),
        *_claims_of_sizes(results.sizes),
        *_claims_of_memory(results),
    ]


def _claims_of_rounds(rows: Sequence[Row]) -> Iterator[Claim]:
    ours = find_row(rows, SERVICE)
    if ours is None:
        return
    ratios = (
        (FASTIFY, _MIN_RATIO_TO_FASTIFY),
        (PLAIN, _MIN_RATIO_TO_PLAIN),
        (BARE, _MIN_RATIO_TO_BARE),
    )
    for name, wanted in ratios:
        other = find_row(rows, name)
        if other is not None:
            ratio = _ratio(ours.captures_per_second, other.captures_per_second)
            yield _at_least(f"captures/s with {CONNECTIONS} connections / {name}", ratio, wanted)
    bare = find_row(rows, BARE)
    if bare is not None:
        yield _at_most(
            f"p99 with {CONNECTIONS} connections / {BARE}",
            _ratio(ours.p99_ms, bare.p99_ms),
            _MAX_P99_RATIO_TO_BARE,
        )
    batches = find_row(rows, SERVICE, CONNECTIONS, BATCH_CAPTURES)
    if batches is not None:
        per_second = batches.captures_per_second.middle
        ratio = _ratio(batches.captures_per_second, ours.captures_per_second)
        yield Claim(
            f"batches of {BATCH_CAPTURES}",
            f"≥ {_MIN_BATCH_CAPTURES_PER_SECOND:,} captures/s "
            f"or ≥ {_MIN_BATCH_RATIO_TO_SINGLE:g} × single ones",
            f"{per_second:,.0f} captures/s, {ratio:.2f} ×",
            per_second >= _MIN_BATCH_CAPTURES_PER_SECOND or ratio >= _MIN_BATCH_RATIO_TO_SINGLE,
        )


def _claims_of_sizes(sizes: Sequence[Size]) -> Iterator[Claim]:
    empty = next((size for size in sizes if size.captures == 0), None)
    for size in sizes:
        if empty is not None and size.captures >= _LARGE_FILE_CAPTURES:
            ratio = _ratio(size.captures_per_second, empty.captures_per_second)
            yield _at_least(
                f"captures/s over {size.captures:,} captures / over an empty file",
                ratio,
                _MIN_RATIO_TO_EMPTY_FILE,
            )
    largest = max(sizes, key=lambda size: size.captures, default=None)
    if largest is not None and largest.captures >= BUSY_USER_ROWS:
        what = (
            f"p99 of the statistics of a user with {BUSY_USER_ROWS:,} rows, "
            f"over {largest.captures:,} captures"
        )
        yield _at_most(what, largest.statistics_p99_ms, _MAX_STATISTICS_MS, " ms")


def _claims_of_memory(results: Results) -> Iterator[Claim]:
    memory = results.memory
    if memory is not None and memory.megabytes:
        what = f"after {memory.captures:,} captures"
        yield _at_most(f"memory {what}", memory.megabytes, _MAX_MEMORY_MEGABYTES, " MB")
        if memory.first_captures < memory.captures:
            growth = memory.megabytes / memory.megabytes_at_first
            yield _at_most(
                f"memory {what} / after {memory.first_captures:,}", growth, _MAX_MEMORY_GROWTH
            )


def _ratio(ours: Spread, theirs: Spread) -> float:
    """Return the median of the rounds' ratios.

    A disturbance of a round affects both figures, but hardly their ratio.
    """
    return median(
        one / other if other else float("inf")
        for one, other in zip(ours.values, theirs.values, strict=True)
    )


def _at_least(what: str, got: float, wanted: float) -> Claim:
    return Claim(what, f"≥ {wanted:g}", f"{got:.2f}", got >= wanted)


def _at_most(what: str, got: float, wanted: float, unit: str = "") -> Claim:
    return Claim(what, f"≤ {wanted:g}{unit}", f"{got:.2f}{unit}", got <= wanted)


def as_text(results: Results) -> str:
    """Return the report for people."""
    lines = [f"{name:12} {value}" for name, value in results.machine.items()]
    lines += ["", *_comparison_table(results.comparison.rows)]
    if results.comparison.syncs_per_second.values:
        lines += [
            "",
            f"fdatasync of a page: {results.comparison.syncs_per_second} a second; "
            f"commits of a bare sqlite3 loop: {results.comparison.commits_per_second} a second",
        ]
    lines += format_left_out(results.comparison.left_out)
    if results.sizes:
        lines += ["", *_sizes_table(results.sizes)]
    if results.memory is not None:
        memory = results.memory
        lines += [
            "",
            f"memory after {memory.first_captures:,} captures {memory.megabytes_at_first:.0f} MB, "
            f"after {memory.captures:,} {memory.megabytes:.0f} MB",
        ]
    return join_report(lines, claims(results))


def _comparison_table(rows: Sequence[Row]) -> list[str]:
    head = [
        *("", "captures/s (range)", "p50 ms", "p99 ms"),
        *("memory MB", "CPU µs/capture", "failed", "the service is"),
    ]
    service = find_row(rows, SERVICE)
    return format_table(head, [_cells(row, service) for row in rows])


def _cells(row: Row, service: Row | None) -> list[str]:
    is_other = service is not None and row.target.name != SERVICE
    return [
        row.label,
        str(row.captures_per_second),
        f"{row.p50_ms.middle:.1f}",
        f"{row.p99_ms.middle:.1f}",
        f"{row.resident_megabytes.middle:.0f}",
        f"{row.cpu_microseconds.middle:.0f}",
        str(row.failed),
        f"{_ratio(service.captures_per_second, row.captures_per_second):.2f} ×"
        if is_other and service is not None
        else "",
    ]


def _sizes_table(sizes: Sequence[Size]) -> list[str]:
    head = [
        *("captures in the file", "captures/s (range)", "p99 ms"),
        *("statistics p50 ms", "p99 ms"),
    ]
    return format_table(
        head,
        [
            [
                f"{size.captures:,}",
                str(size.captures_per_second),
                f"{size.p99_ms.middle:.1f}",
                f"{size.statistics_p50_ms:.2f}",
                f"{size.statistics_p99_ms:.2f}",
            ]
            for size in sizes
        ],
    )


def as_json(results: Results) -> dict[str, Any]:
    """Return the report for programs, with the figures of every round."""
    comparison = results.comparison
    return {
        "machine": results.machine,
        "rows": [
            {
                "name": row.target.name,
                "connections": row.connections,
                "captures_a_request": row.captures_per_request,
                "captures_per_second": row.captures_per_second.values,
                "p50_ms": row.p50_ms.values,
                "p99_ms": row.p99_ms.values,
                "resident_megabytes": row.resident_megabytes.values,
                "cpu_microseconds": row.cpu_microseconds.values,
                "failed": row.failed,
            }
            for row in comparison.rows
        ],
        "limits": {
            "syncs_per_second": comparison.syncs_per_second.values,
            "commits_per_second": comparison.commits_per_second.values,
        },
        "left_out": comparison.left_out,
        "sizes": [
            {
                "captures": size.captures,
                "captures_per_second": size.captures_per_second.values,
                "p99_ms": size.p99_ms.values,
                "statistics_p50_ms": size.statistics_p50_ms,
                "statistics_p99_ms": size.statistics_p99_ms,
            }
            for size in results.sizes
        ],
        "memory": None if results.memory is None else vars(results.memory),
        "claims": [vars(claim) for claim in claims(results)],
    }
