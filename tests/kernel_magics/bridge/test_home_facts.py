"""Facts of home: what travels with a cell, and what it may cost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kernel_magics.magics import provision_facts
from kernel_magics.magics.provision_facts import HomeFacts, kernel_id_of, notebook_path
from kernel_magics.model import CaptureSettings


class Git:
    """Answers as ``tracking.git.facts`` does, and counts the questions."""

    def __init__(self, root: Path) -> None:
        self.asked: list[bool] = []
        self.facts = {"root": str(root), "commit": "c1", "branch": "main", "dirty": True}

    def __call__(self, with_diff: bool) -> Mapping[str, Any]:
        self.asked.append(with_diff)
        return {"git": {**self.facts, **({"diff": "+x"} if with_diff else {})}}


def facts_of(facts: HomeFacts, code: str, **metadata: Any) -> Mapping[str, Any]:
    return asyncio.run(facts.of_request({"content": {"code": code}, "metadata": metadata}))


def test_git_is_asked_once_until_head_moves(tmp_path: Path) -> None:
    (tmp_path / ".git" / "logs").mkdir(parents=True)
    git = Git(tmp_path)
    facts = HomeFacts({"notebook": None, "host": "h"}, git, CaptureSettings())
    for _ in range(3):
        home = facts_of(facts, "x = 1", cellId="a")["home"]
    assert git.asked == [False]
    assert home == {
        "host": "h",
        "cell_id": "a",
        "git": {"root": str(tmp_path), "commit": "c1", "branch": "main"},
    }
    (tmp_path / ".git" / "logs" / "HEAD").write_text("a commit")
    facts_of(facts, "x = 1")
    assert git.asked == [False, False]


@pytest.mark.parametrize("code", ["%%track lr\nx = 1", "import kernel_magics as km\nrun = km.init()"])
def test_a_cell_that_may_begin_a_run_gets_a_fresh_diff(tmp_path: Path, code: str) -> None:
    git = Git(tmp_path)
    facts = HomeFacts({}, git, CaptureSettings())
    for _ in range(2):
        assert facts_of(facts, code)["home"]["git"]["diff"] == "+x"
    assert "diff" not in facts_of(facts, "x = 1")["home"]["git"], "yesterday's diff is not today's"


def test_no_diff_where_the_configuration_says_so(tmp_path: Path) -> None:
    git = Git(tmp_path)
    found = facts_of(HomeFacts({}, git, CaptureSettings(diff=False)), "%%track\n1")
    assert git.asked == [False] and "diff" not in found["home"]["git"]
    assert found["capture"]["diff"] is False and found["capture"]["source"] is True


def test_a_git_that_hangs_does_not_keep_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provision_facts, "_GIT_LIMIT_S", 0.05)
    over = threading.Event()

    def hang(_with_diff: bool) -> Mapping[str, Any]:
        over.wait(60)
        return {}

    async def ask() -> Mapping[str, Any]:
        try:
            return await HomeFacts({}, hang, CaptureSettings()).of_request(
                {"content": {"code": "%%track\n1"}}
            )
        finally:
            over.set()

    assert "did not answer" in asyncio.run(ask())["home"]["git"]["incomplete"]


def test_a_git_that_fails_does_not_keep_the_cell() -> None:
    def fail(_with_diff: bool) -> Mapping[str, Any]:
        raise FileNotFoundError("the working folder was deleted")

    found = facts_of(HomeFacts({"host": "h"}, fail, CaptureSettings()), "%%track\n1")
    assert found["home"]["host"] == "h" and "deleted" in found["home"]["git"]["incomplete"]


def test_outside_of_a_repository_git_is_asked_once() -> None:
    asked: list[bool] = []
    facts = HomeFacts({}, lambda with_diff: asked.append(with_diff) or {}, CaptureSettings())
    for _ in range(3):
        assert "git" not in facts_of(facts, "x")["home"]
    assert asked == [False]


def test_names_are_read_from_where_jupyter_puts_them() -> None:
    assert kernel_id_of("/run/kernel-12ab-34.json") == "12ab-34"
    assert kernel_id_of("/tmp/tmpabc.json") is None
    assert kernel_id_of("") is None
    assert notebook_path({"JPY_SESSION_NAME": "/home/a/b.ipynb"}) == "/home/a/b.ipynb"
    assert notebook_path({}) is None
