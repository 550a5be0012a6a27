"""A page as a picture, made by a headless Chromium or Chrome of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kernel_magics.errors import TracksideError

BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "brave-browser"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-extensions", "--disable-dev-shm-usage", "--virtual-time-budget=8000"),
)
_LIMIT_S = 60
_TALLEST = 16_000
"""Pixels; Chromium makes no taller picture."""
_HEIGHT = re.compile(r'<html[^>]*\bdata-height="([0-9]+)"')


class NoPicture(TracksideError):
    """A picture could not be made. The page is not affected."""


def write_png(
    page: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    width: int = 1280,
    scale: float = 1.0,
    browser: str | None = None,
) -> Path:
    """Writes a picture of the whole ``page`` (an HTML file of :func:`write_html`); answers its path.

    Args:
        width: of the page, in CSS pixels.
        scale: pixels of the picture per CSS pixel.
        browser: a Chromium or Chrome; by default the first that is found.

    Raises:
        NoPicture: there is no browser, or it does not do it.
    """
    source, target = Path(page).resolve(), Path(path).resolve()
    program = find_browser(browser)
    with tempfile.TemporaryDirectory(prefix="trackside-") as folder:
        look = ("--force-device-scale-factor=1", f"--window-size={width},1000", "--dump-dom")
        found = _HEIGHT.search(_run(program, folder, source, look))
        height = min(int(found.group(1)) if found else 1000, _TALLEST)
        shot = Path(folder) / "shot.png"
        size = (
            f"--force-device-scale-factor={scale}",
            f"--window-size={width},{height}",
            f"--screenshot={shot}",
        )
        _run(program, folder, source, size)
        if not shot.is_file():
            raise NoPicture(
                f"{program} made no picture of {source}.", "open the page in a browser and print it"
            )
        try:
            shutil.copyfile(shot, target)
        except OSError as error:
            raise NoPicture(f"The picture was not written: {error.strerror} ({target}).") from error
    return target


def find_browser(wanted: str | None = None) -> str:
    """The path of a Chromium or Chrome.

    Raises:
        NoPicture: there is none.
    """
    for name in (wanted,) if wanted else BROWSERS:
        found = shutil.which(name)
        if found:
            return found
    raise NoPicture(
        f"No picture was made: there is no {wanted or 'Chromium or Chrome'} on this machine."
        " The page is complete without it.",
        remedy="install one (Debian: apt install chromium), or open the page in any browser",
    )


def _run(program: str, folder: str, page: Path, more: Sequence[str]) -> str:
    """What the browser prints; it gets a fresh profile in ``folder``."""
    command = [program, *_FLAGS, f"--user-data-dir={folder}/profile", *more, page.as_uri()]
    environment = {**os.environ, "HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_CACHE_HOME": folder}
    try:
        done = subprocess.run(command, capture_output=True, timeout=_LIMIT_S, env=environment, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoPicture(f"{program} could not make a picture: {error}.") from error
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
        raise NoPicture(f"{program} ended with status {done.returncode}: {last[0]}")
    return done.stdout.decode(errors="replace")
