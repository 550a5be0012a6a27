"""Reading: ingest, series, windows, listings; each beside its budget and a yardstick of the same run.

The yardsticks: raw ``sqlite3`` rows (one per point, integer keys) for reading and storing, ``numpy.memmap``
for a scan. Readers are fresh processes ("cold": nothing of the store is in their memory; the disk's cache is
warm).

    python tests/benchmarks/bench_store.py [--quick] [--json FILE]
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from measurement import Measurement as Result
from measurement import command_line, measurement, seconds


def run(quick: bool) -> list[Result]:
    """All measurements, each ``{name, value, unit, budget, within, yardstick}``."""
    measured = []
    for part in (_import, _one_run, _read_runs, _many_runs, _listing, _backlog):
        with _folders() as root:
            measured += part(root, quick)
    return measured


def _timed(
    name: str, spent: float | tuple[float, float], unit: str, budget: float, yardstick: float | None = None
) -> Result:
    """A measurement; ``spent`` perhaps with the CPU's part of it."""
    value, cpu = spent if isinstance(spent, tuple) else (spent, None)
    beside = {"cpu_ms": cpu, "yardstick": yardstick}
    return measurement(name, value, unit, budget, **{k: one for k, one in beside.items() if one is not None})


@contextmanager
def _folders() -> Iterator[Path]:
    """A data folder and a cache of the benchmark's own."""
    root = Path(tempfile.mkdtemp(prefix="trackside-bench-"))
    before = {name: os.environ.get(name) for name in ("TRACKSIDE_DIR", "XDG_CACHE_HOME")}
    os.environ.update(TRACKSIDE_DIR=str(root / "data"), XDG_CACHE_HOME=str(root / "cache"))
    try:
        yield root
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
        shutil.rmtree(root, ignore_errors=True)


def _frame(kind: int, payload: bytes) -> bytes:
    body = b"\xd6\x9c" + struct.pack("<IB", len(payload), kind) + payload
    return body + struct.pack("<I", crc32(body))


def _json(kind: int, **content: Any) -> bytes:
    return _frame(kind, json.dumps(content).encode())


def _head(created: float, names: list[str], config: dict[str, Any] | None = None) -> bytes:
    header = b"\x89TSJ\r\n\x1a\n" + struct.pack("<HH", 1, 0)
    writer = {"id": "w", "pid": 1, "host": "h", "rank": 0, "world_size": 1, "role": "home"}
    parts = [header + struct.pack("<I", crc32(header))]
    parts.append(_json(1, id="x", project="p", name="n", group=None, tags=[], created=created, writer=writer))
    parts += [_json(3, **(config or {}))]
    parts += [_json(5, id=number, name=name, source="logged") for number, name in enumerate(names)]
    return b"".join([*parts, _json(6, id=0, metrics=list(range(len(names))))])


def _loss(count: int, seed: int = 0) -> tuple[Any, Any, Any]:
    """Steps, times and values as a training logs them: float32 losses, steps of 10 ms with jitter."""
    random = np.random.default_rng(seed)
    values = 2.3 * np.exp(-np.arange(count) / count * 3) + random.normal(size=count) * 0.1
    times = 1.7e9 + np.cumsum(random.exponential(0.01, count))
    return np.arange(count), times, values.astype(np.float32).astype(np.float64)


def _journal(data: Path, run_id: str, columns: tuple[Any, Any, Any], created: float = 1.7e9) -> Path:
    """A run of one metric with these points."""
    folder = data / "runs" / run_id
    folder.mkdir(parents=True)
    steps, times, values = (column.tolist() for column in columns)
    pack = struct.Struct("<2sIBIqdd").pack
    bodies = (pack(b"\xd6\x9c", 28, 7, 0, *row) for row in zip(steps, times, values, strict=True))
    path = folder / "w.journal"
    with path.open("wb") as file:
        file.write(_head(created, ["loss"]))
        file.write(b"".join(body + crc32(body).to_bytes(4, "little") for body in bodies))
        file.write(_json(12, time=created + 1, status="finished", detail=""))
    return path


def _ids(count: int) -> list[str]:
    return [f"20261122-{number:06}-aaaaaa" for number in range(count)]


def _cold(code: str, times: int) -> tuple[float, float]:
    """Medians of the milliseconds that fresh processes take for ``code``: by the clock, and of the CPU.

    numpy's own threads spin for a while after its import; without them the CPU's time is that of the store.
    """
    found = []
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    for _ in range(times):
        whole = (
            "import time\nfrom kernel_magics.store import open_store\n"
            "begun, cpu = time.perf_counter(), time.process_time()\n"
            f"{code}\nprint((time.perf_counter() - begun) * 1000, (time.process_time() - cpu) * 1000)"
        )
        done = subprocess.run(
            [sys.executable, "-c", whole], capture_output=True, text=True, check=True, env=environment
        )
        found.append([float(part) for part in done.stdout.split()[-2:]])
    wall, cpu = (statistics.median(column) for column in zip(*found, strict=True))
    return wall, cpu


