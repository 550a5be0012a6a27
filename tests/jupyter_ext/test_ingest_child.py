"""The indexing process: heard, restarted, never left behind. Real processes play the indexer."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_ext import ingest
from jupyter_ext.ingest import IngestChild, Report
from tests.waiting import UNTIL_KILLED

LOG = logging.getLogger("test")
STAYS = "\nimport sys; sys.stdout.flush(); sys.stdin.read()"


@pytest.fixture
def reports() -> list[Report]:
    return []


@pytest.fixture
def child(tmp_path: Path, reports: list[Report]) -> Callable[[str], IngestChild]:
    def make(script: str) -> IngestChild:
        return IngestChild(tmp_path, reports.append, LOG, (sys.executable, "-c", script))

    return make


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_report_is_heard(child: Callable[[str], IngestChild], reports: list[Report]) -> None:
    said = {
        "runs": ["a"],
        "metrics": [["a", "loss"]],
        "new_metrics": ["a"],
        "removed": ["b"],
        "behind_bytes": 7,
    }
    process = child(f"import json; print(json.dumps({said}))" + STAYS)
    process.start()
    await until(lambda: reports)
    expected = Report(frozenset({"a"}), frozenset({("a", "loss")}), frozenset({"a"}), frozenset({"b"}))
    assert reports == [expected]
    assert process.state.to_json() == {"state": "behind", "behind_bytes": 7, "detail": ""}
    await process.stop()


async def test_a_report_of_many_megabytes_is_heard(
    child: Callable[[str], IngestChild], reports: list[Report]
) -> None:
    process = child(
        "import json; print(json.dumps({'runs': [f'run-{n:09}' for n in range(300_000)]}))" + STAYS
    )
    process.start()
    await until(lambda: reports)
    assert len(reports[0].runs) == 300_000
    await process.stop()


async def test_a_line_that_is_no_report_is_passed_over(
    child: Callable[[str], IngestChild], reports: list[Report]
) -> None:
    process = child(
        "print('hello'); print('[1]'); print('{\"metrics\": [1]}'); print('{\"runs\": [\"a\"]}')" + STAYS
    )
    process.start()
    await until(lambda: reports)
    assert [report.runs for report in reports] == [frozenset({"a"})]
    await process.stop()


async def test_a_death_is_shown_with_its_last_words_and_the_next_life_says_that_anything_may_have_changed(
    child: Callable[[str], IngestChild], reports: list[Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "FIRST_DELAY_S", 0.2)
    process = child("import sys; print('{}'); sys.stdout.flush(); sys.exit('no space left')")
    process.start()
    await until(lambda: process.state.state == "stopped")
    assert "status 1: no space left" in process.state.detail
    await until(lambda: len(reports) >= 2)
    assert [report.everything for report in reports[:2]] == [False, True]
    await process.stop()


async def test_a_program_that_cannot_be_started_is_shown(tmp_path: Path) -> None:
    process = IngestChild(tmp_path, lambda report: None, LOG, (str(tmp_path / "missing"),))
    process.start()
    await until(lambda: process.state.state == "stopped")
    assert "cannot be started" in process.state.detail
    await process.stop()


async def test_stop_leaves_no_process_even_one_that_does_not_listen(
    child: Callable[[str], IngestChild], reports: list[Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "STOP_S", 0.3)
    process = child("print('{}', flush=True)\n" + UNTIL_KILLED)
    process.start()
    await until(lambda: reports)
    pid = process.pid
    assert pid is not None and alive(pid)
    await process.stop()
    await process.stop()
    assert not alive(pid)
    assert process.pid is None


async def test_stop_before_the_start_is_fine(child: Callable[[str], IngestChild]) -> None:
    await child("").stop()
