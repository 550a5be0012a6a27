"""The notebook's working folder goes along: before each cell, what has changed in it since the last one."""

from __future__ import annotations

import asyncio
from typing import Any, Awaitable, Callable, List, Mapping

from gpu_provisioner.working_folder import Mirror

Facts = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


def facts_after_files(facts: Facts, mirror: Mirror, say: Callable[[str], None]) -> Facts:
    """``facts`` of a request, asked after the changed files were posted: the request comes behind them.

    Args:
        say: told what stays here, in sentences.
    """

    async def of_request(request: Mapping[str, Any]) -> Mapping[str, Any]:
        for note in await asyncio.get_running_loop().run_in_executor(None, _send, mirror):
            say(note)
        return await facts(request)

    return of_request


def _send(mirror: Mirror) -> List[str]:
    try:
        return mirror.send_changes()
    except OSError as error:
        return [f"Changed files of the working folder could not be read: {error}"]
