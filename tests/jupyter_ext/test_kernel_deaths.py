"""A kernel of a real server dies: its run says by what."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.deaths import KernelDeaths
from kernel_magics.tracking.processes import start_ticks

Ask = Callable[..., Awaitable[Any]]

START = "import kernel_magics as km; run = km.init(name='doomed'); run.log({'loss': 1.0})"


@pytest.fixture
def start_kernel(jp_fetch: Ask, jp_serverapp: Any) -> Ask:
    """``await start_kernel()``: the manager of a kernel that the server has started."""

    async def start() -> Any:
        answer = await jp_fetch("api", "kernels", method="POST", body=json.dumps({"name": "python3"}))
        return jp_serverapp.kernel_manager.get_kernel(json.loads(answer.body)["id"])

    return start


async def execute(kernel: Any, code: str) -> None:
    client = kernel.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=60)
        reply = await client.execute_interactive(code, timeout=60, output_hook=lambda message: None)
        assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()


async def the_run(ask: Ask, wait_for: Ask, wanted: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The only run, once it is as wanted."""

    async def found() -> Any:
        return [run for run in (await ask("runs"))["runs"] if wanted(run)]

    [run] = await wait_for(found)
    return run


async def test_a_run_whose_kernel_is_killed_names_the_signal(
    start_kernel: Ask, ask: Ask, wait_for: Ask
) -> None:
    kernel = await start_kernel()
    await execute(kernel, START)
    pid = kernel.provisioner.pid
    os.kill(pid, signal.SIGKILL)
    run = await the_run(
        ask, wait_for, lambda run: run["status"] == "killed" and "signal" in run["status_detail"]
    )
    assert "signal 9" in run["status_detail"]
    assert run["finished"] is not None


async def test_the_report_tells_the_kernel_from_a_later_process_with_its_id(
    start_kernel: Ask, wait_for: Ask, jp_serverapp: Any
) -> None:
    reports: list[dict[str, Any]] = []
    watching = KernelDeaths(jp_serverapp.kernel_manager, reports.append, jp_serverapp.log)
    watching.listen(jp_serverapp.event_logger)
    kernel = await start_kernel()
    for count in (1, 2):
        await execute(kernel, "1")
        pid = kernel.provisioner.pid
        began = start_ticks(pid)
        assert began is not None
        os.kill(pid, signal.SIGKILL)

        async def reported(count: int = count) -> bool:
            return len(reports) == count

        await wait_for(reported)
        assert (reports[-1]["pid"], reports[-1]["start_ticks"]) == (pid, began)
        async with asyncio.timeout(60):
            while kernel.provisioner.pid == pid or not await kernel.is_alive():
                await asyncio.sleep(0.05)
    await execute(kernel, "1")


async def test_a_run_whose_kernel_exits_in_the_middle_says_so(
    start_kernel: Ask, ask: Ask, wait_for: Ask
) -> None:
    kernel = await start_kernel()
    await execute(kernel, START + "; import os, threading; threading.Timer(0.2, os._exit, [3]).start()")
    run = await the_run(ask, wait_for, lambda run: "exit code" in run["status_detail"])
    assert run["status"] == "failed"
    assert "exit code 3" in run["status_detail"]


async def test_a_kernel_that_has_to_be_killed_for_a_restart_says_who_asked(
    start_kernel: Ask, ask: Ask, wait_for: Ask, jp_fetch: Ask, tmp_path: Path
) -> None:
    kernel = await start_kernel()
    await execute(kernel, START)
    kernel.shutdown_wait_time = 0.4
    client = kernel.client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    stuck = tmp_path / "stuck"
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    # sum() is one C call that looks at no signal and never lets another thread of the kernel run.
    client.execute(f"{deaf}; open({str(stuck)!r}, 'w').close(); sum(range(10**15))")
    async with asyncio.timeout(30):
        while not stuck.exists():
            await asyncio.sleep(0.02)
    await jp_fetch(
        "api", "kernels", kernel.kernel_id, "restart", method="POST", body="{}", request_timeout=60
    )
    client.stop_channels()
    run = await the_run(ask, wait_for, lambda run: "Jupyter" in run["status_detail"])
    assert run["status"] == "killed"
    assert run["status_detail"] == "killed by signal 9 (SIGKILL): the kernel was restarted from Jupyter"


async def test_each_life_of_a_kernel_is_reported_by_its_own_process(
    start_kernel: Ask, ask: Ask, wait_for: Ask
) -> None:
    kernel = await start_kernel()
    for count, number in ((1, signal.SIGKILL), (2, signal.SIGSEGV)):
        await execute(kernel, START)
        pid = kernel.provisioner.pid
        os.kill(pid, number)

        async def all_closed(count: int = count) -> Any:
            runs = (await ask("runs"))["runs"]
            closed = [run for run in runs if "signal" in run["status_detail"]]
            return runs if len(closed) == count else None

        await wait_for(all_closed)
        async with asyncio.timeout(60):
            while kernel.provisioner.pid == pid or not await kernel.is_alive():
                await asyncio.sleep(0.05)
    runs = (await ask("runs"))["runs"]
    assert ["signal 11" in runs[0]["status_detail"], "signal 9" in runs[1]["status_detail"]] == [True, True]


async def test_a_kernel_that_is_shut_down_ends_its_run_itself(
    start_kernel: Ask, ask: Ask, wait_for: Ask, jp_fetch: Ask
) -> None:
    kernel = await start_kernel()
    await execute(kernel, START)
    await jp_fetch("api", "kernels", kernel.kernel_id, method="DELETE")
    run = await the_run(ask, wait_for, lambda run: run["status"] != "running")
    assert "signal" not in run["status_detail"]
