"""REST: each handler translates a request into one question and its answer into a response."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from http.client import responses
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado.web import HTTPError, authenticated

from kernel_magics.store import Store, views

from . import answers, editing, queries
from .encode import dumps
from .errors import ErrorBody, body_of, status_of

if TYPE_CHECKING:
    from .services import Services

AUTH_RESOURCE = "trackside"
SETTING = "trackside_services"


class TracksideHandler(APIHandler):
    """Who may ask, what errors become, and where the answers come from."""

    auth_resource = AUTH_RESOURCE

    @property
    def services(self) -> Services:
        """What the composition root has put together (:mod:`jupyter_ext.app`)."""
        services: Services = self.settings[SETTING]
        services.start()
        return services

    async def answer(self, ask: Callable[[Store], str]) -> None:
        """Answers with what ``ask`` makes of the store, in a thread."""
        self.finish(await self.services.readers.read(ask))

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """An error meant for people gets its own status; any other stays a 500."""
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        super().send_error(status_of(error) or status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The body of every refusal: ``{message, remedy}``."""
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        self.finish(dumps(_refusal(status_code, error)))

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """A person's mistake is a line in the log; a mistake of ours is a traceback."""
        if status_of(value) is None:
            super().log_exception(typ, value, tb)
        else:
            self.log.log(logging.INFO, "Trackside: %s %s: %s", self.request.method, self.request.path, value)


class Info(TracksideHandler):
    @authenticated
    @authorized
    async def get(self) -> None:
        allowed = self.authorizer.is_authorized(self, self.current_user, "write", AUTH_RESOURCE)
        self.finish(dumps(self.services.info(read_only=not await ensure_async(allowed))))


class Runs(TracksideHandler):
    @authenticated
    @authorized
    async def get(self) -> None:
        project = queries.project(self.get_query_argument("project", None))
        limit = queries.limit(self.get_query_argument("limit", None))
        where = self.get_query_argument("where", None)
        await self.answer(partial(answers.runs, project=project, limit=limit, where=where))

    @authenticated
    @authorized
    async def patch(self) -> None:
        wanted = editing.Edit.all_from_json(queries.json_body(self.request.body))
        self.finish(await self.services.readers.read(partial(editing.carry_out, wanted=wanted)))


class Run(TracksideHandler):
    @authenticated
    @authorized
    async def get(self, run_id: str) -> None:
        await self.answer(partial(answers.run, run_id=queries.run_id(run_id)))

    @authenticated
    @authorized
    async def delete(self, run_id: str) -> None:
        await self.services.readers.read(partial(editing.deleted, run_id=queries.run_id(run_id)))
        self.set_status(204)
        self.finish()


class RestoredRun(TracksideHandler):
    @authenticated
    @authorized
    async def post(self, run_id: str) -> None:
        await self.services.readers.read(partial(editing.restored, run_id=queries.run_id(run_id)))
        self.set_status(204)
        self.finish()


class Outputs(TracksideHandler):
    @authenticated
    @authorized
    async def get(self, run_id: str) -> None:
        await self.answer(partial(answers.outputs, run_id=queries.run_id(run_id)))


class Events(TracksideHandler):
    @authenticated
    @authorized
    async def get(self) -> None:
        run_ids = queries.run_ids(self.get_query_argument("runs", None))
        await self.answer(partial(answers.events, run_ids=run_ids))


class Media(TracksideHandler):
    @authenticated
    @authorized
    async def get(self, run_id: str) -> None:
        await self.answer(partial(answers.media, run_id=queries.run_id(run_id)))


class Medium(TracksideHandler):
    @authenticated
    @authorized
    async def get(self, run_id: str, number: str) -> None:
        which = queries.media_number(number)
        await self.answer(partial(answers.medium, run_id=queries.run_id(run_id), number=which))


class Summaries(TracksideHandler):
    @authenticated
    @authorized
    async def get(self) -> None:
        run_ids = queries.run_ids(self.get_query_argument("runs", None))
        await self.answer(partial(answers.summaries, run_ids=run_ids))


class Metrics(TracksideHandler):
    @authenticated
    @authorized
    async def get(self) -> None:
        run_ids = queries.run_ids(self.get_query_argument("runs", None))
        await self.answer(partial(answers.metrics, run_ids=run_ids))


class Windows(TracksideHandler):
    @authenticated
    @authorized("read")  # a question too long for an address
    async def post(self) -> None:
        query = queries.WindowQuery.from_json(queries.json_body(self.request.body))
        await self.answer(partial(answers.windows, query=query))


class Report(TracksideHandler):
    @authenticated
    @authorized("read")  # a question too long for an address
    async def post(self) -> None:
        query = queries.ReportQuery.from_json(queries.json_body(self.request.body))
        await self.answer(partial(answers.report, query=query))


class Leases(TracksideHandler):
    @authenticated
    @authorized
    async def get(self) -> None:
        self.finish(await self.services.leases.listing())


class Lease(TracksideHandler):
    @authenticated
    @authorized
    async def delete(self, lease_id: str) -> None:
        await self.services.leases.release(queries.lease_id(lease_id))
        self.set_status(204)
        self.finish()


class AgentLog(TracksideHandler):
    @authenticated
    @authorized
    async def get(self, lease_id: str) -> None:
        name = self.get_query_argument("name", "agent")
        offset = queries.number_known(self.get_query_argument("offset", None))
        self.finish(await self.services.leases.log(queries.lease_id(lease_id), name, offset))


class Offers(TracksideHandler):
    @authenticated
    @authorized
    async def get(self) -> None:
        specification = self.get_query_argument("spec", None)
        known = queries.number_known(self.get_query_argument("known", None))
        self.finish(await self.services.offers.listing(specification, known))


class Views(TracksideHandler):
    @authenticated
    @authorized
    async def get(self) -> None:
        self.finish(await asyncio.to_thread(editing.all_views, self.services.data_dir))


class View(TracksideHandler):
    @authenticated
    @authorized
    async def put(self, view_id: str) -> None:
        body, folder = queries.json_body(self.request.body), self.services.data_dir
        self.finish(await asyncio.to_thread(editing.save_view, folder, editing.view_id(view_id), body))

    @authenticated
    @authorized
    async def delete(self, view_id: str) -> None:
        await asyncio.to_thread(views.delete, self.services.data_dir, editing.view_id(view_id))
        self.set_status(204)
        self.finish()


class NotHere(TracksideHandler):
    """Everything else under our prefix."""

    async def prepare(self) -> None:
        await super().prepare()
        raise HTTPError(404 if self.current_user else 403)


def _refusal(status: int, error: BaseException | None) -> ErrorBody:
    if error is not None and status_of(error) is not None:
        return body_of(error)
    if isinstance(error, HTTPError) and error.log_message:
        message = error.log_message % error.args if error.args else error.log_message
        return {"message": message, "remedy": None}
    if status >= 500:
        return {
            "message": "Trackside failed to answer; what is recorded is not affected.",
            "remedy": "The server's log has the traceback: please report it.",
        }
    return {"message": responses.get(status, "Refused"), "remedy": None}
