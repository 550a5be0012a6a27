"""The REST interface on a real server, over real runs; every answer is checked against ``openapi.yaml``."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from jupyter_server.auth.authorizer import Authorizer
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.websocket import websocket_connect
from traitlets.config import Config

import kernel_magics as km

Ask = Callable[..., Awaitable[Any]]
Fetch = Callable[..., Awaitable[HTTPResponse]]


def a_run(name: str = "lr=0.1", project: str = "digits", points: int = 5) -> str:
    """A finished run; its id."""
    with km.init(
        project=project, name=name, config={"lr": 0.1, "net": {"layers": [64, 10]}}, tags=["t"]
    ) as run:
        for step in range(points):
            run.log({"loss": 1 / (step + 1), "acc": float(step)})
        run.summary["best"] = 0.5
    return run.id


async def indexed(ask: Ask, wait_for: Ask, *run_ids: str) -> None:
    """Waits until the server's index has the runs, finished."""

    async def all_there() -> bool:
        runs = (await ask("runs"))["runs"]
        return set(run_ids) <= {run["id"] for run in runs if run["status"] != "running"}

    await wait_for(all_there)


async def test_info_names_versions_and_the_data_folder(ask: Ask, wait_for: Ask, data_dir: Any) -> None:
    info = await ask("info")
    assert (info["data_dir"], info["read_only"]) == (str(data_dir), False)

    async def current() -> bool:
        return (await ask("info"))["index"]["state"] == "current"

    await wait_for(current)


async def test_no_runs_are_an_empty_list(ask: Ask) -> None:
    assert await ask("runs") == {"runs": []}


async def test_runs_are_listed_newest_first_with_light_facts(ask: Ask, wait_for: Ask) -> None:
    ids = [a_run("one"), a_run("two"), a_run("three", project="other")]
    await indexed(ask, wait_for, *ids)
    runs = (await ask("runs"))["runs"]
    assert [run["name"] for run in runs] == ["three", "two", "one"]
    cells = {"notebook", "host", "lease", "user", "python", "gpus", "cpu", "memory_gib", "price", "script"}
    assert set(runs[0]["facts"]) <= cells, "only what fits into a table's cell"
    assert runs[0]["facts"]["host"]
    assert runs[2]["config"] == {"lr": 0.1, "net": {"layers": [64, 10]}}
    assert runs[2]["summary"]["best"] == 0.5
    assert runs[2]["summary"]["loss"] == 0.2
    assert [run["name"] for run in (await ask("runs", params={"limit": "1"}))["runs"]] == ["three"]
    digits = await ask("runs", params={"project": "digits"})
    assert [run["name"] for run in digits["runs"]] == ["two", "one"]


async def test_a_run_is_shown_with_all_its_facts(ask: Ask, wait_for: Ask) -> None:
    run_id = a_run()
    await indexed(ask, wait_for, run_id)
    run = await ask("runs", run_id, spec="/runs/{run}")
    assert run["status"] == "finished"
    assert {"python", "platform", "host"} <= set(run["facts"])


async def test_numbers_that_json_cannot_spell_arrive_as_words(ask: Ask, wait_for: Ask) -> None:
    with km.init(name="diverged", config={"limit": math.inf}) as run:
        run.log({"loss": math.nan})
    await indexed(ask, wait_for, run.id)
    shown = await ask("runs", run.id, spec="/runs/{run}")
    assert (shown["summary"]["loss"], shown["config"]["limit"]) == ("NaN", "Infinity")


async def test_outputs_come_as_nbformat_spells_them(ask: Ask, wait_for: Ask) -> None:
    run = km.init(name="cell")
    run.record_cell({"key": "k1", "cell_id": "c", "execution_count": 3, "source": "print(1)", "started": 5.0})
    run.record_output("k1", "stream", json.dumps({"name": "stdout", "text": "1\n"}).encode())
    run.record_cell({"key": "k1", "finished": 6.0, "status": "ok"})
    run.finish()
    await indexed(ask, wait_for, run.id)
    cells = (await ask("runs", run.id, "outputs", spec="/runs/{run}/outputs"))["cells"]
    assert cells == [
        {
            "key": "k1",
            "source": "print(1)",
            "execution_count": 3,
            "cell_id": "c",
            "started": 5.0,
            "finished": 6.0,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "1\n"}],
            "recorded": True,
        }
    ]


async def test_metrics_name_the_runs_that_have_them(ask: Ask, wait_for: Ask) -> None:
    first, second = a_run("one"), a_run("two")
    await indexed(ask, wait_for, first, second)
    metrics = (await ask("metrics", params={"runs": f"{first},{second}"}))["metrics"]
    logged = {metric["name"]: metric["runs"] for metric in metrics if metric["source"] == "logged"}
    assert logged == {"loss": [first, second], "acc": [first, second]}


