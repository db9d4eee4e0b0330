"""The figures as a table, and held against what they have to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench.contestants import BARE, FASTIFY, PLAIN, SERVICE
from bench.growth import BUSY_USER_ROWS, Memory, Size
from bench.rounds import BATCH_CAPTURES, CONNECTIONS, Comparison, Row, Spread, row_of

# What the service has to reach, within one run. A grown file is one with at least this many captures.
_OVER_FASTIFY, _OVER_PLAIN, _OF_BARE, _P99_OVER_BARE = 1.5, 6.0, 0.75, 2.0
_BATCH_CAPTURES_PER_SECOND, _BATCH_OVER_SINGLE = 10_000, 6.0
_GROWN_CAPTURES, _OF_EMPTY_FILE = 1_000_000, 0.9
_STATISTICS_MS = 5.0
_MEMORY_MEGABYTES, _MEMORY_GROWTH = 150.0, 1.1


@dataclass
class Results:
    """Everything that one run measured."""

    machine: dict[str, str]
    comparison: Comparison
    sizes: list[Size] = field(default_factory=list)
    memory: Memory | None = None


@dataclass(frozen=True)
class Claim:
    """One thing that has to hold. `got` and `wanted` are ready to print."""

    what: str
    wanted: str
    got: str
    holds: bool

    def __str__(self) -> str:
        return f"ratio  {self.what}: wanted {self.wanted}, got {self.got}: {'yes' if self.holds else 'NO'}"


def claims(results: Results) -> list[Claim]:
    """What has to hold, as far as it was measured."""
    return [
        *_claims_of_rounds(results.comparison.rows),
        *_claims_of_sizes(results.sizes),
        *_claims_of_memory(results),
    ]


def _claims_of_rounds(rows: Sequence[Row]) -> Iterator[Claim]:
    ours = row_of(rows, SERVICE)
    if ours is None:
        return
    for name, wanted in ((FASTIFY, _OVER_FASTIFY), (PLAIN, _OVER_PLAIN), (BARE, _OF_BARE)):
        other = row_of(rows, name)
        if other is not None:
            ratio = _ratio(ours.captures_per_second, other.captures_per_second)
            yield _at_least(f"captures/s with {CONNECTIONS} connections / {name}", ratio, wanted)
    bare = row_of(rows, BARE)
    if bare is not None:
        yield _at_most(
            f"p99 with {CONNECTIONS} connections / {BARE}",
            _ratio(ours.p99_ms, bare.p99_ms),
            _P99_OVER_BARE,
        )
    batches = row_of(rows, SERVICE, CONNECTIONS, BATCH_CAPTURES)
    if batches is not None:
        per_second, ratio = (
            batches.captures_per_second.middle,
            _ratio(batches.captures_per_second, ours.captures_per_second),
        )
        yield Claim(
            f"batches of {BATCH_CAPTURES}",
            f"≥ {_BATCH_CAPTURES_PER_SECOND:,} captures/s or ≥ {_BATCH_OVER_SINGLE:g} × single ones",
            f"{per_second:,.0f} captures/s, {ratio:.2f} ×",
            per_second >= _BATCH_CAPTURES_PER_SECOND or ratio >= _BATCH_OVER_SINGLE,
        )


def _claims_of_sizes(sizes: Sequence[Size]) -> Iterator[Claim]:
    empty = next((size for size in sizes if size.captures == 0), None)
    for size in sizes:
        if empty is not None and size.captures >= _GROWN_CAPTURES:
            ratio = _ratio(size.captures_per_second, empty.captures_per_second)
            yield _at_least(
                f"captures/s over {size.captures:,} captures / over an empty file",
                ratio,
                _OF_EMPTY_FILE,
            )
    grown = max(sizes, key=lambda size: size.captures, default=None)
    if grown is not None and grown.captures >= BUSY_USER_ROWS:
        what = f"p99 of the statistics of a person with {BUSY_USER_ROWS:,} rows, over {grown.captures:,} captures"
        yield _at_most(what, grown.statistics_p99_ms, _STATISTICS_MS, " ms")


def _claims_of_memory(results: Results) -> Iterator[Claim]:
    memory = results.memory
    if memory is not None and memory.megabytes:
        what = f"after {memory.captures:,} captures"
        yield _at_most(f"memory {what}", memory.megabytes, _MEMORY_MEGABYTES, " MB")
        if memory.first_captures < memory.captures:
            growth = memory.megabytes / memory.megabytes_at_first
            yield _at_most(
                f"memory {what} / after {memory.first_captures:,}", growth, _MEMORY_GROWTH
            )


def _ratio(ours: Spread, theirs: Spread) -> float:
    """The median of the rounds' ratios: what disturbs a round disturbs both."""
    return median(
        one / other if other else float("inf")
        for one, other in zip(ours.values, theirs.values, strict=True)
    )


