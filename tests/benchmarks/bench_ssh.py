"""A kernel behind a real sshd, beside a plain one there whose ZeroMQ ports ``ssh -L`` forwards, turn by turn.

Once over the loopback interface, once over a cable with a round trip of 50 ms (a network namespace: root).

    python tests/benchmarks/bench_ssh.py [--quick] [--json FILE]
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from measurement import Measurement, command_line, measurement, seconds

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from labs import far_lab, own_place  # noqa: E402 - they find the tests by the path above
from tunnel import Echo, tunnelled_kernel  # noqa: E402
from waking import can_wake  # noqa: E402

from gpu_provisioner import wire  # noqa: E402
from tests.gpu_provisioner.far import SshLab  # noqa: E402
from tests.gpu_provisioner.front import Front, Place  # noqa: E402
from tests.kernel_magics.bridge.notebook_driver import Notebook  # noqa: E402

_ROUND_TRIP_S = 0.05
_AGAINST = "ssh -L + ZMQ"
_AS_MUCH = 0.9
"""At least as much as the tunnel carries; a tenth is what one run differs from the next."""
_DISPLAYS = (
    "from IPython.display import publish_display_data as p\n"
    "for i in range({count}): p({{'application/x': {{'i': i, 'p': 'x' * 200}}}})"
)
_LINES = "for i in range({count}): print('line', i, 'x' * 80)"
_TEXT = "print('y' * {bytes})"
_SINK = "import comm; sink = comm.create_comm(target_name='sink', comm_id='sink')"
"""Takes messages and does nothing; without it the kernel's warning of each is what is timed."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured: repetitions, and amounts per repetition."""

    times: int
    trips: int
    text_bytes: int
    lines: int
    up_bytes: int
    # A plain kernel drops what its client does not fetch in time, so this is not much at once.
    displays: int = 500
    requests: int = 500

    def slower(self) -> Sizes:
        """For a line on which everything takes its time."""
        return Sizes(self.times, self.trips // 3, self.text_bytes // 4, self.lines // 4, self.up_bytes // 4)


def run(quick: bool) -> list[Measurement]:
    """All measurements, each ``{name, value, unit, budget, within, yardstick}``; none without an sshd."""
    if not can_wake():
        return []
    sizes = (
        Sizes(1, 60, 20_000_000, 20_000, 10_000_000)
        if quick
        else Sizes(5, 300, 100_000_000, 100_000, 40_000_000)
    )
    with own_place() as place:
        with far_lab(place) as lab:
            results = [*_first_cell(lab, place, 1 if quick else 5, ""), *_beside(lab, sizes, "")]
        if can_lay_a_cable():
            where = f", {1000 * _ROUND_TRIP_S:.0f} ms away"
            with far_lab(place, _ROUND_TRIP_S) as lab:
                results += _first_cell(lab, place, 1 if quick else 3, where)
                results += _beside(lab, sizes.slower(), where)
        return results


def can_lay_a_cable() -> bool:
    """Whether there may be a network namespace and the devices between it and here."""
    return os.getuid() == 0 and Path("/dev/net/tun").exists()


def _first_cell(lab: SshLab, place: Place, times: int, where: str) -> list[Measurement]:
    """``%gpu_provision --on`` until a cell has run there: on no connection, and on one that is there."""
    Path(os.environ["TRACKSIDE_CONFIG"]).write_text(
        f'[targets.gpu1]\nprovider = "ssh"\nhost = "far"\npython = "{lab.far.account.python}"\n'
        f'ssh_args = ["-F", "{lab.far.keys / "config"}"]\nworking_folder = false\n'
    )
    notebook = Notebook({**os.environ}, place.root / "work")
    try:
        notebook.must("%load_ext kernel_magics")
        _provisioned(notebook)  # the payload is there from now on
        warm = [_provisioned(notebook) for _ in range(times)]
        cold = []
        for _ in range(times):
            lab.far.close_shared_connections()
            cold.append(_provisioned(notebook))
    finally:
        notebook.close()
    return [
        measurement(f"first cell after %gpu_provision --on HOST{where}", statistics.median(cold), "s", 3.0),
        measurement(f"… with a connection from before{where}", statistics.median(warm), "s", 3.0),
    ]


def _provisioned(notebook: Notebook) -> float:
    def first_cell() -> None:
        notebook.must("%gpu_provision cpu --on gpu1", timeout=120)
        notebook.must("pass")

    took = seconds(first_cell)
    notebook.must("%gpu_release")
    return took


def _beside(lab: SshLab, sizes: Sizes, where: str) -> list[Measurement]:
    front = lab.kernel()
    try:
        with tunnelled_kernel(lab.far, lab.place.root) as client:
            both = _Both(lab, front, client)
            return [_round_trip(both, sizes.trips, where), *_throughputs(both, sizes, where)]
    finally:
        front.holder.release("the benchmark")


@dataclass(frozen=True)
class _Both:
    """The same cells, by us and through the tunnel."""

    lab: SshLab
    front: Front
    client: Any

    def ours(self, code: str) -> None:
        self.front.execute(code, timeout=300)

    def plain(self, code: str) -> None:
        self.client.execute_interactive(code, timeout=300, output_hook=_ignore)

    def post_ours(self, count: int, blob: bytes) -> None:
        """Messages that go up, and a cell behind them."""
        for _ in range(count):
            header = {**self.client.session.msg_header("comm_msg"), "date": "2026-01-01T00:00:00+00:00"}
            parts = [wire.to_json(part) for part in (header, {}, {}, {"comm_id": "sink", "data": {}})]
            self.front.holder.post(wire.SHELL, [*parts, blob])
        self.ours("pass")

    def post_plain(self, count: int, blob: bytes) -> None:
        session, socket = self.client.session, self.client.shell_channel.socket
        for _ in range(count):
            message = session.msg("comm_msg", {"comm_id": "sink", "data": {}})
            session.send(socket, message, buffers=[blob])
        self.plain("pass")


def _round_trip(both: _Both, trips: int, where: str) -> Measurement:
    """``pass``, beside one byte there and back on an ssh of its own."""
    echo = Echo(both.lab.far)
    try:
        warm_up = 5
        rows = [
            (seconds(echo), seconds(lambda: both.ours("pass")), seconds(lambda: both.plain("pass")))
            for _ in range(trips + warm_up)
        ]
    finally:
        echo.close()
    direct, ours, plain = (1000 * statistics.median(column[warm_up:]) for column in zip(*rows, strict=True))
    yardstick = {"direct ssh": round(direct, 3), _AGAINST: round(plain, 3)}
    return measurement(
        f"round trip of pass, beyond ssh's own, p50{where}", ours - direct, "ms", 8.0, yardstick=yardstick
    )


def _throughputs(both: _Both, sizes: Sizes, where: str) -> list[Measurement]:
    both.ours(_SINK)
    both.plain(_SINK)
    text, up = sizes.text_bytes, bytes(sizes.up_bytes)
    small = bytes(100)
    cases: list[tuple[str, str, float, int, Callable[[], None], Callable[[], None]]] = [
        _cell(
            both, f"output, one text of {text // 1_000_000} MB", "MB/s", text / 1e6, _TEXT.format(bytes=text)
        ),
        _cell(
            both,
            f"output, {sizes.lines:,} printed lines",
            "lines/s",
            sizes.lines,
            _LINES.format(count=sizes.lines),
        ),
        _cell(
            both,
            "output, small displays",
            "messages/s",
            sizes.displays,
            _DISPLAYS.format(count=sizes.displays),
            4,
        ),
        (
            f"input, one buffer of {len(up) // 1_000_000} MB",
            "MB/s",
            len(up) / 1e6,
            1,
            lambda: both.post_ours(1, up),
            lambda: both.post_plain(1, up),
        ),
        (
            "input, small messages",
            "messages/s",
            sizes.requests,
            2,
            lambda: both.post_ours(sizes.requests, small),
            lambda: both.post_plain(sizes.requests, small),
        ),
    ]
    return [_against(both, case, sizes.times, where) for case in cases]


def _cell(both: _Both, name: str, unit: str, amount: float, code: str, more: int = 1) -> Any:
    return name, unit, amount, more, lambda: both.ours(code), lambda: both.plain(code)


def _against(both: _Both, case: Any, times: int, where: str) -> Measurement:
    """Ours as a multiple of the tunnel's, of medians; with the CPU seconds of each, kernels left out."""
    name, unit, amount, more, ours, plain = case
    load = _Load(both)
    rows = []
    for _ in range(times * more):
        before = load.cpu_s()
        took_ours = seconds(ours)
        between = load.cpu_s()
        took_plain = seconds(plain)
        rows.append((took_ours, took_plain, between - before, load.cpu_s() - between))
    mine, other, cpu, other_cpu = (statistics.median(column) for column in zip(*rows, strict=True))
    return measurement(
        f"{name}{where}",
        other / mine,
        "×",
        _AS_MUCH,
        least=True,
        yardstick={unit: round(amount / mine), f"{_AGAINST}, {unit}": round(amount / other)},
        cpu_s=cpu,
        its_cpu_s=other_cpu,
        ratio_to=_AGAINST,
    )


class _Load:
    """CPU seconds of all that stands between the kernels and who asks: agent, ssh, sshd, this process."""

    def __init__(self, both: _Both) -> None:
        far, place = both.lab.far, both.lab.place
        mine = psutil.Process()
        all_of_them = [mine, *mine.children(recursive=True), *far.shared_connections(), *place.processes()]
        self._processes = {each.pid: each for each in all_of_them if not _is_kernel(each)}

    def cpu_s(self) -> float:
        return sum(_cpu_s(each) for each in self._processes.values())


def _is_kernel(process: psutil.Process) -> bool:
    try:
        told = " ".join(process.cmdline())
    except psutil.Error:
        return True
    return (
        "python" in told and ("ipykernel_launcher" in told or "end_with(" in told) and "ssh" not in told[:8]
    )


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _ignore(_message: Any) -> None:
    pass


if __name__ == "__main__":
    command_line(__doc__, run)