def _import(_root: Path, quick: bool) -> list[Result]:
    def fresh(module: str) -> float:
        code = f"import time; b = time.perf_counter(); import {module}; print(time.perf_counter() - b)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return float(done.stdout) * 1000

    times = 3 if quick else 9
    ours = statistics.median(fresh("kernel_magics.store") for _ in range(times))
    numpy = statistics.median(fresh("numpy") for _ in range(times))
    return [_timed("import kernel_magics.store (numpy alone beside it)", ours, "ms", 150, numpy)]


def _rows(path: Path, columns: list[tuple[Any, Any, Any]]) -> float:
    """Seconds to store points as SQLite rows with integer keys, the plain way."""
    sql = sqlite3.connect(path)
    sql.execute("PRAGMA journal_mode=WAL")
    sql.execute(
        "CREATE TABLE p(run INTEGER, n INTEGER, step INTEGER, time REAL, value REAL, PRIMARY KEY(run, n))"
        " WITHOUT ROWID"
    )

    def insert() -> None:
        for number, (steps, times, values) in enumerate(columns):
            rows = zip(range(len(steps)), steps.tolist(), times.tolist(), values.tolist(), strict=True)
            sql.executemany("INSERT INTO p VALUES(?, ?, ?, ?, ?)", ((number, *row) for row in rows))
        sql.commit()

    spent = seconds(insert)
    sql.close()
    return spent


def _index_bytes(root: Path) -> int:
    return sum(path.stat().st_size for path in (root / "cache").rglob("*.sqlite*"))


def _one_run(root: Path, quick: bool) -> list[Result]:
    """Ingest, bytes at rest, spikes; then one window of runs of ten thousand to ten million points."""
    from kernel_magics.store import Store, open_store
    from kernel_magics.store.index import Index

    million = 1_000_000
    steps, times, values = _loss(million)
    spikes = np.random.default_rng(1).choice(million, 50, replace=False)
    values[spikes] = 100.0 + np.arange(50)
    _journal(root / "data", _ids(1)[0], (steps, times, values))
    index = Index(root / "data")
    spent = seconds(index.catch_up)
    plain = _rows(root / "rows.sqlite", [(steps, times, values)])
    with Store(index) as store:
        (window,) = store.window(_ids(1), "loss")
    cells = {int(spike) >> 9 for spike in spikes}
    shown = {int(x) >> 9 for x, high in zip(window.x, window.max, strict=True) if high >= 100.0}
    plain_bytes = (root / "rows.sqlite").stat().st_size / million
    results = [
        _timed("ingest, 1 metric a call", million / spent, "points/s", 1e6, million / plain),
        _timed("bytes a point at rest, index", _index_bytes(root) / million, "B", 10, plain_bytes),
        _timed("spikes of 50 in 10^6 points in a window of 1,000 px", 50.0 * (shown == cells), "spikes", 50),
    ]
    sizes = (10_000, 100_000, 1_000_000) if quick else (10_000, 100_000, 1_000_000, 10_000_000)
    for number, size in enumerate(sizes):
        _journal(root / "data", f"20261123-{number:06}-aaaaaa", _loss(size))
    with open_store() as store:
        store.refresh()
    for number, size in enumerate(sizes):
        column = _loss(size)[2]
        scan = statistics.median(seconds(lambda c=column: (c.min(), c.max())) for _ in range(5)) * 1000
        for series, part in (("the whole run", ""), ("a hundredth of it", _hundredth(size))):
            asked = f"['20261123-{number:06}-aaaaaa'], 'loss', width=1000{part}"
            spent = _cold(f"open_store(ingest=False).window({asked})", 3 if quick else 7)
            name = f"window of {'a hundredth of ' if part else ''}1 run of {size:,} points, cold"
            results.append({**_timed(name, spent, "ms", 20, scan), "series": series, "points": size})
    return results


def _hundredth(size: int) -> str:
    """The arguments of a window that shows a part from the middle."""
    return f", start={size // 2}, stop={size // 2 + size // 100}"