def _at_least(what: str, got: float, wanted: float) -> Claim:
    return Claim(what, f"≥ {wanted:g}", f"{got:.2f}", got >= wanted)


def _at_most(what: str, got: float, wanted: float, unit: str = "") -> Claim:
    return Claim(what, f"≤ {wanted:g}{unit}", f"{got:.2f}{unit}", got <= wanted)


def as_text(results: Results) -> str:
    """The report for a person."""
    lines = [f"{name:12} {value}" for name, value in results.machine.items()]
    rows = results.comparison.rows
    ours = row_of(rows, SERVICE)
    lines += ["", *_table(
        ["", "captures/s (range)", "p50 ms", "p99 ms", "memory MB", "CPU µs/capture", "failed", "the service is"],
        [_cells(row, ours) for row in rows],
    )]  # fmt: skip
    if results.comparison.syncs_per_second.values:
        lines += ["", f"fdatasync of a page: {results.comparison.syncs_per_second} a second; "
                      f"commits of a bare sqlite3 loop: {results.comparison.commits_per_second} a second"]  # fmt: skip
    lines += [f"left out: {name}: {reason}" for name, reason in results.comparison.left_out.items()]
    if results.sizes:
        cells = [
            [f"{size.captures:,}", str(size.captures_per_second), f"{size.p99_ms.middle:.1f}",
             f"{size.statistics_p50_ms:.2f}", f"{size.statistics_p99_ms:.2f}"]
            for size in results.sizes
        ]  # fmt: skip
        lines += [
            "",
            *_table(
                [
                    "captures in the file",
                    "captures/s (range)",
                    "p99 ms",
                    "statistics p50 ms",
                    "p99 ms",
                ],
                cells,
            ),
        ]
    if results.memory is not None:
        memory = results.memory
        lines += ["", f"memory after {memory.first_captures:,} captures {memory.megabytes_at_first:.0f} MB, "
                      f"after {memory.captures:,} {memory.megabytes:.0f} MB"]  # fmt: skip
    return "\n".join([*lines, "", *map(str, claims(results))])


def _cells(row: Row, ours: Row | None) -> list[str]:
    other = ours is not None and row.contestant.name != SERVICE
    return [
        row.label, str(row.captures_per_second), f"{row.p50_ms.middle:.1f}", f"{row.p99_ms.middle:.1f}",
        f"{row.resident_megabytes.middle:.0f}", f"{row.cpu_microseconds.middle:.0f}", str(row.failed),
        f"{_ratio(ours.captures_per_second, row.captures_per_second):.2f} ×" if other and ours is not None else "",
    ]  # fmt: skip


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(line[column]) for line in [head, *rows]) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) if not column else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(line, widths, strict=True))).rstrip()
        for line in [head, *rows]
    ]  # fmt: skip


def as_json(results: Results) -> dict[str, Any]:
    """The report for a program: every round's figures."""
    comparison = results.comparison
    return {
        "machine": results.machine,
        "rows": [
            {
                "name": row.contestant.name, "connections": row.connections, "captures_a_request": row.captures_a_request,
                "captures_per_second": row.captures_per_second.values, "p50_ms": row.p50_ms.values, "p99_ms": row.p99_ms.values,
                "resident_megabytes": row.resident_megabytes.values, "cpu_microseconds": row.cpu_microseconds.values,
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
                "captures": size.captures, "captures_per_second": size.captures_per_second.values,
                "p99_ms": size.p99_ms.values, "statistics_p50_ms": size.statistics_p50_ms,
                "statistics_p99_ms": size.statistics_p99_ms,
            }
            for size in results.sizes
        ],
        "memory": None if results.memory is None else vars(results.memory),
        "claims": [vars(claim) for claim in claims(results)],
    }  # fmt: skip
