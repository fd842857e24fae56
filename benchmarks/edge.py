"""What the gateway is measured beside: a tool that only answers, and a plain proxy in front of it, by aiohttp as ours.

`python benchmarks/edge.py tool PORT`, `python benchmarks/edge.py proxy PORT TOOL_PORT`.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import uvloop
from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web

LOOPBACK = "127.0.0.1"


async def _answer(request: web.Request) -> web.Response:
    await request.read()
    return web.json_response({"ok": True})


def tool() -> web.Application:
    """Answers everything with a few bytes."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", _answer)
    return app


def proxy(port: int) -> web.Application:
    """Sends everything on to the tool and streams its answer back; checks nothing."""
    app = web.Application()
    key = web.AppKey("session", ClientSession)

    async def session(app: web.Application) -> AsyncIterator[None]:
        async with ClientSession(connector=TCPConnector(limit=0), cookie_jar=DummyCookieJar()) as opened:
            app[key] = opened
            yield

    async def forward(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {"Content-Type": request.headers.get("Content-Type", "application/json")}
        url = f"http://{LOOPBACK}:{port}{request.path_qs}"
        async with request.app[key].request(request.method, url, data=body, headers=headers) as answer:
            out = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.headers["Content-Type"]})
            out.content_length = answer.content_length
            await out.prepare(request)
            async for part in answer.content.iter_any():
                await out.write(part)
            await out.write_eof()
            return out

    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", forward)
    return app


def main() -> None:
    """Serves until it is ended."""
    uvloop.install()
    what, port, *more = sys.argv[1:]
    app = tool() if what == "tool" else proxy(int(more[0]))
    web.run_app(app, host=LOOPBACK, port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main()
