"""GPUs as a person works with them: looked for, rented, watched, attached, their logs read, and given back.

NVML's library is a stub whose GPUs stand in a file; agent, kernel, server and browser are real.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from gpu_provisioner.leases import LeaseBook
from tests.ui.feeds import Feeds, last_watch, sent_by
from tests.ui.gpus import Gpus
from tests.ui.test_panel_axe import findings
from tests.ui.test_panel_gpus import open_notebook, sources
from tests.ui.test_panel_screenshots import overflowing, picture

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage


def rent(lab_page: LabPage, sidebar: Locator) -> Locator:
    """Rents the A100 from the panel; its card."""
    page = lab_page.page
    sidebar.get_by_role("button", name="Look for GPUs").click()
    sidebar.get_by_role("button", name="Use A100-80GB of local").click(timeout=30_000)
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("[data-fact=price]")).to_have_text("≈ $2.70/h", timeout=30_000)
    dialog.get_by_role("button", name="Run", exact=True).click()
    card = sidebar.locator("[data-lease-id][data-state=ready]")
    expect(card).to_contain_text("this notebook", timeout=90_000)
    return card


def test_offers_come_as_targets_answer_with_price_limit_and_what_to_type(
    gpu_lab: Lab, gpus: Gpus, lab_page: LabPage, tmp_path: Path
) -> None:
    page = lab_page.page
    sidebar = lab_page.open(gpu_lab).sidebar()
    open_notebook(gpu_lab, lab_page)
    sidebar.get_by_role("button", name="Look for GPUs").click()
    here, box = sidebar.locator("[data-target=local]"), sidebar.locator("[data-target=box]")
    offer = here.locator("[data-offer=a100-80gb]")
    for text in ("A100-80GB", "80.0 GiB", "free", "≈ $2.70/h"):
        expect(offer).to_contain_text(text, timeout=30_000)
    expect(here.locator("[data-offer=cpu]")).to_contain_text("your own machine: no price")
    expect(here).to_contain_text("GPU 1 l4 24 GiB, busy")
    expect(box).to_contain_text("has not answered yet")
    gpus.hush()
    expect(box).to_contain_text("Try:", timeout=60_000)
    expect(sidebar.get_by_role("button", name="Look for GPUs")).to_be_enabled()
    offer.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    for text in ("A100-80GB on local", "≈ $2.70/h", "$4.00/h of all that runs", "$50.00 a day", "30 min"):
        expect(dialog).to_contain_text(text, timeout=30_000)
    expect(dialog.locator("pre")).to_contain_text("%gpu_provision a100-80gb --on local")
    assert findings(lab_page, "#trackside-sidebar", ".jp-Dialog") == []
    picture(lab_page, tmp_path, "gpus-provision-light.png")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert LeaseBook(gpu_lab.data_dir).all() == []
    assert overflowing(sidebar) == []


def test_what_the_limits_forbid_is_said_and_not_to_be_had(
    gpu_lab: Lab, gpus: Gpus, lab_page: LabPage
) -> None:
    gpus.hush()
    toml = gpu_lab.folder / "trackside.toml"
    toml.write_text(toml.read_text().replace("4.0", "2.0"))
    sidebar = lab_page.open(gpu_lab).sidebar()
    open_notebook(gpu_lab, lab_page)
    sidebar.get_by_role("button", name="Look for GPUs").click()
    offer = sidebar.locator("[data-offer=a100-80gb]")
    expect(offer).to_contain_text("your limit is $2.00/h", timeout=30_000)
    expect(offer.get_by_role("button")).to_be_disabled()
    toml.write_text("[limits\n")
    lab_page.expected.append("500")
    expect(sidebar.get_by_role("button", name="Look for GPUs")).to_be_enabled(timeout=60_000)
    look_until(lab_page, sidebar, "trackside.toml")


def look_until(lab_page: LabPage, sidebar: Locator, text: str) -> None:
    """Looks for GPUs until the answer, which is given again for some seconds, is a new one."""
    for _ in range(60):
        sidebar.get_by_role("button", name="Look for GPUs").click()
        expect(sidebar.get_by_role("button", name="Look for GPUs")).to_be_enabled(timeout=60_000)
        if text in (sidebar.locator(".jp-trackside-offers").text_content() or ""):
            return
        lab_page.page.wait_for_timeout(200)
    raise AssertionError(f"the panel never said {text}")


def test_a_gpu_is_watched_while_the_panel_is_seen_and_its_log_is_read_as_text(
    gpu_lab: Lab, gpus: Gpus, lab_page: LabPage, tmp_path: Path
) -> None:
    gpus.hush()
    page = lab_page.page
    said = sent_by(page)
    sidebar = lab_page.open(gpu_lab).sidebar()
    open_notebook(gpu_lab, lab_page)
    card = rent(lab_page, sidebar)
    use = card.get_by_role("meter", name="GPU 0 utilisation")
    expect(use).to_have_text("83 %", timeout=60_000)
    gpus.are(use=7)
    expect(use).to_have_text("7 %", timeout=60_000)
    expect(card.get_by_role("meter", name="GPU 0 memory")).to_contain_text("0.5 / 80.0 GiB")
    expect(card.get_by_role("meter", name="CPU memory")).to_contain_text("GiB")
    expect(card.locator("[data-measured]")).to_contain_text("measured at")
    expect(card.locator("[data-cost]")).to_contain_text("so far")
    expect(card).to_contain_text("≈ $2.70/h")
    page.locator('.jp-SideBar li.lm-TabBar-tab[data-id="trackside-sidebar"]').click()
    last_watch(page, said, pulses=False)
    lab_page.sidebar()
    last_watch(page, said, pulses=True)

    (lease,) = LeaseBook(gpu_lab.data_dir).live()
    hostile = "<img src=x onerror='window.pwned = 1'> \u202e\x1b[31mred\x1b[0m"
    with (Path(lease.handle["folder"]) / "agent.log").open("a") as log:
        log.write(f"{hostile}\n")
    card.get_by_role("button", name="Log of").click()
    text = page.locator(".jp-trackside-logText")
    expect(text).to_contain_text("<img src=x onerror='window.pwned = 1'>", timeout=60_000)
    expect(text).to_contain_text("red")
    with (Path(lease.handle["folder"]) / "agent.log").open("a") as log:
        log.write("and it goes on\n")
    expect(text).to_contain_text("and it goes on", timeout=60_000)
    assert page.evaluate("() => window.pwned") is None
    assert findings(lab_page, "#trackside-sidebar", ".jp-trackside-log") == []
    picture(lab_page, tmp_path, "gpus-light.png")
    lab_page.theme("JupyterLab Dark")
    assert findings(lab_page, "#trackside-sidebar", ".jp-trackside-log") == []
    picture(lab_page, tmp_path, "gpus-dark.png")
    lab_page.theme("JupyterLab Light")
    page.get_by_role("combobox", name="Log of").select_option("kernel")
    expect(text).not_to_contain_text("and it goes on")
    narrow(lab_page)
    assert overflowing(sidebar) == []
    picture(lab_page, tmp_path, "gpus-narrow.png")

    card.get_by_role("button", name="Release").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("what its variables hold is lost")
    expect(dialog).to_contain_text("so far")
    dialog.get_by_role("button", name="Release").click()
    expect(card).to_have_count(0, timeout=60_000)


def narrow(lab_page: LabPage) -> None:
    """The sidebar as narrow as it gets."""
    handle = lab_page.page.locator("#jp-main-split-panel > .lm-SplitPanel-handle").first.bounding_box()
    lab_page.page.mouse.move(handle["x"] + 1, 400)
    lab_page.page.mouse.down()
    lab_page.page.mouse.move(220, 400, steps=5)
    lab_page.page.mouse.up()


def test_another_notebook_takes_a_machine_after_being_told_from_whom(
    gpu_lab: Lab, gpus: Gpus, lab_page: LabPage
) -> None:
    gpus.hush()
    page = lab_page.page
    sidebar = lab_page.open(gpu_lab).sidebar()
    open_notebook(gpu_lab, lab_page)
    card = rent(lab_page, sidebar)
    open_notebook(gpu_lab, lab_page)
    card.get_by_role("button", name="Attach").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("works with it now, and lets go")
    expect(dialog).to_contain_text("≈ $2.70/h")
    dialog.get_by_role("button", name="Run", exact=True).click()
    expect(card).to_contain_text("this notebook", timeout=90_000)
    assert any("%gpu_attach" in source and "--take" in source for source in sources(lab_page))


def test_who_may_only_read_sees_machines_and_no_button_that_changes_them(
    gpu_lab: Lab, gpus: Gpus, lab_page: LabPage
) -> None:
    gpus.hush()

    def read_only(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "read_only": True})

    lab_page.page.route("**/trackside/api/info*", read_only)
    lease = {"id": "a100-1", "name": "team", "provider": "local", "target": "local", "spec": "a100"}
    lease.update(state="lost", created=5.0, released=9e9, device="a100-80gb", detail="it is gone")
    (gpu_lab.data_dir / "leases").mkdir(parents=True)
    (gpu_lab.data_dir / "leases" / "a100-1.json").write_text(json.dumps(lease))
    sidebar = lab_page.open(gpu_lab).sidebar()
    open_notebook(gpu_lab, lab_page)
    sidebar.get_by_role("button", name="Look for GPUs").click()
    expect(sidebar.locator("[data-offer=a100-80gb]")).to_contain_text("free", timeout=30_000)
    expect(sidebar.locator("[data-lease-id=a100-1]")).to_contain_text("it is gone")
    gpus_section = sidebar.locator(".jp-trackside-gpus")
    names = {button.text_content() for button in gpus_section.get_by_role("button").all()}
    assert names == {"Look for GPUs", "Log"}
    enabled = (
        "() => ['provision', 'attach', 'release'].map(c => jupyterapp.commands.isEnabled('trackside:' + c))"
    )
    assert lab_page.page.evaluate(enabled) == [False, False, False]


def test_the_section_recovers_from_a_restarted_server_and_a_cut_connection(
    gpu_lab: Lab, gpus: Gpus, lab_page: LabPage
) -> None:
    gpus.hush()
    lab_page.expected += ["ERR_", "WebSocket", "Failed to", "502", "503", "404", "fetch", "Connection"]
    path = gpu_lab.data_dir / "leases" / "a100-1.json"
    path.parent.mkdir(parents=True)
    lease = {"id": "a100-1", "name": "team", "provider": "local", "target": "gpu1", "spec": "a100"}
    lease.update(state="lost", created=5.0, released=9e9, device="a100-80gb")
    path.write_text(json.dumps({**lease, "detail": "first"}))
    page = lab_page.page
    feeds = Feeds(page)
    lost = page.get_by_role("dialog", name="Server Connection Error")  # JupyterLab's own
    page.add_locator_handler(lost, lambda: lost.get_by_role("button").first.click())
    sidebar = lab_page.open(gpu_lab).sidebar()
    card, stale = sidebar.locator("[data-lease-id=a100-1]"), sidebar.locator("[data-stale]")
    expect(card).to_contain_text("first", timeout=30_000)

    feeds.cut()
    expect(stale).to_contain_text("Shown as it was last known", timeout=60_000)
    path.write_text(json.dumps({**lease, "detail": "while the line was cut"}))
    for _ in range(600):
        if feeds.refused >= 3:  # it is tried again and again, ever more seldom
            break
        page.wait_for_timeout(100)
    assert feeds.refused >= 3
    expect(card).to_contain_text("first")
    feeds.mend()
    expect(card).to_contain_text("while the line was cut", timeout=90_000)
    expect(stale).to_have_count(0)

    gpu_lab.stop()
    expect(stale).to_be_visible(timeout=60_000)
    path.write_text(json.dumps({**lease, "detail": "while it was away"}))
    gpu_lab.start()
    expect(card).to_contain_text("while it was away", timeout=90_000)
    expect(stale).to_have_count(0)
    sidebar.get_by_role("button", name="Look for GPUs").click()
    expect(sidebar.locator("[data-offer=a100-80gb]")).to_contain_text("free", timeout=60_000)
