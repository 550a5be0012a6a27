"""What must happen on a machine before Python is started there: modules, a conda environment, a container.

``conda run`` and the like swallow stdin; here the shell itself is prepared and then becomes Python, so that
standard input and output reach it untouched.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Sequence, Tuple

from gpu_provisioner.errors import BootstrapError

OPTIONS: Mapping[str, type] = {"prefix": list, "conda": str, "container": list}
"""Keys of a target: ``prefix``, lines for bash; ``conda``, name or path of an environment; ``container``, a
command that runs the command behind it (``["apptainer", "exec", "--nv", "torch.sif"]``)."""

_FAILED = 125
_MARK = "trackside: line"
_BASES = ("$HOME/miniforge3", "$HOME/mambaforge", "$HOME/miniconda3", "$HOME/anaconda3", "/opt/conda")
_CONDAS = ("$CONDA_EXE", "conda", "mamba", *(f"{base}/bin/conda" for base in _BASES))
_ACTIVATE = (
    'conda=$(for each in {candidates}; do command -v "$each" && break; done); '
    "[ -n \"$conda\" ] || {{ echo 'no conda is found' >&2; false; }} && "
    'activation=$("$conda" shell.posix activate {name}) && eval "$activation"'
)


@dataclass(frozen=True)
class FarCommand:
    """How a command is run over there.

    Attributes:
        lines: run one after the other in one login shell (bash) before the command; what they print goes to
            stderr, and they cannot read the command's input.
        container: words before the command.
    """

    lines: Tuple[str, ...] = ()
    container: Tuple[str, ...] = ()

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> FarCommand:
        lines = [str(line) for line in options.get("prefix") or ()]
        if options.get("conda"):
            candidates = " ".join(f'"{each}"' for each in _CONDAS)
            lines.append(_ACTIVATE.format(candidates=candidates, name=shlex.quote(str(options["conda"]))))
        return cls(tuple(lines), tuple(str(word) for word in options.get("container") or ()))

    def wrap(self, command: Sequence[str]) -> List[str]:
        """The command to run over there so that ``command`` runs as it should."""
        inner = [*self.container, *command]
        if not self.lines:
            return inner
        script = "; ".join(_guarded(number, line) for number, line in enumerate(self.lines))
        return ["bash", "-lc", f'{script}; exec "$@"', "bash", *inner]

    def explain(self, host: str, complaint: str, status: Optional[int]) -> Optional[BootstrapError]:
        """Which line failed, and what it said; ``None`` when none did."""
        found = re.search(rf"^{_MARK} (\d+) failed", complaint, re.MULTILINE)
        if status != _FAILED or not found:
            return None
        said = [line.strip() for line in complaint[: found.start()].splitlines() if line.strip()]
        line = self.lines[int(found.group(1))]
        what = "conda's environment could not be activated" if "shell.posix" in line else f"{line!r} failed"
        clearest = next((each for each in reversed(said) if "error" in each.lower()), (said or [""])[-1])
        told = f": {clearest.rstrip('.')[:300]}" if clearest else ""
        return BootstrapError(
            f"On {host} {what}{told}. No Python was started.",
            "correct prefix = […] or conda = … of that target in trackside.toml",
        )


def _guarded(number: int, line: str) -> str:
    """``eval``, so that a mistake in one line is that line's, and only its own."""
    failed = f"{{ echo '{_MARK} {number} failed' >&2; exit {_FAILED}; }}"
    return f"eval {shlex.quote(line)} </dev/null >&2 || {failed}"
