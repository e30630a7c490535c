"""A mail server that takes every mail and keeps it, on loopback."""

import asyncio
import email
import re
from email import policy
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.smtp import SMTP, AuthResult


class Mailbox:
    """What was sent: `await mailbox.next()` waits for the next mail."""

    def __init__(self, tls=None, login=None, implicit=False):
        """tls: a context, and whoever sends has to use it; login: a pair, and whoever sends has to know it."""
        self.mails, self.envelopes = asyncio.Queue(), []
        self.context = tls if implicit else None
        self.options = {"tls_context": tls, "require_starttls": True} if tls and not implicit else {}
        if login:
            def check(server, session, envelope, mechanism, data):
                return AuthResult(success=(data.login.decode(), data.password.decode()) == login)
            self.options |= {"authenticator": check, "auth_required": True, "auth_require_tls": not implicit}
        self.port = 0

    async def start(self):
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: SMTP(self, loop=loop, enable_SMTPUTF8=True, **self.options),
                                               "127.0.0.1", self.port, ssl=self.context)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def stop(self):
        self.server.close()
        await self.server.wait_closed()

    async def handle_DATA(self, server, session, envelope):
        self.envelopes.append((session.host_name, envelope.mail_from, envelope.rcpt_tos))
        await self.mails.put(email.message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    async def next(self, timeout=15):
        return await asyncio.wait_for(self.mails.get(), timeout)

    def section(self, **more):
        """The section `email` of a server that sends its mail here."""
        return {"smtp_host": "127.0.0.1", "smtp_port": self.port, "notif_from": "Our %(app)s server <noreply@test.example>", **more}


def link(mail):
    """The link of a mail, as its text and its HTML have it."""
    text = mail.get_body(("plain",)).get_content()
    found = re.search(r"https?://\S+", text).group(0)
    assert found.replace("&", "&amp;") in mail.get_body(("html",)).get_content()
    return found


def path_of(url):
    parts = urlsplit(url)
    return parts.path + "?" + parts.query


def parameters(url):
    return {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
