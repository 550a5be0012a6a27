"""The golden messages are what ``openapi.yaml`` says, and what the code here writes and reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from gpu_provisioner.model import Lease
from jupyter_ext import answers, encode, queries
from jupyter_ext.errors import body_of
from jupyter_ext.leases import public
from kernel_magics.errors import UnknownRun

HERE = Path(__file__).parent
SPECIFICATION = yaml.safe_load((HERE.parents[1] / "jupyter_ext" / "openapi.yaml").read_text())
GOLDEN = HERE / "golden"


def golden(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text())


def problems(value: object, where: str) -> list[str]:
    """What the schema at the JSON pointer ``where`` of the specification says against ``value``."""
    document = {**SPECIFICATION, "$ref": where}
    return [error.message for error in Draft202012Validator(document).iter_errors(value)]


def answer(path: str, method: str = "get", status: str = "200") -> str:
    escaped = path.replace("/", "~1")
    return f"#/paths/{escaped}/{method}/responses/{status}/content/application~1json/schema"


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("info.json", "#/components/schemas/Info"),
        ("outputs.json", answer("/runs/{run}/outputs")),
        ("metrics.json", answer("/metrics")),
        ("leases.json", answer("/leases")),
        ("offers.json", answer("/offers")),
        ("error.json", "#/components/schemas/Error"),
        ("window_query.json", "#/components/schemas/WindowQuery"),
        ("window_group.json", "#/components/schemas/Window"),
    ],
)
def test_a_golden_answer_is_as_specified(name: str, where: str) -> None:
    assert problems(golden(name), where) == []


@pytest.mark.parametrize(
    ("message", "schema"),
    [
        ("hello", "FeedHello"),
        ("watch", "FeedWatch"),
        ("runs", "FeedRuns"),
        ("leases", "FeedLeases"),
        ("pulses", "FeedPulses"),
        ("series", "FeedSeries"),
        ("metrics", "FeedMetrics"),
        ("error", "FeedError"),
    ],
)
def test_a_golden_message_of_the_feed_is_as_specified(message: str, schema: str) -> None:
    assert problems(golden("feed.json")[message], f"#/components/schemas/{schema}") == []


def test_every_message_of_the_feed_has_a_golden_one() -> None:
    feed = SPECIFICATION["paths"]["/feed"]["get"]["x-websocket"]
    schemas = [reference["$ref"].rpartition("/")[2] for side in feed.values() for reference in side]
    types = [SPECIFICATION["components"]["schemas"][name]["properties"]["type"]["const"] for name in schemas]
    assert sorted(types) == sorted(golden("feed.json"))


def test_the_specification_refuses_what_is_not_specified() -> None:
    run = golden("feed.json")["runs"]["changed"][0]
    assert problems({**run, "status": "sleeping"}, "#/components/schemas/Run")
    assert problems({**run, "surprise": 1}, "#/components/schemas/Run")
    assert problems({key: run[key] for key in run if key != "id"}, "#/components/schemas/Run")


def test_the_messages_that_python_writes_are_the_golden_ones() -> None:
    feed = golden("feed.json")
    assert json.loads(answers.feed_hello("0.1.0")) == feed["hello"]
    assert json.loads(answers.feed_metrics(set(feed["metrics"]["runs"]))) == feed["metrics"]
    assert json.loads(answers.feed_error(feed["error"]["message"])) == feed["error"]


def test_python_understands_the_golden_watch_and_query() -> None:
    watch = queries.Watch.from_json(golden("feed.json")["watch"])
    assert watch.id == 3
    assert [one.metric for one in watch.series] == ["loss/été"]
    query = queries.WindowQuery.from_json(golden("window_query.json"))
    assert (query.start, query.stop, query.width) == (None, 250.5, 640)
    assert query.groups == tuple((run,) for run in query.runs)
    assert query.metrics == ("loss/été", "epoch")


def test_a_lease_survives_the_way_through_json(tmp_path: Path) -> None:
    for lease in golden("leases.json")["leases"]:
        sent = json.loads(encode.dumps(public(Lease.from_json(lease), tmp_path)))
        assert sent == {**lease, "kernel_id": None}  # nobody holds it here


def test_an_error_becomes_the_golden_body() -> None:
    error = UnknownRun("There is no run 20261122-141503-k3f9qz in this data folder.", "trackside ls")
    assert body_of(error) == golden("error.json")


def test_what_json_cannot_spell_becomes_a_word() -> None:
    values = {"a": float("nan"), "b": [float("inf"), {"c": float("-inf")}], "d": 1.5, "e": True}
    assert json.loads(encode.dumps(values)) == {
        "a": "NaN",
        "b": ["Infinity", {"c": "-Infinity"}],
        "d": 1.5,
        "e": True,
    }
