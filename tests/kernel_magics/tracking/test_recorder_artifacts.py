"""Files are kept with a run: each content once, and nothing that could keep a training waiting."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kernel_magics as km
from kernel_magics import paths
from kernel_magics.journal.format import Kind
from kernel_magics.tracking.notices import TracksideWarning

Records = Callable[[str], list[Any]]


def test_an_artifact_is_kept_once_under_its_digest(records: Records, tmp_path: Path) -> None:
    model = tmp_path / "model.pt"
    model.write_bytes(b"weights" * 1000)
    with km.init() as run:
        run.log_artifact(model, type="model")
        run.log_artifact(str(model), name="again")
        artifacts = records(run.id)[0].all(Kind.ARTIFACT)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert [(entry["name"], entry["type"], entry["digest"], entry["size"]) for entry in artifacts] == [
        ("model.pt", "model", digest, 7000),
        ("again", "file", digest, 7000),
    ]
    blobs = list(paths.blobs_dir(paths.data_dir()).iterdir())
    assert [blob.name for blob in blobs] == [digest]
    assert blobs[0].read_bytes() == model.read_bytes()
    assert stat.S_IMODE(blobs[0].stat().st_mode) == 0o600


def test_a_folder_is_kept_file_by_file_and_links_out_of_it_are_not(records: Records, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"a")
    (folder / "sub" / "b.bin").write_bytes(b"b")
    secret = tmp_path / "secret"
    secret.write_text("no")
    (folder / "link").symlink_to(secret)
    with km.init() as run:
        run.log_artifact(folder)
        names = [entry["name"] for entry in records(run.id)[0].all(Kind.ARTIFACT)]
    assert names == ["checkpoint/a.bin", "checkpoint/sub/b.bin"]


def test_an_artifact_that_is_missing_is_a_warning(records: Records, tmp_path: Path) -> None:
    with km.init() as run:
        with pytest.warns(TracksideWarning, match="No such file"):
            run.log_artifact(tmp_path / "none.pt")
        assert records(run.id)[0].all(Kind.ARTIFACT) == []


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_an_artifact_that_may_never_end_is_a_warning(kind: str, records: Records, tmp_path: Path) -> None:
    path = Path("/dev/zero")
    if kind == "pipe":
        path = tmp_path / "pipe"
        os.mkfifo(path)
    with km.init() as run:
        with pytest.warns(TracksideWarning, match="device or a pipe"):
            run.log_artifact(path)
        assert records(run.id)[0].all(Kind.ARTIFACT) == []
