"""Who may speak to the local page: the page itself. Other sites in the same browser may not.

A site that resolves its own name to 127.0.0.1 (DNS rebinding) comes with its name in `Host`; a form or script of
another site comes with its `Origin`, or as what a browser calls cross-site. There is no log-in: these checks, and
listening on the loopback address alone, are what keeps others out.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
OWN = frozenset({"same-origin", "none"})


class Guard:
    """`hosts`: further names that the page is reached by."""

    def __init__(self, page: str, *, hosts: Iterable[str] = ()) -> None:
        self._hosts = LOOPBACK | {host.lower().strip("[]") for host in hosts}
        self._headers = {
            "Content-Security-Policy": policy_of(page),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cache-Control": "no-store",
        }

    def refusal(self, request: web.Request) -> str:
        """Why this request is not answered; "" for one that is."""
        if (_hostname(request.headers.get("Host", "")) or "") not in self._hosts:
            return "this host name is not served; open the address that `karl arena serve` printed"
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"{request.scheme}://{request.host}":
            return "requests of other sites are refused"
        if request.path != "/" and request.headers.get("Sec-Fetch-Site", "none") not in OWN:
            return "requests of other sites are refused"
        # Other sites can't send this type without asking first, and are then refused by the lines above.
        if request.method not in ("GET", "HEAD") and request.content_type != "application/json":
            return "send JSON with content type application/json"
        return ""

    def protect(self, app: web.Application) -> None:
        """Refuse before anything else looks at a request; put the headers on every response, streams too."""
        app.middlewares.insert(0, self._middleware())
        app.on_response_prepare.append(self._mark)

    def _middleware(self) -> Middleware:
        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            refusal = self.refusal(request)
            return web.json_response({"error": refusal}, status=403) if refusal else await handler(request)

        return guarded

    async def _mark(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self._headers)


def policy_of(page: str) -> str:
    """A content security policy by which a browser runs this page's own script and styles, and nothing else."""
    scripts, styles = (" ".join(_hashes(page, tag)) for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hashes(page: str, tag: str) -> list[str]:
    bodies = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    return [f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'" for body in bodies]


def _hostname(host: str) -> str | None:
    """Of a Host header, without its port and in lower case; None for nonsense."""
    try:
        return URL(f"http://{host}").host
    except ValueError:
        return None
