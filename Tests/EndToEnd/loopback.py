"""Services of others that the server asks: on loopback, each on a port of its own."""

from aiohttp import web


class Loopback:
    """`async with` one: it answers at `base` as its `routes` say."""

    def routes(self):
        raise NotImplementedError

    async def __aenter__(self):
        application = web.Application()
        application.router.add_routes(self.routes())
        self.runner = web.AppRunner(application)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.base = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_):
        await self.runner.cleanup()


class CaptchaService(Loopback):
    """Finds one answer to its riddles right."""

    def __init__(self):
        self.asked = []

    def routes(self):
        return [web.post("/siteverify", self.verify)]

    async def verify(self, request):
        self.asked.append(dict(await request.post()))
        return web.json_response({"success": self.asked[-1]["response"] == "right"})

    def options(self):
        return {"enable_registration_captcha": True, "recaptcha_public_key": "public", "recaptcha_private_key": "private",
                "recaptcha_siteverify_api": self.base + "/siteverify"}
