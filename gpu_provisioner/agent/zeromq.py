"""ZeroMQ, imported late and untyped: its stubs and its modules do not agree for a type checker."""

from __future__ import annotations

import importlib
from typing import Any

zmq: Any = importlib.import_module("zmq")
