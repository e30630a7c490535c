"""An identity server that sends codes to telephone numbers, as far as a homeserver asks it: Identity Service API §Phone number associations."""

import secrets
import time

import phonenumbers
from aiohttp import web

from loopback import Loopback

API = "/_matrix/identity/api/v1"


class IdentityServer(Loopback):
    """The codes that it has sent stand in `codes`, under the number. `answers` has answers of another kind, by the last part of the path."""

    def __init__(self):
        self.codes, self.asked, self.sessions, self.answers = {}, [], {}, {}

    def routes(self):
        return [web.post(API + "/validate/msisdn/requestToken", self.send), web.post(API + "/validate/msisdn/submitToken", self.submit),
                web.get(API + "/3pid/getValidated3pid", self.tell)]

    def options(self):
        return {"account_threepid_delegates": {"msisdn": self.base + "/"}}

    async def wrong(self, request):
        answer = self.answers.get(request.path.rsplit("/", 1)[1])
        return await answer() if callable(answer) else answer

    async def send(self, request):
        body = await request.json()
        self.asked.append(body)
        if answer := await self.wrong(request):
            return answer
        number = phonenumbers.format_number(phonenumbers.parse(body["phone_number"], body["country"]), phonenumbers.PhoneNumberFormat.E164)[1:]
        key = (number, body["client_secret"])
        found = next((sid for sid, session in self.sessions.items() if session["key"] == key), None)
        sid = found or str(len(self.sessions) + 1)
        if not found or body["send_attempt"] > self.sessions[sid]["attempt"]:
            self.codes[number] = secrets.token_hex(4)
            self.sessions[sid] = {"key": key, "attempt": body["send_attempt"], "code": self.codes[number], "validated": None}
        return web.json_response({"success": True, "sid": sid, "msisdn": number, "intl_fmt": "+" + number})

    async def submit(self, request):
        body = await request.json()
        if answer := await self.wrong(request):
            return answer
        session = self.sessions.get(body["sid"])
        if session is None or session["key"][1] != body["client_secret"] or session["code"] != body["token"]:
            return web.json_response({"success": False, "errcode": "M_NO_VALID_SESSION", "error": "wrong"})
        session["validated"] = int(time.time() * 1000)
        return web.json_response({"success": True})

    async def tell(self, request):
        if answer := await self.wrong(request):
            return answer
        session = self.sessions.get(request.query["sid"])
        if session is None or session["key"][1] != request.query["client_secret"] or session["validated"] is None:
            return web.json_response({"errcode": "M_SESSION_NOT_VALIDATED", "error": "not validated"})
        return web.json_response({"medium": "msisdn", "address": session["key"][0], "validated_at": session["validated"]})
