"""Images, tables, html and histograms by step: exact, stored once, never a reason for a training to stop."""

from __future__ import annotations

import hashlib
import io
import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

import kernel_magics as km
from kernel_magics import paths
from kernel_magics.journal.format import Kind
from kernel_magics.tracking import gallery, media
from kernel_magics.tracking.histogram import Histogram
from kernel_magics.tracking.notices import TracksideWarning

Records = Callable[[str], list[Any]]
ROOT = Path(km.__file__).parent.parent


@pytest.fixture
def run() -> Iterator[km.Run]:
    with km.init(project="test") as found:
        yield found


def shown(run: km.Run, records: Records) -> list[dict[str, Any]]:
    return list(records(run.id)[0].all(Kind.MEDIA))


def blob(digest: str) -> bytes:
    data = (paths.blobs_dir(paths.data_dir()) / digest).read_bytes()
    assert hashlib.sha256(data).hexdigest() == digest
    return data


def picture(entry: dict[str, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(PIL.Image.open(io.BytesIO(blob(entry["digest"]))))


RAMP = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 14


@pytest.mark.parametrize(
    ("data", "pixels"),
    [
        (RAMP, RAMP),
        (RAMP[:, :, 0], RAMP[:, :, 0]),
        (RAMP[:, ::-1], RAMP[:, ::-1]),
        (RAMP / 255.0, RAMP),
        ((RAMP / 255.0).astype(np.float32), RAMP),
        (RAMP[:, :, 0] > 100, np.where(RAMP[:, :, 0] > 100, 255, 0)),
        (RAMP.astype(np.int64), RAMP),
        (np.dstack([RAMP, RAMP[:, :, :1]]), np.dstack([RAMP, RAMP[:, :, :1]])),
        (RAMP[:, :, :2], RAMP[:, :, :2]),
        (torch.tensor(RAMP).permute(2, 0, 1).repeat(1, 4, 4), np.tile(RAMP, (4, 4, 1))),
        (torch.tensor(RAMP / 255.0, requires_grad=True), RAMP),
        (torch.tensor([[0.0, 1.0]], dtype=torch.bfloat16), [[0, 255]]),
        (PIL.Image.fromarray(RAMP), RAMP),
        (np.array([[0.0, np.nan, 1.0]]), [[0, 0, 255]]),
    ],
    ids=lambda value: f"{type(value).__name__}{getattr(value, 'shape', '')}{getattr(value, 'dtype', '')}",
)
def test_an_image_is_kept_pixel_by_pixel(run: km.Run, records: Records, data: Any, pixels: Any) -> None:
    run.log({"sample": km.Image(data, caption="größe")}, step=7)
    (entry,) = shown(run, records)
    assert (entry["metric"], entry["step"], entry["type"], entry["mime"]) == (
        "sample",
        7,
        "image",
        "image/png",
    )
    assert entry["caption"] == "größe"
    assert np.array_equal(picture(entry), np.asarray(pixels))
    assert (entry["height"], entry["width"]) == np.asarray(pixels).shape[:2]
    assert entry["size"] == len(blob(entry["digest"]))
    assert "clipped" not in entry


def test_values_beyond_what_an_image_has_are_clipped_and_the_record_says_so(
    run: km.Run, records: Records
) -> None:
    run.log({"float": km.Image(np.array([[-1.0, 0.5, 3.0]])), "int": km.Image(np.array([[-1, 9, 300]]))})
    first, second = shown(run, records)
    assert (first["clipped"], picture(first).tolist()) == ([-1.0, 3.0], [[0, 128, 255]])
    assert (second["clipped"], picture(second).tolist()) == ([-1.0, 300.0], [[0, 9, 255]])


def test_figures_and_pil_images_are_known_by_themselves_and_beside_numbers(
    run: km.Run, records: Records
) -> None:
    figure = Figure(figsize=(2, 1), dpi=50)
    figure.add_subplot().plot([1, 2])
    run.log({"loss": 0.5, "plots": {"curve": figure}, "sample": PIL.Image.fromarray(RAMP).convert("CMYK")})
    run.log({"loss": 0.25})
    curve, sample = shown(run, records)
    assert (curve["metric"], curve["step"], curve["width"], curve["height"]) == ("plots/curve", 0, 100, 50)
    assert picture(sample).shape == (2, 3, 3)
    assert records(run.id)[0].points("loss") == [(0, 0.5), (1, 0.25)]


def test_media_alone_takes_a_step_and_time_is_that_of_the_call(run: km.Run, records: Records) -> None:
    for _ in range(2):
        run.log({"note": km.Html("<b>x</b>")})
    run.log({"loss": 1.0})
    entries = shown(run, records)
    assert [entry["step"] for entry in entries] == [0, 1]
    assert records(run.id)[0].points("loss") == [(2, 1.0)]
    assert records(run.id)[0].head["created"] <= entries[0]["time"] <= entries[1]["time"]


def test_a_list_of_images_is_one_entry_each(run: km.Run, records: Records) -> None:
    run.log({"samples": [km.Image(RAMP), PIL.Image.fromarray(RAMP[:, :1])]})
    assert [(entry["index"], entry["of"], entry["width"]) for entry in shown(run, records)] == [
        (0, 2, 3),
        (1, 2, 1),
    ]


def test_image_files_are_kept_as_they_are_and_equal_ones_once(
    run: km.Run, records: Records, tmp_path: Path
) -> None:
    PIL.Image.fromarray(RAMP).save(tmp_path / "x.jpg")
    for step in range(3):
        run.log({"file": km.Image(tmp_path / "x.jpg")}, step=step)
    run.log({"svg": km.Image(b"<svg xmlns='http://www.w3.org/2000/svg'/>")})
    *files, svg = shown(run, records)
    assert {entry["digest"] for entry in files} == {files[0]["digest"]}
    assert blob(files[0]["digest"]) == (tmp_path / "x.jpg").read_bytes()
    assert [entry["mime"] for entry in (files[0], svg)] == ["image/jpeg", "image/svg+xml"]
    assert len(list(paths.blobs_dir(paths.data_dir()).iterdir())) == 2


def test_a_table_keeps_numbers_as_numbers_and_shows_the_rest(run: km.Run, records: Records) -> None:
    rows = [[1, np.float32(0.5), "a\nb", None], [2, math.nan, Path("/x"), True]]
    run.log({"table": km.Table(["id", "p", "text", "z"], rows)})
    (entry,) = shown(run, records)
    assert (entry["rows"], entry["columns"], entry["type"]) == (2, 4, "table")
    assert entry["content"]["columns"] == ["id", "p", "text", "z"]
    assert repr(entry["content"]["data"]) == repr([[1, 0.5, "a\nb", None], [2, math.nan, "/x", True]])


def test_what_is_long_becomes_a_blob(run: km.Run, records: Records) -> None:
    rows = [[index, "x" * 50] for index in range(5000)]
    text = "<p>ü</p>" * gallery.INLINE
    run.log({"table": km.Table(["n", "x"], rows), "page": km.Html(text)})
    table, page = shown(run, records)
    assert json.loads(blob(table["digest"])) == {"columns": ["n", "x"], "data": rows}
    assert blob(page["digest"]).decode() == text
    assert "content" not in table
    assert records(run.id)[0].path.stat().st_size < gallery.INLINE


def test_secrets_are_masked_in_tables_and_html(
    run: km.Run, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "s3cret-s3cret")
    run.log({"t": km.Table(["x"], [["s3cret-s3cret"]]), "h": km.Html("see s3cret-s3cret")})
    assert b"s3cret" not in records(run.id)[0].path.read_bytes()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (km.Image(np.zeros((2, 2, 7))), r"an Image made of a ndarray of shape \(2, 2, 7\)"),
        (km.Image(np.zeros((0, 2))), "an Image made of"),
        (km.Image(np.array([["a"]])), "an Image made of an array of"),
        (km.Image("/no/such/file.png"), "cannot be kept .No such file"),
        (km.Image(b"%PDF"), "no PNG, JPEG"),
        (km.Image(3.0), "an Image made of a float"),
        (km.Table(["a", "b"], [[1, 2], [3]]), "row 1 has 1 cell, not 2"),
        (km.Table(["a"]), "without rows"),
        (km.Table(["a"], 3), "raises TypeError"),  # type: ignore[arg-type]
        (km.Html(3), "an Html made of a int"),  # type: ignore[arg-type]
        (km.Html("x" * (media.LIMIT + 1)), "16,777,217 bytes"),
        (km.Histogram(["a"]), "a Histogram of something that is no numbers"),
        (km.Histogram(), "without values"),
        (km.Histogram(edges=[0, 1], counts=[1, 2]), "2 edges and 2 counts"),
        (km.Histogram(edges=[0, 0], counts=[1]), "rising"),
        ([km.Image(RAMP), 3.0], "a list"),
        ([], "a list"),
    ],
    ids=str,
)
def test_what_cannot_be_kept_is_said_once_and_the_numbers_are_kept(
    run: km.Run, records: Records, value: Any, said: str
) -> None:
    with pytest.warns(TracksideWarning, match=rf"'x' is .*{said}") as heard:
        for _ in range(2):
            run.log({"loss": 1.0, "x": value})
    assert len(heard) == 1
    assert records(run.id)[0].points("loss") == [(0, 1.0), (1, 1.0)]
    assert shown(run, records) == []


