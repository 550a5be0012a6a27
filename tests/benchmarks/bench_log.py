"""Recording: time and bytes of ``log()``, ``init()``, ``finish()``, each beside its budget and a yardstick.

The yardstick of ``log()`` is the least that keeps a value: pack it, checksum it, write it; in the same
process, turn by turn with the measured calls.

    python tests/benchmarks/bench_log.py [--quick] [--json FILE]
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measurement import command_line, measurement

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.waiting import wait_for  # noqa: E402 - found by the path above

_ROUNDS = 5


def run(quick: bool) -> list[dict[str, Any]]:
    """All measurements, each ``{name, value, unit, budget, within, …}``."""
    with tempfile.TemporaryDirectory(prefix="trackside-bench-") as folder:
        os.environ["TRACKSIDE_DIR"] = folder
        results = [
            *_start(quick),
            *_latency(quick),
            *_throughput(quick),
            *_growth(quick),
            *_finish(quick),
        ]
        os.environ.pop("TRACKSIDE_DIR")
    return results


def _latency(quick: bool) -> list[dict[str, Any]]:
    """One float a call: percentiles of ours and of a bare pack and write, in turns of 1,000 calls."""
    import kernel_magics as km

    tracked = km.init(project="bench", capture={"packages": False, "diff": False})
    bare_file = Path(tempfile.mkdtemp()) / "bare"
    descriptor = os.open(bare_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    pack, checksum, write, now = (
        struct.Struct("<2sIBIqdd").pack,
        struct.Struct("<I").pack,
        os.write,
        time.time,
    )

    def bare(index: int) -> None:
        body = pack(b"\xd6\x9c", 28, 7, 0, index, now(), 0.5)
        write(descriptor, body + checksum(zlib.crc32(body)))

    def ours(index: int) -> None:
        tracked.log({"loss": 0.5}, step=index)

    tracked.log({"loss": 0.5})
    _until_facts_are_there()
    ours_ns: list[int] = []
    bare_ns: list[int] = []
    for _ in range(20 if quick else 100):
        _timed(ours, 1000, ours_ns)
        _timed(bare, 1000, bare_ns)
    tracked.finish()
    os.close(descriptor)
    bare_file.unlink()
    bare_file.parent.rmdir()
    at = {name: (_percentile(ours_ns, name), _percentile(bare_ns, name)) for name in (50, 99, 99.9)}
    return [
        measurement("log of 1 scalar, p50", at[50][0], "µs", 3.0, yardstick=at[50][1]),
        measurement("log of 1 scalar, p99", at[99][0], "µs", 10.0, yardstick=at[99][1]),
        measurement("log of 1 scalar, p50, times a bare pack + write", at[50][0] / at[50][1], "×", 3.0),
        {"name": "log of 1 scalar, p99.9", "value": at[99.9][0], "unit": "µs", "yardstick": at[99.9][1]},
    ]


def _until_facts_are_there() -> None:
    """They are collected in a thread, which takes turns with whatever is measured meanwhile."""
    names = {"trackside-facts"}
    wait_for(lambda: names.isdisjoint(thread.name for thread in threading.enumerate()), "the run's facts")


def _timed(call: Callable[[int], None], count: int, into: list[int]) -> None:
    clock = time.perf_counter_ns
    for index in range(count):
        began = clock()
        call(index)
        into.append(clock() - began)


def _percentile(nanoseconds: list[int], percent: float) -> float:
    """In µs."""
    ordered = sorted(nanoseconds)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] / 1000, 3)


def _throughput(quick: bool) -> list[dict[str, Any]]:
    """Points a second that are in the journal and read back from it, the best of some rounds; their bytes."""
    import kernel_magics as km
    from kernel_magics import paths
    from kernel_magics.journal.format import Kind
    from kernel_magics.journal.reader import read_journal

    results = []
    for width, points, least, most_bytes in (
        (1, 200_000, 3e5, 40),
        (20, 2_000_000, 3e6, 11),
        (5000, 5_000_000, 5e6, None),
    ):
        calls = max(10, points // width // (10 if quick else 1) // _ROUNDS)
        tracked = km.init(project="bench", capture={"packages": False, "diff": False})
        data = {f"m{index}": 0.5 for index in range(width)}
        tracked.log(data)
        rates, bare_rates = [], []
        for _ in range(_ROUNDS):
            bare_rates.append(_bare_rate(width, calls))
            began = time.perf_counter()
            for _ in range(calls):
                tracked.log(data)
            rates.append(calls * width / (time.perf_counter() - began))
        tracked.finish()
        (path,) = (paths.runs_dir(paths.data_dir()) / tracked.id).glob("*.journal")
        frames = [frame for frame in read_journal(path)[0] if frame.kind == Kind.POINTS]
        ours = [frame for frame in frames if frame.end - frame.offset == 31 + 8 * width]
        assert len(ours) == _ROUNDS * calls + 1, "points were lost"
        median = round(sorted(rates)[_ROUNDS // 2])
        more = {"median": median, "yardstick": round(max(bare_rates))}
        results.append(measurement(f"points/s, {width} a call", max(rates), "points/s", least, **more))
        if most_bytes is not None:
            size = sum(frame.end - frame.offset for frame in ours) / len(ours) / width
            results.append(measurement(f"journal, {width} a call", size, "B/point", most_bytes))
        path.unlink()
    return results


def _bare_rate(width: int, calls: int) -> float:
    """Points a second of a bare pack, checksum and write of ``width`` values."""
    pack, now, write = struct.Struct(f"<2sIBIqd{width}d").pack, time.time, os.write
    values = [0.5] * width
    with tempfile.TemporaryFile(buffering=0) as file:
        descriptor = file.fileno()
        began = time.perf_counter()
        for index in range(calls):
            body = pack(b"\xd6\x9c", 20 + 8 * width, 7, 0, index, now(), *values)
            write(descriptor, body + zlib.crc32(body).to_bytes(4, "little"))
        return calls * width / (time.perf_counter() - began)


def _growth(quick: bool) -> list[dict[str, Any]]:
    """Does a long run make ``log()`` dearer? One float a call: the median of the first and the last 10⁵.

    Each half is measured beside the same number of bare packs and writes, in turns, so that what the machine
    does meanwhile falls on both; what counts is how the ratio of ours to the bare one has changed. The same
    for the memory that the process has.
    """
    import kernel_magics as km

    total, sample = (1_000_000 if quick else 10_000_000), 100_000
    tracked = km.init(project="bench", capture={"packages": False, "diff": False})

    def ours(index: int) -> None:
        tracked.log({"loss": 0.5}, step=index)

    ours(0)
    _until_facts_are_there()
    first = _against_bare(ours, sample)
    memory, cpu, own = _resident_mib(), time.process_time(), time.thread_time()
    for index in range(total - 2 * sample):
        tracked.log({"loss": 0.5}, step=index)
    cpu, own = time.process_time() - cpu, time.thread_time() - own
    grown = _resident_mib() - memory
    last = _against_bare(ours, sample)
    tracked.finish()
    (path,) = (Path(os.environ["TRACKSIDE_DIR"]) / "runs" / tracked.id).glob("*.journal")
    size = path.stat().st_size
    assert size >= (total + 1) * 39, "points were lost"
    path.unlink()
    change = (last[0] / last[1]) / (first[0] / first[1])
    name = f"p50 of log, the last 10⁵ of {total:.0e} points against the first"
    return [
        measurement(
            name,
            change,
            "×",
            1.15,
            first_us=first[0],
            last_us=last[0],
            bare_first=first[1],
            bare_last=last[1],
        ),
        measurement(f"memory gained over {total:.0e} points", grown, "MiB", 2.0),
        measurement(
            "CPU of the whole process, a log",
            cpu / (total - 2 * sample) * 1e6,
            "µs",
            3.0,
            other_threads_percent=100 * (cpu - own) / cpu,
        ),
    ]


def _against_bare(ours: Callable[[int], None], count: int) -> tuple[float, float]:
    """The medians in µs of ``count`` calls of ours and of as many bare packs and writes, by turns."""
    pack, now, write = struct.Struct("<2sIBIqdd").pack, time.time, os.write
    ours_ns: list[int] = []
    bare_ns: list[int] = []
    with tempfile.TemporaryFile(buffering=0) as file:
        descriptor = file.fileno()

        def bare(index: int) -> None:
            body = pack(b"\xd6\x9c", 28, 7, 0, index, now(), 0.5)
            write(descriptor, body + zlib.crc32(body).to_bytes(4, "little"))

        for _ in range(count // 1000):
            _timed(ours, 1000, ours_ns)
            _timed(bare, 1000, bare_ns)
    return _percentile(ours_ns, 50), _percentile(bare_ns, 50)


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _finish(quick: bool) -> list[dict[str, Any]]:
    """``finish()`` after 10,000 calls: the median of several runs."""
    import kernel_magics as km

    taken = []
    for _ in range(3 if quick else 7):
        tracked = km.init(project="bench")
        for index in range(10_000):
            tracked.log({"loss": 0.5}, step=index)
        began = time.perf_counter()
        tracked.finish()
        taken.append((time.perf_counter() - began) * 1000)
    return [
        measurement(
            "finish of 10k points", sorted(taken)[len(taken) // 2], "ms", 50.0, worst=round(max(taken), 3)
        )
    ]


START = """
import time
def peak(): return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20
before = peak()
began = time.perf_counter()
import kernel_magics as km
imported = time.perf_counter()
run = km.init(project="bench")
begun = time.perf_counter()
run.log({"loss": 0.5})
first = time.perf_counter()
import os, threading   # only now: what Trackside brings itself counts
from tests.waiting import wait_for
wait_for(lambda: all(thread.name != "trackside-facts" for thread in threading.enumerate()), "facts")
folder = os.path.join(os.environ["TRACKSIDE_DIR"], "runs", run.id)
(journal,) = [entry.path for entry in os.scandir(folder) if entry.name.endswith(".journal")]
sizes = set()
wait_for(lambda: sizes.add(os.path.getsize(journal)) or len(sizes) > 3, "three samples of the machine")
print(begun - began, imported - began, first - begun, peak() - before)
run.finish()
"""


def _start(quick: bool) -> list[dict[str, Any]]:
    """Import and init in a fresh interpreter (median), and the memory the process gained until its
    facts and some samples of the machine were there."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    rows = []
    for _ in range(3 if quick else 7):
        done = subprocess.run(
            [sys.executable, "-c", START], capture_output=True, text=True, check=True, env=environment
        )
        rows.append([float(word) for word in done.stdout.split()])
    seconds, imported, first, memory = (sorted(column)[len(rows) // 2] for column in zip(*rows, strict=True))
    return [
        measurement("import + init", seconds * 1000, "ms", 80.0, import_ms=round(imported * 1000, 2)),
        measurement("memory added", memory, "MiB", 15.0),
        {"name": "first log after init", "value": round(first * 1e6, 1), "unit": "µs"},
    ]


if __name__ == "__main__":
    command_line(__doc__, run)
