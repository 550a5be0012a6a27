"""Edits, the trash and saved views over REST; a filter in the listing; who may only read changes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from jupyter_server.auth.authorizer import Authorizer
from tornado.httpclient import HTTPResponse
from traitlets.config import Config

import kernel_magics as km

Ask = Callable[..., Awaitable[Any]]
Fetch = Callable[..., Awaitable[HTTPResponse]]
NOBODY = "20200101-000000-aaaaaa"
VIEW = "20261122-141503-view01"


def a_run(name: str, lr: float = 0.1) -> str:
    with km.init("digits", name, {"lr": lr}) as run:
        run.log({"loss": lr})
    return run.id


async def names(ask: Ask, **params: str) -> list[str]:
    return sorted(run["name"] for run in (await ask("runs", params=params))["runs"])


async def edit(ask: Ask, *edits: tuple[str, dict[str, Any]], status: int = 200) -> Any:
    body = json.dumps({"edits": [{"run": run, "change": change} for run, change in edits]})
    return await ask("runs", method="PATCH", body=body, status=status, allow_nonstandard_methods=True)


async def test_edits_of_several_runs_are_written_and_pushed(ask: Ask, wait_for: Ask, listen: Ask) -> None:
    first, second = a_run("one"), a_run("two")
    await wait_for(lambda: both(ask, first, second))
    browser = await listen()
    answer = await edit(
        ask,
        (first, {"name": "uno", "tags": ["a", "a"], "pinned": True}),
        (NOBODY, {"notes": "x"}),
        (second, {"notes": "hm"}),
    )
    assert answer["changed"] == [first, second]
    assert [problem["run"] for problem in answer["problems"]] == [NOBODY]
    seen: dict[str, Any] = {}
    while not {first, second} <= {run for run in seen if seen[run]["notes"] or seen[run]["pinned"]}:
        message = await browser.until(lambda one: one["type"] == "runs")
        seen.update({run["id"]: run for run in message["changed"]})
    assert (seen[first]["name"], seen[first]["tags"], seen[second]["notes"]) == ("uno", ["a"], "hm")


async def test_an_edit_in_the_panel_counts_after_a_change_by_a_machine_whose_clock_is_ahead(
    ask: Ask, wait_for: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, now = km.init("digits", "first"), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600.0)
    run.change(name="ahead")
    run.finish()
    monkeypatch.undo()

    async def is_called(name: str) -> bool:
        return await names(ask) == [name]

    await wait_for(lambda: is_called("ahead"))
    assert (await edit(ask, (run.id, {"name": "typed"})))["changed"] == [run.id]
    await wait_for(lambda: is_called("typed"))


async def both(ask: Ask, *run_ids: str) -> bool:
    runs = (await ask("runs"))["runs"]
    return set(run_ids) <= {run["id"] for run in runs if run["status"] == "finished"}


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "{}",
        '{"edits": []}',
        '{"edits": [{"run": "../x", "change": {"name": "n"}}]}',
        f'{{"edits": [{{"run": "{NOBODY}", "change": {{}}}}]}}',
        f'{{"edits": [{{"run": "{NOBODY}", "change": {{"status": "finished"}}}}]}}',
        f'{{"edits": [{{"run": "{NOBODY}", "change": {{"name": 3}}}}]}}',
        '{"edits": [{"run": 5, "change": {"name": "n"}}]}',
        "{",
    ],
)
async def test_a_wrong_edit_is_refused_with_a_sentence(ask: Ask, body: str) -> None:
    error = await ask("runs", method="PATCH", body=body, status=400, allow_nonstandard_methods=True)
    assert error["message"].endswith(".")


async def test_a_deleted_run_goes_and_comes_back(ask: Ask, wait_for: Ask) -> None:
    run_id = a_run("gone")

    async def is_there() -> bool:
        return await both(ask, run_id)

    async def is_gone() -> bool:
        return await names(ask) == []

    await wait_for(is_there)
    await ask("runs", run_id, spec="/runs/{run}", method="DELETE", status=204)
    await wait_for(is_gone)
    error = await ask("runs", run_id, spec="/runs/{run}", method="DELETE", status=404)
    assert "There is no run" in error["message"]
    restore = {"spec": "/runs/{run}/restore", "method": "POST", "body": ""}
    await ask("runs", run_id, "restore", status=204, **restore)
    await wait_for(is_there)
    await ask("runs", run_id, "restore", status=404, **restore)


async def test_a_run_that_is_being_written_is_not_deleted(ask: Ask, wait_for: Ask) -> None:
    run = km.init("digits", "live")

    async def is_there() -> bool:
        return await names(ask) == ["live"]

    await wait_for(is_there)
    error = await ask("runs", run.id, spec="/runs/{run}", method="DELETE", status=400)
    assert "running" in error["message"]
    run.finish()


async def test_the_listing_takes_a_filter_and_names_its_mistake(ask: Ask, wait_for: Ask) -> None:
    ids = [a_run("big", 1.0), a_run("small", 0.001)]
    await wait_for(lambda: both(ask, *ids))
    assert await names(ask, where="config.lr < 0.1") == ["small"]
    assert await names(ask, where="loss.max >= 0.001") == ["big", "small"]
    error = await ask("runs", params={"where": "status = finnished"}, status=400)
    assert "character 10" in error["message"]
    assert error["remedy"] == "status = finished"


async def test_a_view_is_saved_listed_and_deleted(ask: Ask) -> None:
    body = json.dumps({"name": "diverged", "state": {"filter": "loss.last = nan"}})
    saved = await ask("views", VIEW, spec="/views/{view}", method="PUT", body=body)
    assert (saved["id"], saved["name"]) == (VIEW, "diverged")
    assert (await ask("views"))["views"] == [saved]
    for wrong in ("{}", '{"name": "", "state": {}}', '{"name": "n", "state": []}'):
        await ask("views", VIEW, spec="/views/{view}", method="PUT", body=wrong, status=400)
    await ask("views", VIEW, spec="/views/{view}", method="DELETE", status=204)
    assert await ask("views") == {"views": []}


class ReadOnly(Authorizer):
    """Lets everybody look and nobody change."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return action == "read"