def test_a_folder_that_cannot_be_written_is_said_once(run: km.Run, records: Records) -> None:
    paths.blobs_dir(paths.data_dir()).touch()
    with pytest.warns(TracksideWarning, match="'x' is an item that cannot be kept"):
        run.log({"x": km.Image(RAMP), "loss": 1.0})
    assert records(run.id)[0].points("loss") == [(0, 1.0)]
    assert [event["name"] for event in records(run.id)[0].all(Kind.EVENT)] == ["media-lost"]


finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(st.lists(st.floats(), max_size=60), st.integers(1, 70))
def test_a_histogram_counts_every_value_where_its_edges_say(values: list[float], bins: int) -> None:
    content = Histogram(values, bins=bins).encode().content
    assert Histogram(np.array(values), bins=bins).encode().content == content
    edges, counts = content["edges"], content["counts"]
    real = [value for value in values if math.isfinite(value)]
    assert sum(counts) == len(real)
    assert [content["nan"], content["posinf"], content["neginf"]] == [
        sum(map(math.isnan, values)),
        values.count(math.inf),
        values.count(-math.inf),
    ]
    if real:
        assert (edges[0], edges[-1]) == (min(real), max(real))
    for index, count in enumerate(counts):
        last = index == len(counts) - 1
        inside = [
            v for v in real if edges[index] <= v and (v < edges[index + 1] or (last and v <= edges[-1]))
        ]
        assert count == len(inside)