def _read_runs(root: Path, quick: bool) -> list[Result]:
    """One metric of 20 runs of 10,000 points."""
    from kernel_magics.store import open_store

    ids, columns = _ids(20), [_loss(10_000, seed) for seed in range(20)]
    for run_id, one in zip(ids, columns, strict=True):
        _journal(root / "data", run_id, one)
    with open_store() as store:
        store.refresh()
    _rows(root / "rows.sqlite", columns)
    code = f"store = open_store(ingest=False)\nfor run in {ids!r}: store.series(run, 'loss')"
    ours = _cold(code, 3 if quick else 7)
    plain = (
        "import sqlite3, numpy\nsql = sqlite3.connect({!r})\n"
        "for run in range(20): numpy.array(sql.execute("
        "'SELECT step, time, value FROM p WHERE run=? ORDER BY n', (run,)).fetchall())"
    )
    yardstick, _cpu = _cold(plain.format(str(root / "rows.sqlite")), 3 if quick else 7)
    return [_timed("read 1 metric of 20 runs of 10,000 points, cold", ours, "ms", 30, yardstick)]


def _many_runs(root: Path, quick: bool) -> list[Result]:
    """A window over many long runs: one journal under many names, since only its size matters."""
    from kernel_magics.store import open_store

    count, points = (20, 200_000) if quick else (100, 1_000_000)
    ids = _ids(count)
    first = _journal(root / "data", ids[0], _loss(points))
    for run_id in ids[1:]:
        (root / "data" / "runs" / run_id).mkdir()
        (root / "data" / "runs" / run_id / "w.journal").hardlink_to(first)
    with open_store() as store:
        spent = seconds(store.refresh)
        assert store.behind_bytes() == 0
    code = f"open_store(ingest=False).window({ids!r}, 'loss', width=1000)"
    ours = _cold(code, 3 if quick else 5)
    values = _loss(points)[2]
    scan = count * 1000 * statistics.median(seconds(lambda: (values.min(), values.max())) for _ in range(5))
    name = f"window of 1 metric over {count} runs of {points:,} points, cold"
    rate = count * points / spent
    return [_timed(name, ours, "ms", 100, scan), _timed("ingest of these runs", rate, "points/s", 1e6)]


def _listing(root: Path, quick: bool) -> list[Result]:
    """Runs with their settings and last values."""
    from kernel_magics.store import open_store

    results = []
    for count, budget in ((1_000, 50.0),) if quick else ((1_000, 50.0), (10_000, 100.0)):
        shutil.rmtree(root, ignore_errors=True)
        for number, run_id in enumerate(_ids(count)):
            folder = root / "data" / "runs" / run_id
            folder.mkdir(parents=True)
            points = [struct.pack("<Iqd4d", 0, step, 1.7e9, 0.1, 0.2, 0.3, 0.4) for step in range(3)]
            body = [_head(1.7e9 + number, ["loss", "acc", "val/loss", "val/acc"], {"lr": number, "seed": 0})]
            body += [_frame(7, one) for one in points]
            body += [_json(12, time=1.8e9, status="finished", detail="")]
            (folder / "w.journal").write_bytes(b"".join(body))
        with open_store() as store:
            store.refresh()
            runs = store.runs()
            assert len(runs) == count and runs[0].summary["loss"] == 0.1
        texts = [json.dumps(run.to_json()) for run in runs]
        yardstick = 1000 * min(seconds(lambda t=texts: [json.loads(one) for one in t]) for _ in range(3))
        code = "[(dict(run.config), dict(run.summary)) for run in open_store(ingest=False).runs()]"
        spent = _cold(code, 3 if quick else 7)
        results.append(_timed(f"list {count:,} runs with last values, cold", spent, "ms", budget, yardstick))
        code = "sorted(open_store(ingest=False).runs(), key=lambda run: run.summary['loss'])"
        name = f"list {count:,} runs and sort them by a last value, cold"
        results.append(_timed(name, _cold(code, 3 if quick else 7), "ms", budget, yardstick))
    return results


def _backlog(root: Path, quick: bool) -> list[Result]:
    """A store that nobody has opened for ten million points: until the newest value of each run is there."""
    count, points = 5, 100_000 if quick else 2_000_000
    columns = _loss(points)
    for run_id in _ids(count):
        _journal(root / "data", run_id, columns)
    code = (
        "store = open_store()\nruns = store.runs()\n"
        f"assert [run.summary['loss'] for run in runs] == [{float(columns[2][-1])!r}] * {count}\n"
        "assert {str(run.status) for run in runs} == {'finished'}"
    )
    spent = _cold(code, 1)
    name = f"open with a backlog of {count * points:,} points, newest values shown"
    return [_timed(name, spent, "ms", 2000)]


if __name__ == "__main__":
    command_line(__doc__, run)
