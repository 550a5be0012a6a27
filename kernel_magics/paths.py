"""Where things lie on disk. Nothing is read at import; every path is computed when it is asked for.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Dict, Mapping, Optional


def data_dir(environ: Optional[Mapping[str, str]] = None) -> Path:
    """The data folder: ``$TRACKSIDE_DIR``, else ``<jupyter_data_dir>/trackside``. It may not exist yet.

    A relative ``$TRACKSIDE_DIR`` counts from the working directory of the first time it is asked for, also
    after a ``chdir`` and in child processes: the variable is made absolute then.
    """
    environ = os.environ if environ is None else environ
    chosen = _chosen("TRACKSIDE_DIR", environ)
    return chosen or _absolute(_jupyter_data_dir(environ)) / "trackside"


def runs_dir(data: Path) -> Path:
    """One folder per run, in it one journal per process that wrote."""
    return data / "runs"


def blobs_dir(data: Path) -> Path:
    """Artifacts and large buffers, each under its SHA-256."""
    return data / "blobs"


def cache_dir(environ: Optional[Mapping[str, str]] = None) -> Path:
    """``$XDG_CACHE_HOME/trackside`` or ``~/.cache/trackside`` (macOS: ``~/Library/Caches/trackside``).

    A relative ``$XDG_CACHE_HOME`` is ignored, as specifications.freedesktop.org/basedir-spec has it.
    """
    environ = os.environ if environ is None else environ
    chosen = environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(chosen):  # noqa: PTH117 - a text that may be empty
        return Path(chosen) / "trackside"
    home = Path.home()
    return (home / "Library" / "Caches" if sys.platform == "darwin" else home / ".cache") / "trackside"


def config_path(environ: Optional[Mapping[str, str]] = None) -> Path:
    """The configuration: ``$TRACKSIDE_CONFIG``, else ``<jupyter_config_dir>/trackside.toml``.

    A relative ``$TRACKSIDE_CONFIG`` counts from where :func:`data_dir` says.
    """
    environ = os.environ if environ is None else environ
    chosen = _chosen("TRACKSIDE_CONFIG", environ)
    return chosen or _absolute(_jupyter_config_dir(environ)) / "trackside.toml"


def make_private_folder(folder: Path) -> None:
    """Make ``folder`` and what is missing above it, readable by its owner only (0700).

    Raises:
        OSError: it cannot be made, or a file is in the way.
    """
    if folder.is_dir():
        return
    if not folder.parent.is_dir():
        make_private_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def _chosen(name: str, environ: Mapping[str, str]) -> Optional[Path]:
    """The path in a variable of ours; one in the process's environment is absolute from now on."""
    said = environ.get(name)
    if not said:
        return None
    path = Path(said).expanduser()
    if not path.is_absolute():
        path = path.absolute()
        if environ is os.environ:
            os.environ[name] = str(path)
    return path


_first_meant: Dict[str, Path] = {}


def _absolute(folder: Path) -> Path:
    """What a relative folder of Jupyter's meant when it was first asked for; its variables are not ours."""
    return folder if folder.is_absolute() else _first_meant.setdefault(str(folder), folder.absolute())


def _jupyter_data_dir(environ: Mapping[str, str]) -> Path:
    """``jupyter_core.paths.jupyter_data_dir()``, spelled out: importing jupyter_core takes 30 ms."""
    chosen = environ.get("JUPYTER_DATA_DIR")
    if chosen:
        return Path(chosen)
    if _platform_dirs(environ):
        from jupyter_core.paths import jupyter_data_dir

        return Path(jupyter_data_dir())
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Jupyter"
    if os.name == "nt":
        roaming = environ.get("APPDATA")
        return Path(roaming) / "jupyter" if roaming else _jupyter_config_dir(environ) / "data"
    share = environ.get("XDG_DATA_HOME")
    return (Path(share) if share else Path.home() / ".local" / "share") / "jupyter"


def _jupyter_config_dir(environ: Mapping[str, str]) -> Path:
    """``jupyter_core.paths.jupyter_config_dir()``, spelled out for the same reason."""
    chosen = environ.get("JUPYTER_CONFIG_DIR")
    if chosen:
        return Path(chosen)
    if _platform_dirs(environ):
        from jupyter_core.paths import jupyter_config_dir

        return Path(jupyter_config_dir())
    return Path.home() / ".jupyter"


def _platform_dirs(environ: Mapping[str, str]) -> bool:
    """As ``jupyter_core.paths.envset`` reads it."""
    value = environ.get("JUPYTER_PLATFORM_DIRS")
    return value is not None and value.lower() not in ("no", "n", "false", "off", "0", "0.0")
