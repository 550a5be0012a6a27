"""A writer of journals made from the specification alone (docs/journal-format.md), and a folder for it."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from kernel_magics.store import Store, open_store


class SpecJournal:
    """Writes one journal frame by frame. It shares no code with ``kernel_magics.journal``."""

    def __init__(
        self, data_dir: Path, run_id: str = "20261122-141503-aaaaaa", writer: str = "w1", **head: object
    ):
        self.run_id, self.writer = run_id, writer
        folder = data_dir / "runs" / run_id
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{writer}.journal"
        header = b"\x89TSJ\r\n\x1a\n" + struct.pack("<HH", 1, 0)
        self.path.write_bytes(header + struct.pack("<I", zlib.crc32(header)))
        self.metrics: dict[tuple[str, str], int] = {}
        self.layouts: dict[tuple[int, ...], int] = {}
        person = {"id": writer, "pid": 1, "host": head.pop("host", "spec-host"), "rank": 0, "world_size": 1}
        person.update(head.pop("person", {}))  # type: ignore[call-overload]
        first = {"id": run_id, "project": "p", "name": "n", "group": None, "tags": [], "created": 1000.0}
        self.json(1, **{**first, **head, "writer": person})

    @staticmethod
    def frame(kind: int, payload: bytes) -> bytes:
        body = b"\xd6\x9c" + struct.pack("<IB", len(payload), kind) + payload
        return body + struct.pack("<I", zlib.crc32(body))

    def append(self, data: bytes) -> int:
        """Appends bytes; answers where they begin."""
        with self.path.open("ab") as file:
            place = file.tell()
            file.write(data)
        return place

    def json(self, kind: int, **content: object) -> int:
        return self.append(self.frame(kind, json.dumps(content).encode()))

    def metric(self, name: str, source: str = "logged", **more: object) -> int:
        key = name, source
        if key not in self.metrics:
            self.metrics[key] = len(self.metrics)
            self.json(5, id=self.metrics[key], name=name, source=source, **more)
        return self.metrics[key]

    def layout(self, names: list[str], source: str = "logged") -> int:
        metrics = tuple(self.metric(name, source) for name in names)
        if metrics not in self.layouts:
            self.layouts[metrics] = len(self.layouts)
            self.json(6, id=self.layouts[metrics], metrics=list(metrics))
        return self.layouts[metrics]

    def log(self, values: dict[str, float], step: int, time: float = 0.0, source: str = "logged") -> int:
        layout = self.layout(list(values), source)
        return self.append(self.points(layout, step, time, list(values.values())))

    def points(self, layout: int, step: int, time: float, values: list[float]) -> bytes:
        return self.frame(7, struct.pack(f"<Iqd{len(values)}d", layout, step, time, *values))

    def log_many(
        self, name: str, steps: object, times: object, values: object, source: str = "logged"
    ) -> None:
        layout = self.layout([name], source)
        rows = zip(
            np.asarray(steps).tolist(), np.asarray(times).tolist(), np.asarray(values).tolist(), strict=True
        )
        self.append(b"".join(self.points(layout, step, time, [value]) for step, time, value in rows))

    def output(self, cell: str, kind: str, **content: object) -> int:
        return self.json(9, cell=cell, n=0, time=0.0, type=kind, content=content)

    def finish(self, status: str = "finished", time: float = 2000.0, **more: object) -> int:
        return self.json(12, time=time, status=status, **{"detail": "", **more})


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TRACKSIDE_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def journal(data_dir: Path) -> SpecJournal:
    return SpecJournal(data_dir)


@pytest.fixture
def new_journal(data_dir: Path):
    def make(run_id: str = "20261122-141503-aaaaaa", writer: str = "w1", **head: object) -> SpecJournal:
        return SpecJournal(data_dir, run_id, writer, **head)

    return make


@pytest.fixture
def new_journal_at():
    """As ``new_journal``, in a data folder of the test's choice."""
    return SpecJournal


@pytest.fixture
def store(data_dir: Path):
    with open_store(data_dir) as opened:
        yield opened


@pytest.fixture
def reopen(data_dir: Path):
    opened: list[Store] = []

    def open_one(**more: bool) -> Store:
        opened.append(open_store(data_dir, **more))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()
