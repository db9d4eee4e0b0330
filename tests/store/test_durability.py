"""The log is synced before the acknowledgement is sent: looked at from outside, in the system calls of the service."""

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

# One line of strace -f -yy: the call, or its end where another thread's came between.
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
    payment = {
        "user_email": "a@example.com",
        "transaction_id": mark,
        "capture_id": mark,
    }  # the answer has the capture_id
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
    answer = requests.post(
        f"{service.url}/api/data-capture/batch", json={"captures": captures}, timeout=30
    )
    assert [one["status"] for one in answer.json()["answers"]] == [201] * 5
    return marks


def assert_synced_before_answered(events: list[str], marks: list[str]) -> None:
    """Each mark is written to the log, then the log is synced, then the mark is sent in an answer."""
    assert marks
    for mark in marks:
        written, answered = events.index(f"wrote {mark}"), events.index(f"answered {mark}")
        assert "synced" in events[written:answered], (
            f"answered before the sync: {events[written : answered + 1]}"
        )


def traffic(service: RunningService) -> list[str]:
    """The marks of single captures and of batches, first one after the other, then many at once."""
    marks = [mark for send in (send_one, send_batch) * 5 for mark in send(service)]
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit((send_one, send_batch)[number % 2], service) for number in range(80)]
        return marks + [mark for future in sent for mark in future.result()]


def test_wal_is_synced_before_the_response_as_recorded_by_the_shim(
    tmp_path: Path, shim: Shim
) -> None:
    service = capture_service_in(tmp_path, **shim.environment, FAULTS_RECORD=str(shim.record))
    try:
        service.start()
        marks = traffic(service)
    finally:
        service.stop()
    # The free room of a page holds parts of earlier marks, with other bytes behind them, which the recorder sees, too.
    assert_synced_before_answered(shim.record.read_text(errors="replace").splitlines(), marks)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_wal_is_synced_before_the_response_as_traced_by_strace(
    tmp_path: Path,
) -> None:
    service = capture_service_in(tmp_path)
    try:
        service.start()
        with traced(service, tmp_path / "trace") as trace:
            marks = traffic(service)
    finally:
        service.stop()
    assert_synced_before_answered(list(events_of(trace.read_text())), marks)


@contextmanager
def traced(service: RunningService, trace: Path) -> Iterator[Path]:
    """Records the system calls of the process that serves."""
    assert service._process is not None
    calls = "pwrite64,fdatasync,fsync,write,writev,sendto,sendmsg"
    arguments = [
        "-f",
        "-yy",
        "-s",
        "16384",
        "-o",
        str(trace),
        "-e",
        f"trace={calls}",
        "-p",
        str(worker_of(service._process.pid)),
    ]
    with subprocess.Popen(["strace", *arguments], stderr=subprocess.PIPE, text=True) as tracer:
        try:
            assert tracer.stderr is not None
            said = tracer.stderr.readline()
            if "attached" not in said:
                pytest.skip(f"strace may not look into a process here: {said.strip()}")
            yield trace
        finally:
            tracer.terminate()


def events_of(trace: str) -> Iterator[str]:
    """`wrote <mark>` and `synced` of the log, when the call has returned, and `answered <mark>`, when it begins."""
    under_way: dict[str, list[str]] = {}
    for line in trace.splitlines():
        if end := _END.match(line):
            events = under_way.pop(end["thread"], [])
            if int(end["result"]) >= 0:
                yield from events
        elif call := _CALL.match(line):
            events = list(_meaning(call))
            if call["begins"] in _SENDING or "<unfinished" not in line:
                if re.search(r"= -\d", line) is None:
                    yield from events
            else:
                under_way[call["thread"]] = events


def _meaning(call: re.Match[str]) -> Iterator[str]:
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
    answer = f'2 sendto(12<TCP:[1->2]>, "HTTP/1.1 201 Created {mark}", 20, 0, NULL, 0) = 20'
    assert_synced_before_answered(list(events_of("\n".join([wrote, begins, ends, answer]))), [mark])
    with pytest.raises(AssertionError, match="before the sync"):
        assert_synced_before_answered(
            list(events_of("\n".join([wrote, begins, answer, ends]))), [mark]
        )
