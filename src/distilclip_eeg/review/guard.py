"""Who may talk to the page, and what may be sent to it.

A browser runs pages of strangers beside this one. They are kept out by the address that
a request names (DNS rebinding), by where it comes from, and by what it may carry. From
any address that is not this machine's own loopback a token is asked for, always.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES: Final = 64 * 1024
MAX_QUERY_BYTES: Final = 2048
COOKIE: Final = "distilclip_review"
TOKEN_BYTES: Final = 32

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Under which names the page answers, and to whom.

    Attributes
    ----------
    hosts
        Host names and addresses, lower case, without port; with `any_address` every
        address in numbers too.
    token
        What must be shown; None on loopback.
    """

    port: int
    hosts: frozenset[str]
    token: str | None
    any_address: bool = False

    def answers_to(self, host_header: str) -> bool:
        """Whether a Host header names this server."""
        name, port = _split(host_header)
        if port != self.port:
            return False
        return name in self.hosts or (self.any_address and _address(name) is not None)


def access_for(host: str, port: int) -> Access:
    """Settle who may come in when the server listens on an address."""
    name = host.strip("[]").lower()
    address = _address(name)
    if name == "localhost" or (address is not None and address.is_loopback):
        hosts = frozenset({"localhost", "127.0.0.1", "::1", name})
        return Access(port, hosts, None)
    hosts = frozenset({name, "localhost", socket.gethostname().lower()})
    wildcard = address is not None and address.is_unspecified
    return Access(port, hosts, secrets.token_urlsafe(TOKEN_BYTES), wildcard)


class Guard:
    """Stands before the application and lets in what may come in.

    Refuses with 400 a foreign Host, with 403 a foreign origin, with 401 a missing
    token, with 413 a body or query that is too long, with 415 a body that is no JSON.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no web sockets
        answer = self._refusal(scope)
        if answer is None:
            answer = await self._passed(scope, receive, _dressed(send))
        if answer is not None:
            await answer(scope, receive, _dressed(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if len(headers.getlist("host")) != 1 or not self._access.answers_to(
            headers["host"]
        ):
            return _refused(400, "this server does not answer to that name")
        if not self._is_own_origin(headers):
            return _refused(403, "requests from other origins are refused")
        if len(scope["query_string"]) > MAX_QUERY_BYTES:
            return _refused(414, "the query is too long")
        if (answer := self._without_token(scope, headers)) is not None:
            return answer
        return _about_body(scope, headers)

    def _is_own_origin(self, headers: Headers) -> bool:
        site = headers.get("sec-fetch-site", "none")
        if site not in ("same-origin", "none"):
            return False
        origin = headers.get("origin")
        if origin is None:
            return True  # no browser, or a page that was typed in
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and parts.netloc == headers["host"]

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        token = self._access.token
        if token is None:
            return None
        if any(_same(shown, token) for shown in _shown_tokens(headers)):
            return None
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        if scope["path"] == "/" and _same(asked[0], token):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, token, httponly=True, samesite="strict")
            return answer
        return _refused(401, "open the address that the server printed when it began")

    async def _passed(
        self, scope: Scope, receive: Receive, send: Send
    ) -> Response | None:
        """Let the application answer, unless more is sent than was announced."""
        n_bytes, too_long, answered = 0, False, False

        async def counted() -> Message:
            nonlocal n_bytes, too_long
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > MAX_BODY_BYTES:
                too_long = True
                return {"type": "http.disconnect"}
            return message

        async def watched(message: Message) -> None:
            nonlocal answered
            if too_long and not answered:
                return
            answered = True
            await send(message)

        await self._app(scope, counted, watched)
        if too_long and not answered:
            return _refused(413, "the body is too long")
        return None


def _about_body(scope: Scope, headers: Headers) -> Response | None:
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        return _refused(413, f"at most {MAX_BODY_BYTES >> 10} KiB are taken")
    if scope["method"] not in ("POST", "GET", "HEAD"):
        return _refused(405, "only reading and deciding is possible here")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if scope["method"] == "POST" and kind != "application/json":
        return _refused(415, "found no application/json")
    return None


def _dressed(send: Send) -> Send:
    """Put the headers that keep a page to itself on every answer."""

    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return dressed


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"detail": why}, status)


def _shown_tokens(headers: Headers) -> list[str]:
    kind, _, value = headers.get("authorization", "").partition(" ")
    shown = [value] if kind.lower() == "bearer" else []
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(headers.get("cookie", ""))
    except CookieError:
        return shown
    if COOKIE in cookies:
        shown.append(cookies[COOKIE].value)
    return shown


def _same(shown: str, token: str) -> bool:
    return hmac.compare_digest(shown.encode(), token.encode())


def _split(host_header: str) -> tuple[str, int]:
    """Give name and port of a Host header; port -1 if it makes no sense."""
    try:
        parts = urlsplit(f"//{host_header}")
        name, port = parts.hostname, parts.port
    except ValueError:
        return "", -1
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        return "", -1
    return (name or "").lower(), 80 if port is None else port


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
