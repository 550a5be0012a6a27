"""``run.config`` and ``run.summary``: mappings that write down what changes."""

from __future__ import annotations

from typing import Any, Callable, Dict, FrozenSet, Iterator, List, MutableMapping, Tuple

from kernel_magics.tracking.jsonable import as_mapping, key_text

Write = Callable[[Dict[str, Any], List[str]], None]


class RecordedMapping(MutableMapping[str, Any]):
    """A dict whose every change is recorded, at any depth. Also read and written by attribute.

    Holds the very values it was given; the record holds their JSON forms. A nested dict comes back as a
    mapping of the same kind, so ``run.config["optimizer"]["lr"] = 0.1`` is recorded as well.

    Args:
        write: called with the top-level keys that changed and their values, and with the keys removed.
    """

    __slots__ = ("_path", "_root", "_write")

    def __init__(self, write: Write, _root: Any = None, _path: Tuple[str, ...] = ()) -> None:
        object.__setattr__(self, "_write", write)
        object.__setattr__(self, "_root", {} if _root is None else _root)
        object.__setattr__(self, "_path", _path)

    def _here(self) -> Dict[str, Any]:
        here = self._root
        for key in self._path:
            here = here[key]
        return here

    def __getitem__(self, key: str) -> Any:
        value = self._here()[key]
        return RecordedMapping(self._write, self._root, (*self._path, key)) if type(value) is dict else value

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        del self._here()[key]
        if self._path:
            self._write({self._path[0]: self._root[self._path[0]]}, [])
        else:
            self._write({}, [key])

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._here()))

    def __len__(self) -> int:
        return len(self._here())

    def update(self, *given: Any, **named: Any) -> None:
        """As ``dict.update``; also takes an ``argparse.Namespace`` or a dataclass. Recorded as one change."""
        changed: Dict[str, Any] = {}
        for part in (*given, named):
            pairs = part if isinstance(part, (list, tuple)) else as_mapping(part).items()
            changed.update((key_text(key), _own(value)) for key, value in pairs)
        if not changed:
            return
        self._here().update(changed)
        self._write({self._path[0]: self._root[self._path[0]]} if self._path else changed, [])

    def as_dict(self) -> Dict[str, Any]:
        """A plain copy, one level deep as ``dict(…)`` makes it, nested dicts plain as well."""
        return dict(self._here())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(
                f"there is no {name!r} here; there are: {', '.join(self) or 'no keys'}"
            ) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __repr__(self) -> str:
        return repr(self._here())


def _own(value: Any, above: FrozenSet[int] = frozenset()) -> Any:
    """``value`` with dicts of its own, so that a change here does not reach into the caller's dict."""
    if isinstance(value, RecordedMapping):
        value = value._here()
    if type(value) is not dict or id(value) in above:
        return value
    return {key: _own(inner, above | {id(value)}) for key, inner in value.items()}
