"""Whatever a training gives us: it goes on, one warning says what was wrong, and what was right is kept."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import kernel_magics as km
from kernel_magics import paths
from kernel_magics.errors import UsageMistake
from kernel_magics.journal import format as fmt
from kernel_magics.journal.format import Kind
from kernel_magics.tracking.notices import TracksideWarning

Records = Callable[[str], list[Any]]
ROOT = Path(km.__file__).parent.parent
HUGE = 1_100_000
"""More than the 1 MiB that a frame holds in these tests; the format's 64 MiB would keep the disk busy."""


def cyclic() -> dict[str, Any]:
    loop: dict[str, Any] = {"inner": {}}
    loop["inner"]["again"] = loop
    loop["list"] = [loop]
    return loop


class Exploding(Mapping[str, Any]):
    """A mapping that cannot be read."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("no")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no")

    def __len__(self) -> int:
        return 1


class Flags(int):
    """A whole number of somebody's own type."""


@dataclasses.dataclass
class Case:
    """What a training does twice, the one warning it hears (none: ``""``), and what is then on the record."""

    name: str
    act: Callable[[km.Run], Any]
    said: str
    kept: Callable[[Any], Any] = lambda record: None
    expected: Any = None

    def __str__(self) -> str:
        return self.name


def points_of(*names: str) -> Callable[[Any], Any]:
    return lambda record: [[value for _, value in record.points(name)] for name in names]


def config_of(record: Any) -> Any:
    return record.merged(Kind.CONFIG)


