"""Walks a real browser through the pages of single sign-on, where scripts run and policies are kept.

    MARTLET_BIN=.build/release python Tests/EndToEnd/walk_with_chromium.py [CHROMIUM]

No test of the suite, as it needs Chromium. It ends with an error where a page does not lead on, or breaks its own policy."""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import aiohttp

from homeserver import Homeserver
from openid_provider import Provider

#: What a client defines that opens the page for those who cannot log in themselves.
CLIENT = "window.matrixLogin = {onLogin: (answer) => { window.answered = answer; }};"


class Chromium:
    """One tab of a headless Chromium, over its protocol for developers."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.number, self.waiting, self.complaints = 0, {}, []

    async def __aenter__(self):
        self.process = subprocess.Popen(
            [self.program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0",
             "--no-first-run", f"--user-data-dir={self.folder}", "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        address = await asyncio.to_thread(self.read_address)
        self.http = aiohttp.ClientSession()
        async with self.http.get(f"http://{address}/json/list") as answer:
            tab = next(target for target in await answer.json(content_type=None) if target["type"] == "page")
        self.socket = await self.http.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0)
        self.reader = asyncio.create_task(self.read())
        for domain in ("Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        await self.call("Page.addScriptToEvaluateOnNewDocument", source=CLIENT)
        return self

    async def __aexit__(self, *_):
        self.reader.cancel()
        await self.http.close()
        self.process.terminate()
        self.process.wait(10)

    def read_address(self):
        for line in self.process.stderr:
            if found := re.search(r"DevTools listening on ws://([^/]+)/", line):
                return found[1]
        raise AssertionError("Chromium does not start")

    async def read(self):
        async for message in self.socket:
            content = json.loads(message.data)
            if content.get("id") in self.waiting:
                self.waiting.pop(content["id"]).set_result(content)
            elif content.get("method") == "Log.entryAdded" and content["params"]["entry"]["level"] == "error":
                self.complaints.append(content["params"]["entry"]["text"])
            elif content.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(content["params"]["exceptionDetails"]["text"])

    async def call(self, method, **parameters):
        self.number += 1
        future = self.waiting[self.number] = asyncio.get_running_loop().create_future()
        await self.socket.send_json({"id": self.number, "method": method, "params": parameters})
        answer = await asyncio.wait_for(future, 30)
        assert "error" not in answer, answer
        return answer["result"]

    async def evaluate(self, expression):
        result = (await self.call("Runtime.evaluate", expression=expression, returnByValue=True))["result"]
        return result.get("value")

    async def until(self, expression):
        """Waits until an expression is true on whatever page is shown -> its value."""
        for _ in range(200):
            if value := await self.evaluate(expression):
                return value
            await asyncio.sleep(0.05)
        shown = await self.evaluate("location.href + ' ' + document.body.innerText")
        raise AssertionError(f"{expression} is not true on {shown}; {self.complaints}")


async def walk(program):
    with tempfile.TemporaryDirectory() as folder:
        async with Provider() as provider:
            mapping = {"display_name_template": "{{ user.name }}", "email_template": "{{ user.email }}"}
            server = Homeserver(Path(folder) / "server", "sqlite", oidc_providers=[
                provider.options(user_mapping_provider={"config": mapping})])
            provider.user["name"] = "<b>Alice</b>"
            try:
                await server.start()
                await (await server.register("bob", "a password")).close()
                async with Chromium(program, Path(folder) / "chromium") as browser:
                    await with_password(server, browser)
                    await with_single_sign_on(server, browser)
                    assert not browser.complaints, browser.complaints
            finally:
                await server.destroy()
    print("The browser has got through.")


async def with_password(server, browser):
    page = server.base + "/_matrix/static/client/login/?device_id=BROWSER"
    await browser.call("Page.navigate", url=page)
    await browser.until("document.getElementById('password') && !document.getElementById('password').hidden")
    await browser.evaluate("user.value = 'bob'; secret.value = 'a password'; document.querySelector('#password button').click()")
    answer = await browser.until("window.answered")
    assert answer["user_id"] == "@bob:test.example" and answer["device_id"] == "BROWSER", answer


async def with_single_sign_on(server, browser):
    page = server.base + "/_matrix/static/client/login/?device_id=SIGNED"
    await browser.call("Page.navigate", url=page)
    await browser.until("document.getElementById('link') && document.getElementById('link').href.includes('redirectUrl')")
    await browser.evaluate("document.getElementById('link').click()")
    await browser.until("location.pathname.endsWith('/account_details') && document.forms.length")
    assert "<b>Alice</b>" in await browser.evaluate("document.body.innerText")
    await browser.evaluate("username.value = 'alice'; document.querySelector('button').click()")
    answer = await browser.until("window.answered")
    assert answer["user_id"] == "@alice:test.example" and answer["device_id"] == "SIGNED", answer
    assert "loginToken" not in await browser.evaluate("location.href")


if __name__ == "__main__":
    asyncio.run(walk(sys.argv[1] if len(sys.argv) > 1 else "chromium"))
