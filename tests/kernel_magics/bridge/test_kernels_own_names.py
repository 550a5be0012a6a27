"""What belongs to a kernel itself goes over to no other."""

from __future__ import annotations

import pytest

from tests.kernel_magics.bridge.notebook_driver import Notebook

INTERNAL = (
    "__name__",
    "__builtins__",
    "In",
    "Out",
    "get_ipython",
    "exit",
    "_",
    "__",
    "_i",
    "_ih",
    "_oh",
    "_7",
    "_i12",
)


@pytest.mark.parametrize("magic", ["%gpu_push", "%gpu_pull"])
def test_names_of_the_kernel_itself_are_refused_with_a_reason(bridged: Notebook, magic: str) -> None:
    for name in INTERNAL:
        cell = bridged.run(f"{magic} {name}")
        assert cell.reply["content"]["ename"] == "UsageMistake", cell.all_text
        assert f"{name!r} belongs to the kernel itself" in cell.error and "Nothing was done" in cell.error
    assert bridged.value("__name__") == "__main__"


def test_names_that_only_look_like_them_go_over(bridged: Notebook) -> None:
    bridged.must("%%local\n_private, Inner, __dunder, i7 = 1, 2, 3, 4")
    bridged.must("%gpu_push _private Inner __dunder i7")
    assert bridged.value("(_private, Inner, __dunder, i7)") == (1, 2, 3, 4)