class TestReadOnly:
    @pytest.fixture
    def jp_server_config(self, jp_server_config: Config) -> Config:
        jp_server_config.ServerApp.authorizer_class = ReadOnly
        return jp_server_config

    async def test_who_may_only_read_changes_nothing(self, jp_fetch: Fetch, ask: Ask, data_dir: Any) -> None:
        run_id = a_run("kept")
        body = json.dumps({"edits": [{"run": run_id, "change": {"name": "x"}}]})
        view = json.dumps({"name": "n", "state": {}})
        for parts, method, text in (
            (("runs",), "PATCH", body),
            (("runs", run_id), "DELETE", None),
            (("runs", run_id, "restore"), "POST", ""),
            (("views", VIEW), "PUT", view),
            (("views", VIEW), "DELETE", None),
        ):
            options = {"method": method, "body": text, "allow_nonstandard_methods": True}
            answer = await jp_fetch("trackside", "api", *parts, raise_error=False, **options)
            assert answer.code == 403, (parts, method)
        assert await ask("views") == {"views": []}
        assert len(list((data_dir / "runs" / run_id).glob("*.journal"))) == 1


async def test_a_browser_needs_the_xsrf_header_to_edit(jp_fetch: Fetch, jp_serverapp: Any) -> None:
    token = jp_serverapp.identity_provider.token
    answer = await jp_fetch(
        "lab", "x", params={"token": token}, headers={"Authorization": ""}, raise_error=False
    )
    cookies = "; ".join(header.partition(";")[0] for header in answer.headers.get_list("Set-Cookie"))
    headers = {"Authorization": "", "Cookie": cookies}
    xsrf = cookies.partition("_xsrf=")[2].partition(";")[0]
    body = json.dumps({"edits": [{"run": NOBODY, "change": {"name": "x"}}]})
    options = {"method": "PATCH", "body": body, "raise_error": False, "allow_nonstandard_methods": True}
    assert (await jp_fetch("trackside", "api", "runs", headers=dict(headers), **options)).code == 403
    with_header = {**headers, "X-XSRFToken": xsrf}
    assert (await jp_fetch("trackside", "api", "runs", headers=with_header, **options)).code == 200