async def test_windows_hold_the_values_that_were_logged(ask: Ask, wait_for: Ask) -> None:
    first, second = a_run("one"), a_run("two", points=3)
    await indexed(ask, wait_for, first, second)
    query = {"runs": [first, second], "metric": "acc", "x": "step", "start": None, "stop": None, "width": 100}
    windows = (await ask("windows", method="POST", body=json.dumps(query)))["windows"]
    assert [(window["run"], window["points"], window["raw"]) for window in windows] == [
        (first, 5, True),
        (second, 3, True),
    ]


async def test_a_smoothed_window_is_a_debiased_moving_average(ask: Ask, wait_for: Ask) -> None:
    with km.init(name="smooth") as run:
        for step, value in enumerate([0.0, 0.0, 1.0]):
            run.log({"acc": value}, step=step)
    await indexed(ask, wait_for, run.id)
    query = {"runs": [run.id], "metric": "acc", "smoothing": 0.5}
    [window] = (await ask("windows", method="POST", body=json.dumps(query)))["windows"]
    last = struct.unpack("<3d", base64.b64decode(window["last"]["base64"]))
    assert last == pytest.approx((0.0, 0.0, 0.5 / (1 - 0.5**3)))


async def test_a_run_that_does_not_exist_is_left_out_of_a_query_over_several(ask: Ask, wait_for: Ask) -> None:
    run_id = a_run()
    await indexed(ask, wait_for, run_id)
    missing = "20200101-000000-aaaaaa"
    query = {"runs": [missing, run_id], "metric": "acc"}
    windows = (await ask("windows", method="POST", body=json.dumps(query)))["windows"]
    assert [window["run"] for window in windows] == [run_id]
    metrics = (await ask("metrics", params={"runs": f"{missing},{run_id}"}))["metrics"]
    assert {one for metric in metrics for one in metric["runs"]} == {run_id}


@pytest.mark.parametrize("rest", [(), ("outputs",)])
async def test_an_unknown_run_is_a_404_with_a_sentence(ask: Ask, rest: tuple[str, ...]) -> None:
    spec = "/".join(["/runs/{run}", *rest])
    error = await ask("runs", "20200101-000000-aaaaaa", *rest, spec=spec, status=404)
    assert "20200101-000000-aaaaaa" in error["message"]


@pytest.mark.parametrize("bad", ["x", "A" * 20, "..", "%2e%2e%2fetc", "a" * 100])
async def test_what_is_no_run_id_never_reaches_a_path(ask: Ask, bad: str) -> None:
    error = await ask("runs", bad, spec="/runs/{run}", status=400)
    assert "no run id" in error["message"]


@pytest.mark.parametrize(
    "params", [{"limit": "0"}, {"limit": "many"}, {"limit": "-3"}, {"project": "x" * 2000}, {"limit": "1e9"}]
)
async def test_a_wrong_parameter_is_a_400_that_names_it(ask: Ask, params: dict[str, str]) -> None:
    error = await ask("runs", params=params, status=400)
    assert next(iter(params)) in error["message"]


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"runs": []}', '{"metric": NaN}'])
async def test_a_wrong_window_query_is_a_400(ask: Ask, body: str) -> None:
    await ask("windows", method="POST", body=body, status=400)


async def test_an_unknown_path_and_a_wrong_method_answer_in_json_too(jp_fetch: Fetch) -> None:
    for parts, method, status in (
        (("nothing",), "GET", 404),
        (("runs",), "DELETE", 405),
        (("leases",), "POST", 405),
    ):
        body = "" if method == "POST" else None
        answer = await jp_fetch("trackside", "api", *parts, method=method, body=body, raise_error=False)
        assert answer.code == status
        assert set(json.loads(answer.body)) == {"message", "remedy"}


async def test_who_is_not_logged_in_sees_nothing(jp_fetch: Fetch) -> None:
    for path in ("info", "runs", "leases", "offers", "feed", "nothing"):
        answer = await jp_fetch(
            "trackside",
            "api",
            path,
            headers={"Authorization": "token wrong"},
            raise_error=False,
            follow_redirects=False,
        )
        assert answer.code == 403, path


async def logged_in(jp_fetch: Fetch, token: str) -> dict[str, str]:
    """The headers of a browser with Jupyter's login cookie (and without the XSRF header)."""
    answer = await jp_fetch(
        "lab", "x", params={"token": token}, headers={"Authorization": ""}, raise_error=False
    )
    cookies = [header.partition(";")[0] for header in answer.headers.get_list("Set-Cookie")]
    assert cookies
    return {"Authorization": "", "Cookie": "; ".join(cookies)}