def test_a_histogram_of_given_edges_says_what_lies_outside(run: km.Run, records: Records) -> None:
    values = torch.tensor([[-1.0, 0.0, 0.5], [1.0, 2.0, math.nan]], dtype=torch.bfloat16)
    for given_values in (values, values.float().numpy(), values.tolist()):
        run.log({"grad": km.Histogram(given_values, edges=[0, 0.5, 1])})
    run.log({"np": km.Histogram(edges=np.array([0.0, 1.0]), counts=np.array([3]))})
    *three, known = [entry["content"] for entry in shown(run, records)]
    whole = {"edges": [0.0, 0.5, 1.0], "counts": [1, 2], "below": 1, "above": 1}
    assert three == [{**whole, "nan": 1, "posinf": 0, "neginf": 0}] * 3
    assert known == {"edges": [0.0, 1.0], "counts": [3]}


def test_a_histogram_agrees_with_numpy() -> None:
    values = np.random.default_rng(0).normal(size=100_000)
    content = Histogram(values, bins=50).encode().content
    assert content["counts"] == np.histogram(values, bins=content["edges"])[0].tolist()
    assert Counter(map(type, content["counts"])) == {int: 50}


def test_none_of_the_libraries_is_imported_for_it() -> None:
    code = (
        "import sys, kernel_magics as km\nwith km.init() as run:\n"
        "    run.log({'h': km.Histogram([1, 2]), 't': km.Table(['a'], [[1]]), 'p': km.Html('x'), 'x': 1})\n"
        "print(*{'numpy', 'PIL', 'matplotlib', 'torch', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("\n", "")
