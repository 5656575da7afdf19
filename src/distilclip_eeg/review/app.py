"""A desk -> the web application, and a server on one address.

The page and its scripts lie in `static/` and load nothing from elsewhere; what it says
and is told goes through `/api`. Another room of the page is another router.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from distilclip_eeg.errors import DistilClipError, NotKeptError
from distilclip_eeg.review import routes_review, routes_signal, routes_words
from distilclip_eeg.review.desk import Desk
from distilclip_eeg.review.guard import Access, Guard, access_for

ROUTERS: Final = (routes_review.router, routes_signal.router, routes_words.router)
CONFLICT, DISK_FULL = 409, 507  # with the last, the page tries again
STATIC: Final = Path(str(files("distilclip_eeg") / "review" / "static"))


def create_app(desk: Desk, access: Access) -> FastAPI:
    """Give the application, guarded; it closes the desk when it ends."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if desk.detects:
            await asyncio.to_thread(_queue_all, desk)
        yield
        await asyncio.to_thread(desk.close)

    app = FastAPI(
        title="DistilCLIP-EEG review",
        openapi_url=None,  # nothing to explore from outside
        lifespan=lifespan,
    )
    app.state.desk = desk
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_api_route("/", _page, methods=["GET"], include_in_schema=False)
    app.add_exception_handler(DistilClipError, _cannot)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_middleware(Guard, access=access)
    return app


def serve(desk: Desk, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Answer on one address until interrupted.

    Parameters
    ----------
    port
        0: any that is free.
    announce
        Is told the address to open, with the token if one is needed.

    Raises
    ------
    DistilClipError
        If the address cannot be had.
    """
    with _listening(host, port) as listener:
        access = access_for(host, listener.getsockname()[1])
        announce(_address(host, access))
        config = uvicorn.Config(
            create_app(desk, access),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=2,
        )
        uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    bare = host.strip("[]")
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            bare, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
    except OSError as error:
        raise DistilClipError(f"--host {host}: {error.strerror or error}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        raise DistilClipError(
            f"{host}, port {port}: {error.strerror or error}; choose another --port"
        ) from None
    return listener


def _address(host: str, access: Access) -> str:
    name = f"[{host.strip('[]')}]" if ":" in host else host
    token = f"?token={access.token}" if access.token else ""
    return f"http://{name}:{access.port}/{token}"


def _queue_all(desk: Desk) -> None:
    for entry in desk.library.entries.values():
        try:
            if desk.found(entry) is None:
                desk.detections.ask(entry)
        except DistilClipError:
            continue  # the list of recordings says so


async def _page() -> FileResponse:
    return FileResponse(STATIC / "index.html", media_type="text/html")


async def _cannot(_: Request, error: Exception) -> JSONResponse:
    status = DISK_FULL if isinstance(error, NotKeptError) else CONFLICT
    return JSONResponse({"detail": str(error)}, status)


async def _not_understood(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return JSONResponse({"detail": f"{where}: {first['msg']}"}, 422)
