"""A real browser, where scripts run and the policies of pages are kept."""

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import aiohttp

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")
#: Where pictures of the pages go.
PICTURES = Path(os.environ.get("MARTLET_TEST_PICTURES", Path(__file__).parents[2] / ".build" / "pictures"))
#: What a client defines that opens our pages: for those who cannot log in themselves, and for stages that it does not know.
CLIENT = """window.matrixLogin = {onLogin: (answer) => { window.answered = answer; }};
window.onAuthDone = () => { window.authenticated = true; };"""


class Chromium:
    """One tab of a headless Chromium, over its protocol for developers."""

    def __init__(self, folder):
        self.folder = folder
        self.number, self.waiting, self.complaints = 0, {}, []
        self.stand_ins, self.serving = {}, set()

    async def __aenter__(self):
        self.process = subprocess.Popen(
            [PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0",
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
            elif content.get("method") == "Fetch.requestPaused":
                task = asyncio.create_task(self.serve(content["params"]))
                self.serving.add(task)
                task.add_done_callback(self.serving.discard)

    async def stand_in(self, address, script):
        """Has a script of somebody else's, whom no test can reach, be this one."""
        self.stand_ins[address] = script
        await self.call("Fetch.enable", patterns=[{"urlPattern": address} for address in self.stand_ins])

    async def serve(self, paused):
        script = self.stand_ins[paused["request"]["url"]]
        await self.call("Fetch.fulfillRequest", requestId=paused["requestId"], responseCode=200, body=base64.b64encode(script.encode()).decode(),
                        responseHeaders=[{"name": "Content-Type", "value": "text/javascript"}])

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
        await self.picture("lost")
        shown = await self.evaluate("location.href + ' ' + document.body.innerText")
        raise AssertionError(f"{expression} is not true on {shown}; {self.complaints}")

    async def open(self, url, until):
        await self.call("Page.navigate", url=url)
        return await self.until(until)

    async def picture(self, name):
        """Keeps what is shown, for who wants to see it later."""
        image = (await self.call("Page.captureScreenshot", format="png"))["data"]
        PICTURES.mkdir(parents=True, exist_ok=True)
        (PICTURES / f"{name}.png").write_bytes(base64.b64decode(image))
