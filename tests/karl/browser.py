"""A headless Chromium, spoken to through chromedriver by the W3C's WebDriver protocol."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientConnectionError, ClientSession

from tests.agents.test_mcp_tools import free_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name for a reference
SECONDS = 40.0


def missing() -> str:
    """What there is not of a browser and its driver; "" for nothing."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    lacking = [
        name for name, path in (("chromium", browser), ("chromedriver", shutil.which("chromedriver"))) if not path
    ]
    return " and ".join(lacking)


class Browser:
    """One window."""

    def __init__(self, http: ClientSession, session: str) -> None:
        self._http, self._session = http, session

    async def call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        async with self._http.request("GET" if body is None else "POST", f"{self._session}{path}", json=body) as reply:
            value = (await reply.json())["value"]
            assert reply.status == 200, value
            return value

    async def open(self, url: str) -> None:
        await self.call("/url", {"url": url})

    async def run(self, script: str) -> Any:
        """What a script that ends in `return` returns."""
        return await self.call("/execute/sync", {"script": script, "args": []})

    async def until(self, condition: str) -> Any:
        """The value of an expression once it is true."""
        async with asyncio.timeout(SECONDS):
            while not (value := await self.run(f"return {condition}")):
                await asyncio.sleep(0.05)
        return value

    async def text(self, selector: str) -> str:
        return await self.run(f"return document.querySelector({selector!r}).innerText")

    async def click(self, selector: str) -> None:
        await self.call(f"/element/{await self._find(selector)}/click", {})

    async def type(self, selector: str, text: str) -> None:
        await self.call(f"/element/{await self._find(selector)}/value", {"text": text})

    async def press(self, *keys: str) -> None:
        """Keys, to whatever has the focus."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        await self.call("/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    async def dark(self, *, width: int | None = None) -> None:
        """As somebody who prefers dark colours, with a window of that width."""
        media = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
        await self.call("/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": media})
        if width:
            await self.call("/window/rect", {"width": width, "height": 900})

    async def picture(self) -> bytes:
        return base64.b64decode(await self.call("/screenshot"))

    async def _find(self, selector: str) -> str:
        return (await self.call("/element", {"using": "css selector", "value": selector}))[ELEMENT]


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    port = free_port()
    quiet = asyncio.subprocess.DEVNULL
    driver = await asyncio.create_subprocess_exec("chromedriver", f"--port={port}", stdout=quiet, stderr=quiet)
    options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]}
    wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
    try:
        async with ClientSession() as http:
            await _up(http, f"http://127.0.0.1:{port}/status")
            async with http.post(f"http://127.0.0.1:{port}/session", json=wanted) as reply:
                value = (await reply.json())["value"]
            window = f"http://127.0.0.1:{port}/session/{value['sessionId']}"
            try:
                yield Browser(http, window)
            finally:
                await (await http.delete(window)).release()
    finally:
        driver.terminate()
        await driver.wait()


async def _up(http: ClientSession, url: str) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                async with http.get(url) as reply:
                    if (await reply.json())["value"]["ready"]:
                        return
            except ClientConnectionError:
                await asyncio.sleep(0.1)
