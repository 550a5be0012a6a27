"""The route table and ``openapi.yaml`` name the same paths and methods."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from jupyter_server.base.handlers import APIHandler

from jupyter_ext.handlers import NotHere
from jupyter_ext.reading_socket import ReadingSocket
from jupyter_ext.routes import PREFIX, ROUTES

SPECIFICATION = yaml.safe_load((Path(__file__).parents[2] / "jupyter_ext" / "openapi.yaml").read_text())
METHODS = ("get", "post", "put", "patch", "delete")


def served() -> dict[str, set[str]]:
    """Path with ``{}`` for each part that varies → methods its handler defines itself."""
    return {
        re.sub(r"\([^)]*\)", "{}", pattern).removeprefix(PREFIX): {
            name for name in METHODS if name in vars(handler) or (name == "get" and _is_socket(handler))
        }
        for pattern, handler in ROUTES
        if handler is not NotHere
    }


def _is_socket(handler: type[Any]) -> bool:
    return issubclass(handler, ReadingSocket)


def specified() -> dict[str, set[str]]:
    paths: dict[str, dict[str, Any]] = SPECIFICATION["paths"]
    return {
        re.sub(r"{[^}]*}", "{}", path): {name for name in METHODS if name in item}
        for path, item in paths.items()
    }


def test_every_route_is_specified_and_every_specified_path_is_served() -> None:
    assert served() == specified()


def test_the_server_of_the_specification_is_the_prefix_of_the_routes() -> None:
    assert [server["url"] for server in SPECIFICATION["servers"]] == [PREFIX]


def test_every_handler_checks_who_asks_and_what_that_user_may() -> None:
    for _pattern, handler in ROUTES:
        for name in METHODS:
            method = vars(handler).get(name)
            if method is None or not issubclass(handler, APIHandler):
                continue
            decorated = []
            while method is not None:
                decorated.append(method.__code__.co_filename)
                method = getattr(method, "__wrapped__", None)
            source = " ".join(decorated)
            assert "tornado" in source, f"{handler.__name__}.{name} does not ask for a user"
            assert "jupyter_server" in source, f"{handler.__name__}.{name} does not ask the authorizer"


def test_every_operation_says_what_a_refusal_looks_like() -> None:
    for path, item in SPECIFICATION["paths"].items():
        for name in METHODS:
            if name in item:
                assert item[name]["responses"]["default"] == {"$ref": "#/components/responses/Refused"}, path
