"""Trap 11: which cells stay here, found by parsing IPython's syntax and not by the first letters."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from kernel_magics.bridge.cells import Place, place

HERE, THERE, MIXED = Place.HERE, Place.THERE, Place.MIXED


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("", THERE),
        ("pass", THERE),
        ("1 +", THERE),
        ("%gpu_status", HERE),
        ("%gpu_provision a100 --or cpu", HERE),
        ("  %gpu_status", HERE),
        ("# get a machine\n\n%gpu_provision cpu  # and quickly", HERE),
        ("\n\n%gpu_release\n", HERE),
        ("%gpu_status\n%gpu_offers", HERE),
        ("%runs", HERE),
        ("%compare a b", HERE),
        ("shown = %runs", HERE),
        ("%gpu_status?", HERE),
        ("?%gpu_status", HERE),
        ("%%local?", HERE),
        ("%load_ext kernel_magics", HERE),
        ("%load_ext kernel_magics\n%gpu_provision cpu", HERE),
        ("%load_ext autoreload", THERE),
        ("%load_ext kernel_magics\nimport os", THERE),
        ("%%local\nx = 1", HERE),
        ("\n%%local\nx = 1", HERE),
        ("# only here\n%%local\nx = 1", HERE),
        ("%%time\n%%local\nx = 1", HERE),
        ("%%track lr\n%%local\nx = 1", HERE),
        ("%%track lr\nx = 1", THERE),
        ("%%time\n%gpu_status", HERE),
        ("%%time\nx = 1", THERE),
        ("%%bash\necho %gpu_status", THERE),
        ("%%local_thing\nx = 1", THERE),
        ("x = '''\n%gpu_status\n'''", THERE),
        ("# %gpu_status", THERE),
        ("gpu_count = 1", THERE),
        ("print('%%local')", THERE),
        ("await step()\nruns = 3", THERE),
        ("acc = 1\n%gpu_pull acc", MIXED),
        ("%gpu_provision cpu\nimport torch", MIXED),
        ("import torch\n%gpu_provision cpu", MIXED),
        ("if True:\n    %gpu_release", MIXED),
        ("%gpu_status; x = 1", HERE),  # IPython gives the whole line to the magic
        ("# runs\0", THERE),
        ("runs = " + "(" * 5000, THERE),
        ("runs = " + "-" * 100_000 + "1", THERE),
        ("async def f():\n    await g()\n%runs", MIXED),
    ],
)
def test_a_cell_goes_where_its_lines_belong(code: str, expected: Place) -> None:
    """Trap 11."""
    assert place(code) is expected


def test_a_magic_typed_without_its_percent_sign_stays_here(tmp_path, monkeypatch) -> None:
    """Trap 11: automagic; a variable of that name is no magic."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell()
    shell.register_magic_function(lambda line: None, magic_name="gpu_status")
    try:
        assert place("gpu_status", shell) is HERE
        assert place("gpu_status = 1", shell) is THERE
        shell.user_ns["gpu_status"] = 3
        assert place("gpu_status", shell) is THERE
    finally:
        shell.history_manager.end_session()
        shell.history_manager.save_thread.stop() if shell.history_manager.save_thread else None
