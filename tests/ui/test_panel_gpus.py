"""Machines in the panel: a real local lease, rented, seen, attached to the status bar, and released."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import TimeoutError, expect

from gpu_provisioner.home import home_folder
from gpu_provisioner.lease_lock import lock_lease
from gpu_provisioner.model import Lease

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

LEASE = {
    "id": "a100-k3f9qz",
    "name": "team-a100",
    "provider": "local",
    "target": "gpu1",
    "spec": "a100",
    "state": "planned",
    "created": 0.0,
    "device": "a100-80gb",
    "machine": "gpu-box",
    "notebook": "work/digits.ipynb",
    "usd_per_hour": 2.7,
}


def write_lease(lab: Lab, **changes: Any) -> None:
    """A lease as another process would have written it down a moment ago."""
    folder = lab.data_dir / "leases"
    folder.mkdir(parents=True, exist_ok=True)
    lease = {**LEASE, "created": time.time() - 12, **changes}
    (folder / f"{lease['id']}.json").write_text(json.dumps(lease))


@pytest.fixture
def bringing_up(lab: Lab) -> Iterator[None]:
    """Holds the lease as the process does that rents it; a planned one that nobody holds is given up."""
    lease = Lease.from_json({**LEASE, "created": time.time()})
    held = lock_lease(home_folder(lab.data_dir, lease.id), lease)
    yield
    held.close()


def open_notebook(lab: Lab, lab_page: LabPage) -> None:
    """A new notebook in front, its kernel connected and idle."""
    lab_page.page.evaluate(
        """async () => {
          const w = await jupyterapp.commands.execute('notebook:create-new', { kernelName: 'python3' });
          await w.context.ready; await w.sessionContext.ready }"""
    )
    kernel_is_idle(lab_page)


def kernel_is_idle(lab_page: LabPage) -> None:
    """Waits for the kernel of the notebook in front."""
    lab_page.page.wait_for_function(
        """() => { const k = jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
                   return k && k.status === 'idle' && k.connectionStatus === 'connected' }""",
        timeout=60_000,
    )


def sources(lab_page: LabPage) -> list[str]:
    cells: list[str] = lab_page.page.evaluate(
        "() => jupyterapp.shell.currentWidget.content.model.sharedModel.cells.map(c => c.getSource())"
    )
    return cells


@pytest.mark.usefixtures("bringing_up")
def test_a_lease_tells_device_machine_notebook_time_and_price(lab: Lab, lab_page: LabPage) -> None:
    write_lease(lab)
    card = lab_page.open(lab).sidebar().locator("[data-lease-id=a100-k3f9qz]")
    for text in ("A100-80GB", "team-a100", "gpu-box", "digits.ipynb", "planned", "$2.70/h"):
        expect(card).to_contain_text(text)
    write_lease(lab, usd_per_hour=None)
    expect(card).to_contain_text("your own machine: no price")
    write_lease(lab, usd_per_hour=None, provider="a-cloud")
    expect(card).to_contain_text("no price known")


@pytest.mark.usefixtures("bringing_up")
def test_releasing_asks_first(lab: Lab, lab_page: LabPage) -> None:
    write_lease(lab)
    card = lab_page.open(lab).sidebar().locator("[data-lease-id=a100-k3f9qz]")
    card.get_by_role("button", name="Release").click()
    dialog = lab_page.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Release team-a100?")
    expect(dialog).to_contain_text("$2.70/h")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    saved = json.loads((lab.data_dir / "leases" / "a100-k3f9qz.json").read_text())
    assert saved["state"] == "planned"


def test_offers_are_asked_for_on_request(lab: Lab, lab_page: LabPage) -> None:
    sidebar = lab_page.open(lab).sidebar()
    assert sidebar.locator("[data-offer]").count() == 0
    sidebar.get_by_role("button", name="Look for GPUs").click()
    expect(sidebar.locator("[data-offer=cpu]")).to_contain_text("CPU", timeout=30_000)
    expect(sidebar.locator("[data-offer=cpu]").get_by_role("button", name="Use")).to_be_disabled()


def test_an_ordinary_kernel_shows_nothing_in_the_status_bar(lab: Lab, lab_page: LabPage) -> None:
    lab_page.open(lab)
    open_notebook(lab, lab_page)
    expect(lab_page.page.locator(".jp-trackside-kernelItem")).to_have_count(0)


def test_a_notebook_is_provisioned_shown_and_released_from_the_panel(
    fresh_lab: Lab, lab_page: LabPage
) -> None:
    page = lab_page.page
    sidebar = lab_page.open(fresh_lab).sidebar()
    open_notebook(fresh_lab, lab_page)
    sidebar.get_by_role("button", name="Look for GPUs").click()
    sidebar.locator("[data-offer=cpu]").get_by_role("button", name="Use").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("%gpu_provision cpu --on local")
    dialog.get_by_role("button", name="Run", exact=True).click()
    card = sidebar.locator("[data-lease-id][data-state=ready]")
    expect(card).to_contain_text("this notebook", timeout=60_000)
    assert "%load_ext kernel_magics\n%gpu_provision cpu --on local" in sources(lab_page)
    item = page.locator(".jp-trackside-kernelItem")
    expect(item).to_contain_text("CPU · 0:")
    first = item.text_content()
    expect(item).not_to_have_text(first or "")
    card.get_by_role("button", name="Release").click()
    page.get_by_role("dialog").get_by_role("button", name="Release").click()
    expect(card).to_have_count(0, timeout=30_000)
    expect(item).to_have_count(0)


def test_a_spec_that_would_smuggle_code_in_is_refused(lab: Lab, lab_page: LabPage) -> None:
    lab_page.open(lab)
    open_notebook(lab, lab_page)
    before = sources(lab_page)
    page = lab_page.page
    page.evaluate("() => void jupyterapp.commands.execute('trackside:provision', {spec: 'a100\\nimport os'})")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("write one word")
    dialog.get_by_role("button").first.click()
    assert sources(lab_page) == before


def test_the_commands_stand_in_the_palette(lab: Lab, lab_page: LabPage) -> None:
    lab_page.open(lab)
    open_notebook(lab, lab_page)
    palette = lab_page.page.locator(".lm-CommandPalette-content")
    words = lab_page.page.locator("#modal-command-palette input, .lm-CommandPalette-input").first
    for _ in range(20):  # the palette closes when the notebook, which is still coming up, takes the focus
        lab_page.command("apputils:activate-command-palette")
        with contextlib.suppress(AssertionError, TimeoutError):
            words.fill("Trackside", timeout=3_000)
            expect(palette.get_by_text("Show Runs and GPUs")).to_be_visible(timeout=3_000)
            break
    for label in (
        "Show Runs and GPUs",
        "Provision a GPU for This Notebook…",
        "Attach This Notebook to a Leased Machine…",
        "Release a Leased Machine…",
    ):
        expect(palette.get_by_text(label)).to_be_visible()


def test_the_gpus_are_as_high_as_what_they_show_until_somebody_says_otherwise(
    fresh_lab: Lab, lab_page: LabPage
) -> None:
    page = lab_page.page
    page.set_viewport_size({"width": 1100, "height": 700})
    sidebar = lab_page.open(fresh_lab).sidebar()
    machines = sidebar.locator(".jp-trackside-machines")
    before = machines.evaluate("node => node.offsetHeight")
    sidebar.get_by_role("button", name="Look for GPUs").click()
    expect(sidebar.get_by_role("button", name="Use CPU of local")).to_be_visible(timeout=30_000)
    lab_page.eventually(
        """before => { const node = document.querySelector('.jp-trackside-machines');
             return node.offsetHeight > before && node.scrollHeight <= node.clientHeight }""",
        before,
    )
    handle = sidebar.locator(".lm-SplitPanel-handle").first
    grip = handle.bounding_box()
    head = sidebar.get_by_text("Runs", exact=True).bounding_box()
    assert grip and head
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 60, steps=4)
    page.mouse.up()
    chosen = machines.evaluate("node => node.offsetHeight")
    assert chosen < machines.evaluate("node => node.scrollHeight")
    sidebar.get_by_role("button", name="Look for GPUs").click()
    expect(sidebar.get_by_role("button", name="Look for GPUs")).to_be_enabled(timeout=30_000)
    assert machines.evaluate("node => node.offsetHeight") == chosen, "the border stays where it was put"
