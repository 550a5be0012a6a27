"""A broken trackside.toml is a sentence with file, line and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpu_provisioner.config import LOCAL, load_configuration, load_targets
from gpu_provisioner.errors import ConfigurationError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "trackside.toml"


def test_without_a_file_there_is_this_machine(file: Path) -> None:
    assert load_targets(file) == [LOCAL]


def test_the_users_own_file_is_found_by_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('[targets.here]\nprovider = "local"\npython = "/usr/bin/python3"\n')
    monkeypatch.setenv("TRACKSIDE_CONFIG", str(file))
    assert [target.name for target in load_targets()] == ["local", "here"]


def test_targets_and_limits_are_read(file: Path) -> None:
    file.write_text(
        '[targets.local]\nprovider = "local"\nusd_per_gpu_hour = 2\n'
        "[limits]\nmax_usd_per_hour = 10\n[capture]\ndiff = false\n"
    )
    read = load_configuration(file)
    assert [(target.name, dict(target.options)) for target in read.targets] == [
        ("local", {"usd_per_gpu_hour": 2})
    ]
    assert read.limits == {"max_usd_per_hour": 10}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[targets.x\nprovider = 'local'", 1, "not valid TOML"),
        ('[targets.x]\nprovider = "local"\npython = ', 3, "not valid TOML"),
        ("\n[target.x]\nprovider = 'local'", 2, "unknown key 'target' in the file; did you mean 'targets'?"),
        ("[targets.x]\nprovider = 'local'\npyton = 'p'", 3, "did you mean 'python'?"),
        ("[targets.x]\nprovider = 'local'\nnonsense = 1", 3, "Expected: provider, python, env"),
        ("[targets.x]\npython = 'p'", 1, 'needs provider = one of "local"'),
        ("[targets.x]\nprovider = 'locl'", 2, "no provider 'locl' is installed; did you mean 'local'?"),
        ("[targets.x]\nprovider = 'local'\npython = 3", 3, "python must be text in quotes, not 3"),
        ("[targets.x]\nprovider = 'local'\nusd_per_gpu_hour = 'two'", 3, "must be a number, not 'two'"),
        ("[targets.x]\nprovider = 'local'\nenv = {A = 1}", 3, "env must be a table of texts"),
        ("[targets]\nx = 'local'", 2, "a target is a table"),
        ("targets = 3", 1, "targets must be a table"),
        ("[targets.'a b']\nprovider = 'local'", 1, "may have letters, digits"),
        ("[limits]\nmax_usd_per_hour = true", 2, "must be a number, not True"),
        ("[limits]\nidle_s = -1", 2, "must not be negative"),
        ("[limits]\nmax_usd = 1", 2, "did you mean 'max_usd_per_"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(file: Path, text: str, line: int, said: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError) as wrong:
        load_configuration(file)
    assert f"{file}, line {line}:" in wrong.value.message
    assert said in wrong.value.message


def test_a_file_that_cannot_be_read_is_named(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_configuration(file)
