"""What a message says to type, typed back into IPython, is understood as it was meant, whatever names are."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from gpu_provisioner import typed
from gpu_provisioner.catalog import Catalog
from gpu_provisioner.environment import Environment
from gpu_provisioner.errors import BadRequest, LoginNeeded, ProvisionError
from gpu_provisioner.gpus import parse
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState, Offer
from gpu_provisioner.obituary import LEFT
from gpu_provisioner.providers.base import Target
from gpu_provisioner.providers.ssh import SshProvider
from gpu_provisioner.terms import Terms
from gpu_provisioner.typed import Typed
from kernel_magics.errors import TracksideError, UsageMistake
from kernel_magics.magics.provision import GpuMagics
from kernel_magics.magics.provision_endings import ending, is_over, rest_sentence
from kernel_magics.magics.provision_environment import environment_of, must_have, with_python
from kernel_magics.magics.provision_leases import named_lease
from kernel_magics.magics.provision_terms import must_have_terms, terms_of
from kernel_magics.magics.provision_wanted import Wanted
from tests.kernel_magics.bridge.notebook_driver import Notebook

COMMAND = re.compile(r"""%gpu_\w+(?: (?:'[^'\n]*'|"[^"\n]*"|[^\s;,'"]+))*""")
"""A command in a message: words and quoted words, up to what cannot belong to it."""

NAMES = (
    "plain",
    "two words",
    "it's",
    'say "hi"',
    "-rf",
    "--new",
    "a;b, or %gpu_release c",
    "`id` && $(id)",
    "{name} $name",
    "why?",
    "back\\",
    "a#b",
    "'quoted'",
    "both ' and \"",
    "two\nlines",
    "grün\u00a0ä",
    "100%",
    "a=b",
)


class Heard:
    """Stands where the session is, and puts down what the magics understood."""

    environment = staticmethod(environment_of)
    terms = staticmethod(terms_of)

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def provision(self, wanted: Wanted) -> None:
        self.calls.append(("provision", wanted))

    def release(self, name: str | None) -> None:
        self.calls.append(("release", name))

    def attach(self, name: str | None, *, take: bool) -> None:
        self.calls.append(("attach --take" if take else "attach", name))

    def show_offers(self, spec: str | None, *, target: str | None) -> None:
        self.calls.append(("offers", (spec, target)))


Type = Callable[[object], list[tuple[str, Any]]]


@pytest.fixture
def type_back(monkeypatch: pytest.MonkeyPatch) -> Type:
    """Types every command of a message into IPython; what its magics understood."""
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    magics, heard = GpuMagics(shell), Heard()
    monkeypatch.setattr(magics, "_session", heard)
    shell.register_magics(magics)
    shell.user_ns["name"] = "expanded"

    def type_all(said: object) -> list[tuple[str, Any]]:
        heard.calls.clear()
        commands = COMMAND.findall(str(said))
        assert commands, said
        for command in commands:
            result = shell.run_cell(command)
            assert result.success, f"{command!r}: {result.error_in_exec or result.error_before_exec}"
        return list(heard.calls)

    return type_all


def lease_called(name: str, **more: Any) -> Lease:
    facts = {"provider": "ssh", "target": "gpu 1", "spec": "a100", "created": time.time()}
    return Lease(
        **{"id": "a100-20261123-000000-abcd", "name": name, "state": LeaseState.READY, **facts, **more}
    )


def means(lease: Lease, name: str) -> bool:
    return named_lease(name, [], [lease], "%gpu_attach") is lease


def same(one: Typed, other: Typed) -> bool:
    """Options may come in any order."""
    return one.specs == other.specs and set(one.options) == set(other.options)


def refused(act: Callable[[], Any]) -> ProvisionError | TracksideError:
    with pytest.raises((ProvisionError, TracksideError)) as caught:
        act()
    assert isinstance(caught.value, (ProvisionError, TracksideError))
    return caught.value


@pytest.mark.parametrize("name", NAMES)
def test_a_machine_of_any_name_is_meant_by_what_is_to_be_typed(type_back: Type, name: str) -> None:
    lease = lease_called(name)
    other = lease_called("zz")
    no_such = refused(lambda: named_lease("?", [], [lease, other], "%gpu_release"))
    no_telling = refused(lambda: named_lease(None, [], [lease, other], "%gpu_release"))
    wanted = Wanted(Typed(("a100",)), environment=Environment("py"), terms=Terms(asked_idle_s=5.0))
    other_python = refused(lambda: must_have(lease, wanted.environment))
    other_terms = refused(lambda: must_have_terms(lease, wanted.terms))
    left = rest_sentence(lease_called(name, detail=f"released by the user; {LEFT}, for the disk is full"))
    for said in (typed.release(lease), no_such.remedy, no_telling.remedy, other_python.remedy):
        [(verb, meant)] = type_back(said)
        assert verb == "release" and means(lease, meant)
    [(verb, meant)] = type_back(other_terms.remedy)
    assert verb == "release" and means(lease, meant)
    for said in (typed.attach(lease), left):
        [(verb, meant)] = type_back(said)
        assert verb == "attach" and means(lease, meant)
    paid = lease_called(name, usd_per_hour=2.0)
    offer = Offer("ssh", "gpu1", "h100", usd_per_hour=3.0)
    over = refused(lambda: Terms(max_usd_per_hour=4).check(offer, [paid], time.time(), Typed(("h100",))))
    (verb, meant), (second, instead) = type_back(over.remedy)
    assert (verb, second) == ("release", "provision") and means(paid, meant)
    assert instead.terms.max_usd_per_hour == 5.0


