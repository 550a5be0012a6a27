"""Questions of our own to the remote kernel, which it answers between two cells."""

from __future__ import annotations

import ast
import json
from typing import Any, Callable, Dict, Mapping

from gpu_provisioner.wire import SHELL
from kernel_magics.bridge.ipykernel_names import LocalKernel
from kernel_magics.bridge.pending import Wants
from kernel_magics.bridge.remote import RemoteKernel
from kernel_magics.errors import KernelLost

_EXPRESSION = "__import__({module!r}, fromlist=['answer']).answer({question!r})"


class Calls:
    """Calls ``answer(question)`` of a module over there; it binds no name in the user's namespace.

    Args:
        interrupt: tells the remote kernel to stop what it does.
    """

    def __init__(
        self, kernel: LocalKernel, remote: RemoteKernel, module: str, interrupt: Callable[[], Any]
    ) -> None:
        self._kernel, self._remote, self._module, self._interrupt = kernel, remote, module, interrupt

    def __call__(self, verb: str, **arguments: Any) -> Dict[str, Any]:
        """The answer; waits for it as long as it takes. What the call prints belongs to the running cell.

        Raises:
            KernelLost: none will come.
        """
        question = json.dumps({"verb": verb, **arguments})
        expression = _EXPRESSION.format(module=self._module, question=question)
        content = {
            "code": "",
            "silent": True,
            "store_history": False,
            "user_expressions": {"answer": expression},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        # With the running cell's own header, so that a warning or a print over there is shown in it.
        request = {"header": dict(self._kernel.running_request()["header"]), "content": content}
        request["header"]["msg_type"] = "execute_request"
        future = self._remote.forward(SHELL, request, wants=Wants(idle=True))
        try:
            reply = future.result()
        except KeyboardInterrupt:
            self._interrupt()
            raise
        if reply.lost is not None:
            raise KernelLost(reply.lost)
        return _answer(reply.content)


def _answer(content: Mapping[str, Any]) -> Dict[str, Any]:
    said = (content.get("user_expressions") or {}).get("answer") or {}
    if said.get("status") != "ok":
        told = said.get("evalue") or content.get("evalue") or content.get("status")
        if said.get("ename") == "KeyboardInterrupt":
            raise KeyboardInterrupt
        raise KernelLost(f"The kernel over there could not answer: {said.get('ename')}: {told}.", "try again")
    answer: Dict[str, Any] = json.loads(ast.literal_eval(said["data"]["text/plain"]))
    return answer
