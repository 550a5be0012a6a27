"""A kernel behind agent and Link: start, round trip, throughput; each beside a plain kernel in the same run.

Measured up to the holder: what the notebook's bridge adds on top is measured with the bridge.

    python tests/benchmarks/bench_link.py [--quick] [--json FILE]
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from measurement import beside_plain, command_line, measurement, seconds

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from labs import own_lab  # noqa: E402 - they find the tests by the path above
from waking import can_wake, waking  # noqa: E402

from tests.gpu_provisioner.front import Front, Lab  # noqa: E402 - found by the path above

_PRINT_BYTES = 100_000_000
_WARM_UP = 5


def run(quick: bool) -> list[dict[str, Any]]:
    """All measurements, each ``{name, value, unit, budget, within, yardstick}`` (a plain kernel)."""
    with own_lab() as lab:
        return [*_start(lab, 2 if quick else 5), *_running(lab, quick), *_waking(lab, 8.0 if quick else 60.0)]


@contextlib.contextmanager
def _plain() -> Iterator[Any]:
    """A client of a plain kernel, as Jupyter starts it."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(transport="ipc")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(60)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _start(lab: Lab, times: int) -> list[dict[str, Any]]:
    """From nothing to a cell that has run."""
    ours, plain = [], []
    for _ in range(times):
        begun = time.perf_counter()
        front = lab.kernel()
        front.execute("pass")
        ours.append(time.perf_counter() - begun)
        front.holder.release("the benchmark")
        begun = time.perf_counter()
        with _plain() as client:
            client.execute_interactive("pass", timeout=60)
            plain.append(time.perf_counter() - begun)
    return [beside_plain("provision cpu to first cell done", min(ours), "s", 2.0, min(plain))]


def _running(lab: Lab, quick: bool) -> list[dict[str, Any]]:
    front = lab.kernel()
    with _plain() as client:
        ours, plain = _round_trips(front, client, 50 if quick else 300)
        added = 1000 * (statistics.median(ours) - statistics.median(plain))
        trip = beside_plain(
            "round trip of pass, added, p50", added, "ms", 8.0, 1000 * statistics.median(plain)
        )
        megabytes = _PRINT_BYTES / 1e6
        output = _rates(front, client, f"print('y' * {_PRINT_BYTES})", megabytes, 1 if quick else 3)
        lines = _rates(
            front, client, "for i in range(100000): print('line', i, 'x' * 80)", 9.6, 1 if quick else 3
        )
        # A plain kernel drops what its client does not fetch in time, so this is not much at once.
        count = 500
        code = (
            "from IPython.display import publish_display_data as p\n"
            f"for i in range({count}): p({{'application/x': {{'i': i, 'p': 'x' * 200}}}})"
        )
        displays = _rates(front, client, code, count, 4 if quick else 12)
    return [
        trip,
        beside_plain("output, one message of 100 MB", output[0], "MB/s", 30.0, output[1]),
        beside_plain(
            "output, 100,000 printed lines, against a plain kernel",
            lines[0] / lines[1],
            "×",
            0.8,
            1.0,
            least=True,
        ),
        beside_plain("small displays", displays[0], "messages/s", 2000.0, displays[1]),
    ]


def _waking(lab: Lab, asleep_s: float) -> list[dict[str, Any]]:
    if not can_wake():
        return []
    took, login = waking(lab.place, asleep_s)
    name = f"a cell answers after {asleep_s:.0f} s of sleep, sshd having given up"
    return [measurement(name, took, "s", 3.0, yardstick={"one ssh login": round(login, 3)})]


def _round_trips(front: Front, client: Any, times: int) -> tuple[list[float], list[float]]:
    """Seconds for a ``pass``, ours and plain by turns."""
    ours: list[float] = []
    plain: list[float] = []
    for number in range(times + _WARM_UP):
        # Counting on, as a notebook does: a number that comes again would begin a new history session.
        ours.append(seconds(lambda count=number + 1: front.execute("pass", count)))  # type: ignore[misc]
        plain.append(seconds(lambda: client.execute_interactive("pass", timeout=60)))
    return ours[_WARM_UP:], plain[_WARM_UP:]


def _rates(front: Front, client: Any, code: str, amount: float, times: int) -> tuple[float, float]:
    """Best of ``amount`` a second, ours and plain."""
    ours = min(seconds(lambda: front.execute(code, timeout=300)) for _ in range(times))
    ignore: Callable[[Any], None] = lambda message: None  # noqa: E731
    plain = min(
        seconds(lambda: client.execute_interactive(code, timeout=300, output_hook=ignore))
        for _ in range(times)
    )
    return amount / ours, amount / plain


if __name__ == "__main__":
    command_line(__doc__, run)