NASTY = [
    "a/b",
    "../../etc/passwd",
    "..",
    "/",
    "größe ∞ 😀",
    "line\nbreak",
    "tab\tnul\0",
    "",
    " ",
    "$deleted",
    "\u202e",
]
CASES = [
    Case(
        "names of any characters",
        lambda run: run.log(dict.fromkeys(NASTY, 1.0)),
        "",
        lambda record: [[value for _, value in record.points(name)] for name in NASTY],
        [[1.0, 1.0]] * len(NASTY),
    ),
    Case(
        "half a surrogate pair in a name",
        lambda run: run.log({"x\ud800": 1.0, "y": 2.0}),
        "",
        points_of("x?", "y"),
        [[1.0, 1.0], [2.0, 2.0]],
    ),
    Case(
        "a gigantic name",
        lambda run: run.log({"n" * HUGE: 1.0, "y": 2.0}),
        r"'n{40}…' is a name of 1,100,000 characters",
        points_of("y"),
        [[2.0, 2.0]],
    ),
    Case(
        "a gigantic value",
        lambda run: run.log({"x": "v" * HUGE, "y": 2.0}),
        r"'x' is a str \('v+\.\.\.\)",
        points_of("x", "y"),
        [[], [2.0, 2.0]],
    ),
    Case(
        "an object",
        lambda run: run.log({"x": object(), "y": 2.0}),
        r"'x' is an object \(<object object",
        points_of("x", "y"),
        [[], [2.0, 2.0]],
    ),
    Case(
        "a gigantic text in the config",
        lambda run: run.config.update({"text": "t" * HUGE, "lr": 0.1}),
        r"config record \('text'\) is longer than the 1 MiB .* long texts in it are cut",
        lambda record: {key: len(str(value)) for key, value in config_of(record).items()},
        {"text": 65_536 + len("… (1,100,000 characters)"), "lr": 3},
    ),
    Case(
        "a gigantic list in the summary",
        lambda run: run.summary.update({"list": [0.123456789] * (HUGE // 8), "best": 1.0}),
        r"summary record \('list'\) is longer than .* it is not recorded",
        lambda record: record.merged(Kind.SUMMARY),
        {"best": 1.0},
    ),
    Case(
        "a gigantic key in the config",
        lambda run: run.config.update({"k" * HUGE: 1, "lr": 0.1}),
        r"config record \('k{40}'\)",
        lambda record: sorted(map(len, config_of(record))),
        [2, 1000 + len("… (1,100,000 characters)")],
    ),
    Case(
        "a cycle in the config",
        lambda run: run.config.update({**cyclic(), "lr": 0.1}),
        "",
        lambda record: ("<cycle>" in repr(config_of(record)), config_of(record)["lr"]),
        (True, 0.1),
    ),
    Case(
        "a config that cannot be read",
        lambda run: run.config.update(model=Exploding(), lr=0.1),
        "",
        config_of,
        {"model": "<unprintable Exploding>", "lr": 0.1},
    ),
    Case(
        "an int of 5,001 digits in the config",
        lambda run: run.config.update(n=10**5000, deep=[{"n": -(10**5000)}], lr=0.1),
        r"A whole number is too long .*: 0x[0-9a-f]+… \(an int of about 5,001 digits\)",
        lambda record: (len(config_of(record)["n"]), config_of(record)["deep"], config_of(record)["lr"]),
        (72, [{"n": f"{hex(-(10**5000))[:40]}… (an int of about 5,001 digits)"}], 0.1),
    ),
    Case(
        "an int of 5,001 digits as a key, in an array and of a type of its own",
        lambda run: run.summary.update({10**5000: {10**5000: 1}, "flags": Flags(1 << 20_000), "best": 1.0}),
        "A whole number is too long",
        lambda record: sorted(len(key) for key in record.merged(Kind.SUMMARY)),
        [4, 5, 72],
    ),
    Case(
        "the longest int that every Python reads",
        lambda run: run.config.update(n=2**2126 - 1),
        "",
        config_of,
        {"n": 2**2126 - 1},
    ),
    Case(
        "an int of 5,001 digits in a table and in a fact",
        lambda run: (run.log({"t": km.Table(["n"], [[10**5000]])}), run.record_facts({"n": 10**5000})),
        "A whole number is too long",
        lambda record: [len(media["content"]["data"][0][0]) for media in record.all(Kind.MEDIA)],
        [72, 72],
    ),
    Case(
        "a name by two keys",
        lambda run: run.log({"a/b": 1.0, "a": {"b": 2.0}, "y": 3.0}),
        "'a/b' was given twice in one call, by two keys that come to the same name; the last value is",
        points_of("a/b", "y"),
        [[2.0, 2.0], [3.0, 3.0]],
    ),
    Case(
        "a number and a text as keys",
        lambda run: run.log({5: 1.0, "5": 2.0}),
        "'5' was given twice in one call",
        points_of("5"),
        [[2.0, 2.0]],
    ),
    Case(
        "a name by two keys, of which one has something to look at and the other a number",
        lambda run: run.log({"a/b": km.Html("<p>"), "a": {"b": 2.0}}),
        "",
        lambda record: (len(record.all(Kind.MEDIA)), points_of("a/b")(record)),
        (2, [[2.0, 2.0]]),
    ),
    Case(
        "two things to look at under one name",
        lambda run: run.log({"a/b": km.Html("<p>"), "a": {"b": km.Html("<b>")}}),
        "'a/b' was given twice in one call",
        lambda record: [media["content"] for media in record.all(Kind.MEDIA)],
        ["<b>", "<b>"],
    ),
    Case(
        "a call that cannot be read",
        lambda run: run.log(Exploding()),
        "could not record a call: RuntimeError",
    ),
    Case(
        "an artifact that is no path",
        lambda run: run.log_artifact("a\0b"),
        r"log_artifact\('a\\x00b'\): .*null",
        lambda record: record.all(Kind.ARTIFACT),
        [],
    ),
    Case("an artifact that is nothing", lambda run: run.log_artifact(None), r"log_artifact\('None'\)"),  # type: ignore[arg-type]
    Case(
        "an artifact whose name leads elsewhere",
        lambda run: run.log_artifact(__file__, name="/../../etc//./passwd"),
        "",
        lambda record: [entry["name"] for entry in record.all(Kind.ARTIFACT)],
        ["etc/passwd"] * 2,
    ),
    Case(
        "a change to a gigantic name",
        lambda run: run.change(name="n" * 2000),
        "A name of 2,000 characters is cut",
        lambda record: {len(change["name"]) for change in record.all(Kind.CHANGE)},
        {1000},
    ),
    Case(
        "a change to one tag",
        lambda run: run.change(tags="baseline"),
        "",
        lambda record: record.all(Kind.CHANGE)[0]["tags"],
        ["baseline"],
    ),
    Case(
        "a change to tags that are none",
        lambda run: run.change(name="other", tags=3),
        "a list of words was expected, not int. That is left out",
        lambda record: [change.keys() - {"time"} for change in record.all(Kind.CHANGE)],
        [{"name"}] * 2,
    ),
    Case(
        "a change of what cannot be changed",
        lambda run: run.change(nmae="other"),
        r"change\(nmae=…\): what can be changed is name, project, group, notes, tags",
        lambda record: record.all(Kind.CHANGE),
        [],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_goes_on_says_it_once_and_keeps_the_rest(
    case: Case, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fmt, "MAX_PAYLOAD", 1 << 20)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with km.init(capture={"packages": False}, facts={"git": {}}) as run:
            for _ in range(2):
                case.act(run)
            run.log({"afterwards": 1.0})
    said = [str(warning.message) for warning in heard if warning.category is TracksideWarning]
    assert len(said) == (1 if case.said else 0), said
    for sentence in said:
        assert len(sentence) < 1000
    if case.said:
        with pytest.warns(TracksideWarning, match=case.said):
            warnings.warn(said.pop(), TracksideWarning, stacklevel=1)
    (record,) = records(run.id)
    assert (record.skipped, record.tail) == ([], 0)
    assert len(record.points("afterwards")) == 1
    assert case.kept(record) == case.expected


def test_after_the_largest_step_there_is_points_without_a_step_are_kept_there(records: Records) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with km.init() as run:
            run.log({"x": 0.0}, step=2**63 - 1)
            for value in (1.0, 2.0):
                run.log({"x": value})
                run.log({"page": km.Html("<p>"), "beside": value})
            run.log({"x": 3.0}, step=7)
    said = [str(warning.message) for warning in heard if warning.category is TracksideWarning]
    assert len(said) == 1, said
    assert "the largest step there is, 9,223,372,036,854,775,807, has been logged" in said[0]
    (record,) = records(run.id)
    last = 2**63 - 1
    assert record.points("x") == [(last, 0.0), (last, 1.0), (last, 2.0), (7, 3.0)]
    assert record.points("beside") == [(last, 1.0), (last, 2.0)]
    assert [media["step"] for media in record.all(Kind.MEDIA)] == [last, last]


def test_a_run_with_gigantic_names_begins_and_says_that_they_are_cut(records: Records) -> None:
    with pytest.warns(TracksideWarning) as heard:
        run = km.init(name="n" * HUGE, project="p/../\n", tags=["t" * 1001, "ok"], group="g")
    run.finish()
    assert [str(warning.message).split(" is")[0] for warning in heard] == [
        "A tag of 1,001 characters",
        "A name of 1,100,000 characters",
    ]
    head = records(run.id)[0].head
    assert (len(head["name"]), head["project"], len(head["tags"][0]), head["tags"][1]) == (
        1000,
        "p/../\n",
        1000,
        "ok",
    )


def test_tags_that_are_no_list_are_a_mistake_before_anything_is_recorded() -> None:
    with pytest.raises(UsageMistake, match=r"init\(tags=…\)"):
        km.init(tags=3)  # type: ignore[arg-type]
    assert not paths.runs_dir(paths.data_dir()).exists()