async def test_a_browser_needs_the_xsrf_header_to_change_or_ask_by_post(
    jp_fetch: Fetch, jp_serverapp: Any
) -> None:
    headers = await logged_in(jp_fetch, jp_serverapp.identity_provider.token)
    body = json.dumps({"runs": ["20200101-000000-aaaaaa"], "metric": "loss"})
    post = {"method": "POST", "body": body, "raise_error": False}
    assert (await jp_fetch("trackside", "api", "windows", headers=dict(headers), **post)).code == 403
    xsrf = headers["Cookie"].partition("_xsrf=")[2].partition(";")[0]
    answer = await jp_fetch("trackside", "api", "windows", headers={**headers, "X-XSRFToken": xsrf}, **post)
    assert answer.code == 200
    delete = {"method": "DELETE", "raise_error": False}
    assert (await jp_fetch("trackside", "api", "leases", "abc", headers=dict(headers), **delete)).code == 403


async def test_another_site_gets_nothing(
    jp_fetch: Fetch, jp_serverapp: Any, jp_http_port: int, jp_base_url: str
) -> None:
    headers = await logged_in(jp_fetch, jp_serverapp.identity_provider.token)
    assert (await jp_fetch("trackside", "api", "runs", headers=dict(headers))).code == 200
    headers["Origin"] = "https://evil.example"
    answer = await jp_fetch("trackside", "api", "runs", headers=dict(headers), raise_error=False)
    assert answer.code in (403, 404)
    feed = (
        f"127.0.0.1:{jp_http_port}{jp_base_url}trackside/api/feed"  # the cookie is for this name of the host
    )
    with pytest.raises(HTTPClientError, match="403"):
        await websocket_connect(HTTPRequest(f"ws://{feed}", headers=dict(headers)))
    headers["Origin"] = f"http://127.0.0.1:{jp_http_port}"
    (await websocket_connect(HTTPRequest(f"ws://{feed}", headers=dict(headers)))).close()


async def test_the_feed_is_closed_to_who_is_not_logged_in(jp_ws_fetch: Fetch) -> None:
    with pytest.raises(HTTPClientError, match="403"):
        await jp_ws_fetch("trackside", "api", "feed", headers={"Authorization": "token wrong"})


class ReadOnly(Authorizer):
    """Lets everybody look and nobody change."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return action == "read"


class ReadOnlyServer:
    @pytest.fixture
    def jp_server_config(self, jp_server_config: Config) -> Config:
        jp_server_config.ServerApp.authorizer_class = ReadOnly
        return jp_server_config


class TestReadOnly(ReadOnlyServer):
    async def test_who_may_only_read_cannot_release_a_lease(self, ask: Ask) -> None:
        error = await ask("leases", "abc-123", spec="/leases/{lease}", method="DELETE", status=403)
        assert "not authorized" in error["message"]

    async def test_who_may_only_read_may_ask_for_windows_and_reports(self, ask: Ask, wait_for: Ask) -> None:
        """Questions that are too long for an address are posted, and change nothing."""
        run_id = a_run()
        await indexed(ask, wait_for, run_id)
        series = {"runs": [run_id], "metric": "loss"}
        (window,) = (await ask("windows", method="POST", body=json.dumps(series)))["windows"]
        assert window["run"] == run_id
        wanted = {"runs": [run_id], "format": "html", "x": "step", "log": False, "group_by": None}
        body = json.dumps({**wanted, "smoothing": 0, "notes": ""})
        assert "<html" in (await ask("report", method="POST", body=body))["content"]

    async def test_who_may_only_read_is_told_so(self, ask: Ask) -> None:
        assert (await ask("info"))["read_only"] is True
        assert await ask("runs") == {"runs": []}


class Nobody(Authorizer):
    """Lets nobody do anything."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return resource != "trackside"


class TestNobody:
    @pytest.fixture
    def jp_server_config(self, jp_server_config: Config) -> Config:
        jp_server_config.ServerApp.authorizer_class = Nobody
        return jp_server_config

    async def test_who_may_not_read_is_refused_by_every_route(self, jp_fetch: Fetch) -> None:
        for path in ("info", "runs", "leases", "offers", "feed"):
            answer = await jp_fetch("trackside", "api", path, raise_error=False)
            assert answer.code == 403, path
        for path in ("windows", "report"):
            answer = await jp_fetch("trackside", "api", path, method="POST", body="{}", raise_error=False)
            assert answer.code == 403, path
