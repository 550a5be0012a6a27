"""Whatever happens to the line: everything comes home once, in order, and no cell runs twice."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from gpu_provisioner import link, wire
from gpu_provisioner.home import read_records
from tests.breaker import Breaker
from tests.gpu_provisioner.front import Front, Lab, Place
from tests.waiting import UNTIL_INTERRUPTED, Turnstile, wait_for

COUNTED = """
from IPython.display import publish_display_data
with open('ran', 'a') as f: f.write('x')
{ready}
for i in range({n}):
    if i % {burst} == 0: {step}
    publish_display_data({{'application/x-count': {{'i': i}}}})
'end'
"""
"""A burst of messages a step."""


def counting(turnstile: Turnstile, n: int, burst: int) -> str:
    return COUNTED.format(n=n, burst=burst, ready=turnstile.ready, step=turnstile.step)


def counted(front: Front, cell: str) -> list[int]:
    return [
        content["data"]["application/x-count"]["i"]
        for kind, content in front.cells[cell].outputs
        if kind == "display_data"
    ]


def line_of(front: Front) -> list[psutil.Process]:
    carrier = front.carrier()
    return [] if carrier is None else [carrier]


def test_a_stream_over_a_line_that_breaks_twenty_times_is_whole_and_in_order(
    lab: Lab, place: Place, turnstile: Turnstile
) -> None:
    front = lab.kernel()
    cell = front.begin(counting(turnstile, 6000, 100))
    with Breaker(lambda: line_of(front), 20, before=turnstile.let) as breaker:
        wait_for(lambda: breaker.kills == 20, "twenty kills", 60)
        turnstile.close()
        front.finish(cell, 90)
    assert counted(front, cell) == list(range(6000))
    assert (place.root / "work" / "ran").read_text() == "x"
    assert front.ends == sorted(set(front.ends))


def test_requests_sent_while_the_line_breaks_run_exactly_once_and_in_order(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    with Breaker(lambda: line_of(front), 20) as breaker:
        cells: list[str] = []
        while breaker.kills < 20 or len(cells) < 40:
            cells.append(front.begin(f"with open('ran', 'a') as f: f.write('{len(cells)} ')", len(cells) + 1))
            front.finish(cells[-1], 60)
    assert (place.root / "work" / "ran").read_text().split() == [str(i) for i in range(len(cells))]


def test_requests_posted_while_the_line_is_down_are_delivered_when_it_is_up(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    front.kill_carrier()
    front.wait(lambda: front.states[-1] == "down", "it is down")
    assert front.holder.down_since is not None
    cells = [front.begin(f"print({i})", i + 1) for i in range(5)]
    assert [front.finish(cell).text for cell in cells] == [f"{i}\n" for i in range(5)]
    assert front.holder.down_since is None


def test_a_hundred_megabytes_in_one_message_survive_broken_lines(lab: Lab) -> None:
    front = lab.kernel()
    with Breaker(lambda: line_of(front), 3):
        cell = front.execute("print('y' * 100_000_000)", timeout=120)
    assert len(cell.text) == 100_000_001


def test_an_interrupt_given_while_the_line_is_down_arrives(lab: Lab) -> None:
    front = lab.kernel()
    cell = front.begin("print('up', flush=True)\n" + UNTIL_INTERRUPTED)
    front.wait(lambda: "up" in front.cells[cell].text if cell in front.cells else False, "the cell runs")
    front.kill_carrier()
    front.holder.command("interrupt")
    reply = front.finish(cell).reply
    assert reply is not None and reply["ename"] == "KeyboardInterrupt"


def test_a_line_that_falls_silent_is_given_up_and_replaced(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    front = lab.kernel()
    lab.take_no_pipes(front)
    monkeypatch.setattr(link, "_SILENCE_LIMIT_S", 1.5)
    front.states.clear()
    lab.reconnect(front)  # under that limit
    front.states.clear()
    stopped = wait_for(front.carrier, "a carrier")
    stopped.send_signal(signal.SIGSTOP)
    cell = front.begin("print('after the silence')")
    assert "after the silence" in front.finish(cell, 30).text
    assert "down" in front.states
    wait_for(lambda: not stopped.is_running() or stopped.status() == "zombie", "the stopped carrier is ended")


def test_a_carrier_that_cannot_be_started_is_tried_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    front = lab.kernel()
    tries: list[int] = []
    argv = "gpu_provisioner.providers.local.LocalProvider.carrier_argv"
    with monkeypatch.context() as broken:
        broken.setattr(argv, lambda self, lease, command: tries.append(1) or ["/nonexistent/ssh"])  # type: ignore[func-returns-value]
        front.kill_carrier()
        wait_for(lambda: len(tries) >= 3, "three tries")
        assert front.holder.state == "down"
    assert "back" in front.execute("print('back')").text


def test_the_kernel_speaks_on_while_nobody_is_attached(lab: Lab, place: Place, turnstile: Turnstile) -> None:
    first = lab.kernel()
    turnstile.let()
    cell = first.begin(counting(turnstile, 3000, 100))
    first.wait(lambda: cell in first.cells and len(first.cells[cell].outputs) > 10, "it has begun")
    first.holder.detach()
    turnstile.close()
    assert len(counted(first, cell)) < 3000
    second = lab.front(first.holder.lease)
    second.finish(cell, 60)
    assert counted(first, cell) + counted(second, cell) == list(range(3000))
    home = [record for batch in read_records(place.data, first.holder.lease.id) for record in batch]
    numbers = [end for end, _, _ in home]
    assert numbers == sorted(set(numbers))


def test_a_holder_that_was_killed_leaves_a_stream_that_the_next_one_continues(
    lab: Lab, place: Place, turnstile: Turnstile
) -> None:
    lease = lab.provision()
    turnstile.let(5)
    script = (
        "import os, sys, time, threading\n"
        "from pathlib import Path\n"
        "from gpu_provisioner.leases import LeaseBook\n"
        "from tests.gpu_provisioner.front import Front\n"
        "data = Path(sys.argv[1])\n"
        "front = Front(LeaseBook(data).load(sys.argv[2]), data)\n"
        "front.holder.start(60)\n"
        f"cell = front.begin({counting(turnstile, 4000, 100)!r})\n"
        "front.wait(lambda: cell in front.cells and len(front.cells[cell].outputs) > 100, 'begun')\n"
        "print(cell, flush=True)\n"
        "threading.Event().wait()\n"
    )
    import subprocess

    root = Path(__file__).parent.parent.parent
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(place.data), lease.id],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert child.stdout is not None
    cell = child.stdout.readline().decode().strip()
    child.kill()
    child.wait()
    child.stdout.close()
    turnstile.close()
    front = lab.front(lease)
    front.finish(cell, 60)
    outputs = [
        wire.from_json(parts[3])["data"]["application/x-count"]["i"]
        for batch in read_records(place.data, lease.id)
        for _, channel, parts in batch
        if channel == wire.IOPUB and b'"display_data"' in parts[0]
    ]
    assert outputs == list(range(4000))


def test_a_deleted_home_journal_does_not_end_the_line(lab: Lab, place: Place) -> None:
    first = lab.kernel()
    first.execute("print('lost at home')")
    wait_for(lambda: first.ends, "records")
    first.holder.detach()
    for path in (place.data / "kernels" / first.holder.lease.id).iterdir():
        path.unlink()
    second = lab.front(first.holder.lease)
    assert "goes on" in second.execute("print('goes on')").text