@pytest.mark.parametrize("word", [name for name in NAMES if typed.can_be_typed(name)])
def test_what_was_typed_is_said_again_with_all_of_its_options(
    type_back: Type, tmp_path: Path, word: str
) -> None:
    file = tmp_path / "my requirements.txt"
    file.write_text("einops\n")
    options = (
        ("--on", word),
        ("--name", word),
        ("--python", word),
        ("--requirements", str(file)),
        ("--idle", "30m"),
        ("--max-usd-per-hour", "2.5"),
        ("--install",),
        ("--new",),
        ("--bg",),
    )
    said = Typed(("rtx 4090", "any>=24gb", "a100:2"), options)
    [(verb, wanted)] = type_back(said)
    assert verb == "provision" and same(wanted.typed, said)
    assert wanted.specs == said.specs and wanted.target == wanted.name == word
    assert wanted.environment == Environment(word, True, "einops\n")
    assert wanted.terms.asked_idle_s == 1800 and wanted.terms.max_usd_per_hour == 2.5
    assert wanted.new and wanted.background
    assert typed.again(lease_called("x", handle={"typed": said.to_json()})) == said
    over = lease_called("my gpu", state=LeaseState.LOST, released=1.0, handle={"typed": said.to_json()})
    [(_, another)] = type_back(ending(over, tmp_path))
    assert same(another.typed, said.given("--name", "my gpu"))
    [(_, another)] = type_back(is_over(over, tmp_path).remedy)
    assert same(another.typed, said)


def test_a_mistaken_gpu_is_said_again_with_the_target_that_was_named(type_back: Type) -> None:
    said = Typed(("a1000", "v100"), (("--on", "my host"), ("--idle", "1h")))
    mistake = refused(Wanted(said).requests)
    assert isinstance(mistake, BadRequest)
    [(_, wanted)] = type_back(mistake.remedy)
    assert same(wanted.typed, said.instead("a1000", "a100"))
    known = Wanted(Typed(("nonsense",), said.options))
    assert refused(known.requests).remedy is None


def test_where_there_is_none_the_target_that_was_named_is_asked_for_something_else(type_back: Type) -> None:
    said = Typed(("rtx 4090",), (("--on", "my host"),))
    none = refused(lambda: Catalog([], list).choose([parse("rtx 4090")], asked_for=said))
    [(_, wanted)] = type_back(none.remedy)
    assert same(wanted.typed, said.or_else("cpu"))


def test_a_python_without_its_machine_is_said_again_with_one(type_back: Type) -> None:
    said = Typed(("cpu",), (("--python", "/opt/my python/bin/python"), ("--install",)))
    targets = [Target("local", "local"), Target("my host", "ssh")]
    wanted = Wanted(said, environment=Environment("/opt/my python/bin/python", True))
    [(_, meant)] = type_back(refused(lambda: with_python(targets, wanted)).remedy)
    assert same(meant.typed, said.given("--on", "my host"))


@pytest.mark.parametrize("name", NAMES)
def test_a_login_that_asks_names_machine_and_lease(
    type_back: Type, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def asks(*_: object) -> None:
        raise LoginNeeded("It asks for a password.")

    provider = SshProvider(Target("far", "ssh"), lambda: ())
    monkeypatch.setattr(provider, "_ssh", SimpleNamespace(argv=asks, host="far"))
    lease = lease_called(name)
    remedy = refused(lambda: provider.carrier_argv(lease, ["true"])).remedy
    [(verb, meant)] = type_back(str(remedy).partition("; or, while a cell waits, in a terminal: ")[0])
    assert verb == "attach" and means(lease, meant)


def test_a_mistaken_gpu_is_looked_for_again_where_it_was(notebook: Notebook, type_back: Type) -> None:
    cell = notebook.run("%gpu_offers a1000 --on local")
    assert type_back(cell.error) == [("offers", ("a100", "local"))]


def test_only_who_asks_for_a_machine_is_told_how_to_get_another(bridged: Notebook, type_back: Type) -> None:
    again = bridged.must("%gpu_provision cpu --on local")
    [(_, wanted)] = type_back(again.all_text.partition("Another one: ")[2].partition(" Ready")[0])
    assert wanted.typed == Typed(("cpu",), (("--on", "local"), ("--new",)))
    attached = bridged.must("%gpu_attach").all_text
    assert "already." in attached and "--new" not in attached


def test_a_machine_with_a_name_of_two_words_is_held_released_and_said_so(
    notebook: Notebook, type_back: Type, home: dict[str, str]
) -> None:
    notebook.must("%gpu_provision cpu --on local --name 'my gpu'", timeout=120)
    [lease] = LeaseBook(Path(home["TRACKSIDE_DIR"])).live()
    assert typed.again(lease) == Typed(("cpu",), (("--on", "local"), ("--name", "my gpu")))
    notebook.must("%gpu_provision cpu --on local --name 'my gpu' --new", timeout=120)
    said = notebook.must("1").all_text + notebook.run("%gpu_release nobody").error
    assert ("release", "my gpu-2") in type_back(said) or ("release", "my gpu") in type_back(said)
    assert "Released 'my gpu-2'" in notebook.must("%gpu_release 'my gpu-2'").all_text
    assert "Released 'my gpu'" in notebook.must(typed.release(lease)).all_text


def test_a_usage_mistake_shows_the_line_that_would_have_done(type_back: Type) -> None:
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    magics = GpuMagics(shell)
    for line in ("--on 'my host'", "--idle 1h"):
        mistake = refused(lambda: magics.gpu_provision(line))  # noqa: B023 - called at once
        assert isinstance(mistake, UsageMistake)
        [(verb, _)] = type_back(mistake.remedy)
        assert verb == "provision"
