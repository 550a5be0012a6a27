"""A jump host must not ask either: ssh runs another ssh for it, which does not inherit ``BatchMode``.

Left alone, that one would begin an interactive login at every attempt, and a machine that sends a push to
somebody's phone would send one each time.
"""

from __future__ import annotations

import re
import shlex
from typing import List, Mapping, Optional, Sequence, Tuple

_HOP = re.compile(r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?P<host>\[[^\]]+\]|[^:/\[\]]+)(?::(?P<port>\d+))?/?")
_CALM = ("BatchMode=yes", "ConnectTimeout=10", "ClearAllForwardings=yes", "LogLevel=ERROR")


def calm_jump(settings: Mapping[str, str], args: Sequence[str]) -> Tuple[str, ...]:
    """An option that goes through the same jump hosts as ``ProxyJump`` does, without any question.

    Args:
        settings: what ``ssh -G`` says.
        args: the user's own arguments; a configuration file named there (``-F``) holds for jump hosts too.

    Returns:
        nothing when there is no jump host, or one that is written in a way we do not know.
    """
    hops = [_HOP.fullmatch(hop.strip()) for hop in settings.get("proxyjump", "none").split(",")]
    known = [hop for hop in hops if hop is not None]
    if settings.get("proxyjump", "none") == "none" or len(known) < len(hops):
        return ()
    command = ""
    for hop in known:
        command = _through(hop, _config(args), command)
    return (f"ProxyCommand={command}",)


def _through(hop: re.Match[str], config: Optional[str], before: str) -> str:
    """The command that reaches the next machine by way of ``hop``, which is reached by ``before``."""
    words: List[str] = ["ssh", *(("-F", _literal(config)) if config else ())]
    options = (*_CALM, *((f"ProxyCommand={_literal(before)}",) if before else ()))
    words += [part for option in options for part in ("-o", option)]
    words += ["-l", _literal(hop["user"])] if hop["user"] else []
    words += ["-p", hop["port"]] if hop["port"] else []
    return shlex.join([*words, "-W", "[%h]:%p", "--", _literal(hop["host"].strip("[]"))])


def _literal(text: str) -> str:
    """``text`` where ssh looks for ``%`` (ssh_config(5), *TOKENS*)."""
    return text.replace("%", "%%")


def _config(args: Sequence[str]) -> Optional[str]:
    for index, word in enumerate(args):
        if word.startswith("-F"):
            return word[2:] or (args[index + 1] if index + 1 < len(args) else None)
    return None
