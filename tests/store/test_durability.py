"""Test by the system calls of the service that the WAL is synced before the response."""

from __future__ import annotations

import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.faults.shim import Shim
from tests.support.managed import worker_of
from tests.support.services import RunningService, capture_service_in

# A line of `strace -f -yy`: a call, or its end if a call of another thread came between.
_CALL = re.compile(
    r"^(?P<thread>\d+) +(?P<begins>\w+)\((?P<descriptor>\d+)<(?P<file>.*?)>(?P<rest>.*)$"
)
_END = re.compile(r"^(?P<thread>\d+) +<\.\.\. (?P<ends>\w+) resumed>.*= (?P<result>-?\d+)")
_MARK = re.compile(r"mark-[0-9a-f]{32}")
_SENDING = ("write", "writev", "sendto", "sendmsg")


def new_mark() -> str:
    return f"mark-{uuid.uuid4().hex}"


def send_one(service: RunningService) -> list[str]:
    mark = new_mark()
    # The response contains the capture_id.
    payment = {"user_email": "a@example.com", "transaction_id": mark, "capture_id": mark}
    assert service.capture("payment", payment).status_code == 201
    return [mark]


def send_batch(service: RunningService) -> list[str]:
    marks = [new_mark() for _ in range(5)]
    captures = [
        {
            "type": "activity",
            "user_email": "a@example.com",
            "activity_type": mark,
            "capture_id": mark,
        }
        for mark in marks
    ]
    response = requests.post(
        f"{service.url}/api/data-capture/batch", json={"captures": captures}, timeout=30
    )
    assert [one["status"] for one in response.json()["answers"]] == [201] * 5
    return marks


def assert_synced_before_response(events: list[str], marks: list[str]) -> None:
    """Check that each mark is written to the WAL, then synced, then sent in a response."""
    assert marks
    for mark in marks:
        written, answered = events.index(f"wrote {mark}"), events.index(f"answered {mark}")
        assert "synced" in events[written:answered], (
            f"response before the sync: {events[written : answered + 1]}"
        )


def send_traffic(service: RunningService) -> list[str]:
    """Send captures and batches, in sequence, then concurrently, and return their marks."""
    marks = [mark for send in (send_one, send_batch) * 5 for mark in send(service)]
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit((send_one, send_batch)[number % 2], service) for number in range(80)]
        return marks + [mark for future in sent for mark in future.result()]


@pytest.mark.slow
def test_wal_is_synced_before_the_response_as_recorded_by_the_shim(
    tmp_path: Path, shim: Shim
) -> None:
    service = capture_service_in(tmp_path, **shim.environment, FAULTS_RECORD=str(shim.record))
    try:
        service.start()
        marks = send_traffic(service)
    finally:
        service.stop()
    # Free space in a page may contain truncated earlier marks, so that the record is not UTF-8.
    assert_synced_before_response(shim.record.read_text(errors="replace").splitlines(), marks)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_wal_is_synced_before_the_response_as_traced_by_strace(
    tmp_path: Path,
) -> None:
    service = capture_service_in(tmp_path)
    try:
        service.start()
        with trace_calls(service, tmp_path / "trace") as trace:
            marks = send_traffic(service)
    finally:
        service.stop()
    assert_synced_before_response(list(parse_trace(trace.read_text())), marks)


@contextmanager
def trace_calls(service: RunningService, trace: Path) -> Iterator[Path]:
    """Trace the system calls of the worker process."""
    assert service._process is not None
    calls = "pwrite64,fdatasync,fsync,write,writev,sendto,sendmsg"
    command = ["strace", "-f", "-yy", "-s", "16384", "-o", str(trace), "-e", f"trace={calls}"]
    command += ["-p", str(worker_of(service._process.pid))]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        try:
            assert tracer.stderr is not None
            output = tracer.stderr.readline()
            if "attached" not in output:
                pytest.skip(f"strace may not attach to a process: {output.strip()}")
            yield trace
        finally:
            tracer.terminate()


def parse_trace(trace: str) -> Iterator[str]:
    """Yield the events of a trace, in the format of the shim's record.

    `wrote <mark>` and `synced` are for the WAL, at the end of the call. `answered <mark>` is at its
    beginning.
    """
    unfinished: dict[str, list[str]] = {}
    for line in trace.splitlines():
        if end := _END.match(line):
            events = unfinished.pop(end["thread"], [])
            if int(end["result"]) >= 0:
                yield from events
        elif call := _CALL.match(line):
            events = list(_events_of_call(call))
            if call["begins"] in _SENDING or "<unfinished" not in line:
                if re.search(r"= -\d", line) is None:
                    yield from events
            else:
                unfinished[call["thread"]] = events


def _events_of_call(call: re.Match[str]) -> Iterator[str]:
    if call["begins"] == "pwrite64" and call["file"].endswith("-wal"):
        yield from (f"wrote {mark}" for mark in _MARK.findall(call["rest"]))
    elif call["begins"] in ("fdatasync", "fsync") and call["file"].endswith("-wal"):
        yield "synced"
    elif call["begins"] in _SENDING:
        yield from (f"answered {mark}" for mark in _MARK.findall(call["rest"]))


def test_response_before_the_sync_fails_the_check() -> None:
    mark = "mark-" + "0" * 32
    wrote = f'1 pwrite64(9</d/t.db-wal>, "{mark}", 44, 0) = 44'
    begins, ends = (
        "1 fdatasync(9</d/t.db-wal> <unfinished ...>",
        "1 <... fdatasync resumed>)            = 0",
    )
    send = f'2 sendto(12<TCP:[1->2]>, "HTTP/1.1 201 Created {mark}", 20, 0, NULL, 0) = 20'
    assert_synced_before_response(list(parse_trace("\n".join([wrote, begins, ends, send]))), [mark])
    with pytest.raises(AssertionError, match="before the sync"):
        assert_synced_before_response(
            list(parse_trace("\n".join([wrote, begins, send, ends]))), [mark]
        )
