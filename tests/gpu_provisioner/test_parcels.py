"""A value that travels is the same value afterwards; what cannot travel says why; data runs no code."""

from __future__ import annotations

import importlib
import io
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gpu_provisioner.agent.parcel import CLOUDPICKLE, DATA, MODES, PICKLE, describe, pack, unpack
from gpu_provisioner.agent.parcel_data import CannotTravel


def there_and_back(value: Any, mode: str, folder: Path) -> tuple[str, Any]:
    path = folder / "parcel"
    with path.open("w+b") as file:
        facts = pack(value, file, mode)
    with path.open("rb") as file:
        return facts["kind"], unpack(file, mode)


BUILTINS: list[Any] = [
    None,
    True,
    0,
    -(2**200),
    0.1,
    -0.0,
    math.inf,
    1 + 2j,
    range(3, 2**70, 2),
    "Grüße \ud800 \0",
    b"\0\xff",
    bytearray(b"ab"),
    (),
    [1, (2.5, "x"), {}],
    {1, "a", (2, None)},
    frozenset({1.5}),
    {"a": 1, 2: [3], None: {"b": ()}, (1, 2): True},
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", BUILTINS, ids=lambda value: repr(value)[:30])
def test_builtins_go_as_data_in_every_mode(value: Any, mode: str, tmp_path: Path) -> None:
    kind, back = there_and_back(value, mode, tmp_path)
    assert (kind, type(back), back) == (DATA, type(value), value)
    assert repr(back) == repr(value)


ARRAYS = [
    np.arange(12.0).reshape(3, 4).T,
    np.zeros((0, 3), "i2"),
    np.array(5, ">u4"),
    np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
    np.array(["2026-01-01"], "M8[D]"),
    np.array([np.nan, -np.inf]),
    np.float32(1.5),
    np.datetime64("2026-01-01"),
]


@pytest.mark.parametrize("value", ARRAYS, ids=lambda value: str(value.dtype))
def test_numpy_goes_as_data(value: Any, tmp_path: Path) -> None:
    kind, back = there_and_back([value], DATA, tmp_path)
    assert kind == DATA and type(back[0]) is type(value)
    assert back[0].dtype == value.dtype and back[0].shape == value.shape
    np.testing.assert_array_equal(back[0], value)


TENSORS = [
    torch.arange(6, dtype=torch.bfloat16).reshape(2, 3).T,
    torch.tensor(3.5),
    torch.empty(0, 4),
    torch.tensor([1 + 2j]).conj(),
    torch.tensor([True, False]),
    torch.ones(2, requires_grad=True),
    torch.nn.Parameter(torch.ones(2), requires_grad=False),
]


@pytest.mark.parametrize("value", TENSORS, ids=lambda value: f"{value.dtype} {tuple(value.shape)}")
def test_torch_goes_as_data(value: Any, tmp_path: Path) -> None:
    kind, back = there_and_back({"t": value}, DATA, tmp_path)
    assert kind == DATA and type(back["t"]) is type(value)
    assert back["t"].dtype == value.dtype and back["t"].requires_grad == value.requires_grad
    assert torch.equal(back["t"].detach(), value.detach())


def test_what_is_met_twice_is_one_thing_afterwards_also_when_it_holds_itself(tmp_path: Path) -> None:
    array = np.arange(3)
    loop: list[Any] = [array, {"same": array}]
    loop.append(loop)
    _, back = there_and_back(loop, DATA, tmp_path)
    assert back[2] is back and back[1]["same"] is back[0]


def test_tuples_of_the_same_tuples_are_not_written_again_and_again(tmp_path: Path) -> None:
    pairs: Any = (1, frozenset({2}))
    for _ in range(60):  # written out, these are 2**60 numbers
        pairs = (pairs, pairs)
    kind, back = there_and_back([pairs, ["last"]], DATA, tmp_path)
    assert kind == DATA and back[0][0] is back[0][1] and back[1] == ["last"]
    assert (tmp_path / "parcel").stat().st_size < 10_000


def test_what_cannot_even_tell_its_shape_is_named_by_its_type() -> None:
    class Shy:
        @property
        def shape(self) -> None:
            raise RuntimeError("not built yet")

    assert describe(Shy()) == "Shy"


def test_a_model_and_its_optimizer_stay_together(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    model.tied = model.weight
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    kind, (same, its) = there_and_back((model, optimizer), CLOUDPICKLE, tmp_path)
    assert kind == CLOUDPICKLE and same.tied is same.weight
    assert its.param_groups[0]["params"][0] is same.weight
    assert torch.equal(same.weight, model.weight)


def test_tensors_that_share_memory_in_a_pickle_share_it_afterwards(tmp_path: Path) -> None:
    class Holder:
        pass

    holder = Holder()
    holder.all = torch.arange(10.0)  # type: ignore[attr-defined]
    holder.some = holder.all[2:4]  # type: ignore[attr-defined]
    _, back = there_and_back(holder, CLOUDPICKLE, tmp_path)
    back.all[2] = 99
    assert back.some.tolist() == [99, 3]


@pytest.mark.parametrize("mode", MODES)
def test_what_cannot_go_says_what_it_is(mode: str, tmp_path: Path) -> None:
    with pytest.raises(CannotTravel, match="lock"):
        there_and_back({"model": __import__("threading").Lock()}, mode, tmp_path)


def test_only_data_goes_where_only_data_may(tmp_path: Path) -> None:
    with pytest.raises(CannotTravel, match=r"torch\.nn\..*Linear is more than data"):
        there_and_back([torch.nn.Linear(1, 1)], DATA, tmp_path)
    with pytest.raises(CannotTravel, match="objects"):
        there_and_back(np.array([object()]), DATA, tmp_path)


class Trap:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (print, ("TRAP",))


def test_a_pickle_that_was_not_asked_for_is_not_loaded(tmp_path: Path, capsys: Any) -> None:
    with (tmp_path / "trap").open("w+b") as file:
        pack(Trap(), file, PICKLE)
    with (tmp_path / "trap").open("rb") as file, pytest.raises(CannotTravel, match="not asked for"):
        unpack(file, DATA)
    assert "TRAP" not in capsys.readouterr().out
    with (tmp_path / "trap").open("rb") as file:
        unpack(file, PICKLE)
    assert "TRAP" in capsys.readouterr().out


def test_an_array_of_pickles_inside_data_is_not_loaded_either(tmp_path: Path) -> None:
    npy = io.BytesIO()
    np.save(npy, np.array([Trap()], dtype=object), allow_pickle=True)
    head = b'{"kind":"data","tree":{"array":10},"moved":""}'
    (tmp_path / "p").write_bytes(b"TSPARCEL1\n" + npy.getvalue() + head + len(head).to_bytes(8, "big"))
    with (tmp_path / "p").open("rb") as file, pytest.raises(ValueError, match="Object arrays"):
        unpack(file, DATA)


def test_a_module_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "only_here_x.py").write_text("class Thing: pass\n")
    with monkeypatch.context() as here:
        here.syspath_prepend(str(tmp_path))
        thing = importlib.import_module("only_here_x").Thing()
        with (tmp_path / "p").open("w+b") as file:
            pack(thing, file, PICKLE)
    sys.modules.pop("only_here_x")
    with (tmp_path / "p").open("rb") as file, pytest.raises(CannotTravel, match="only_here_x"):
        unpack(file, PICKLE)


def test_a_data_parcel_of_this_python_is_read_by_3_9(tmp_path: Path) -> None:
    found = next((path for path in Path.home().glob(".pyenv/versions/3.9.*/bin/python")), None)
    if found is None:
        pytest.skip("NOT TESTED: there is no Python 3.9 on this machine (pyenv install 3.9)")
    value = {"a": [1, 2.5, 2**90], "b": (b"x", {3}), "c": {None: range(2)}}
    with (tmp_path / "p").open("w+b") as file:
        pack(value, file, DATA)
    root = Path(__file__).resolve().parents[2]
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "from gpu_provisioner.agent.parcel import unpack\n"
        f"print(repr(unpack(open({str(tmp_path / 'p')!r}, 'rb'), 'data')))"
    )
    done = subprocess.run([str(found), "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert eval(done.stdout) == value
