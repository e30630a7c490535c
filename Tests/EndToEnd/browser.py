"""A browser, as far as logins by single sign-on need one: cookies, redirects, links and forms. It runs no scripts."""

import html.parser
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import aiohttp
import yarl


class Forms(html.parser.HTMLParser):
    """The links and forms of a page, and its text."""

    def __init__(self, text):
        super().__init__()
        self.links, self.forms, self.text = [], [], []
        self.open_link = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "a":
            self.open_link = [attributes.get("href", ""), ""]
            self.links.append(self.open_link)
        elif tag == "form":
            self.forms.append({"method": attributes.get("method", "get"), "action": attributes.get("action", ""), "fields": []})
        elif tag == "input" and self.forms:
            checked = attributes.get("type") != "checkbox" or "checked" in attributes
            if attributes.get("name") and checked:
                self.forms[-1]["fields"].append((attributes["name"], attributes.get("value") or ""))

    def handle_endtag(self, tag):
        if tag == "a":
            self.open_link = None

    def handle_data(self, data):
        self.text.append(data)
        if self.open_link:
            self.open_link[1] += data


@dataclass
class Page:
    """What the browser shows in the end."""

    url: str
    status: int = 0
    headers: dict = field(default_factory=dict)
    source: str = ""

    @property
    def forms(self):
        return Forms(self.source).forms

    @property
    def text(self):
        return " ".join(" ".join(Forms(self.source).text).split())

    def link(self, text):
        return next(href for href, content in Forms(self.source).links if text in content)

    @property
    def query(self):
        return {name: values[0] for name, values in parse_qs(urlsplit(self.url).query).items()}


class Browser:
    """Goes where it is sent, up to addresses of hosts that do not exist: there is the client."""

    def __init__(self):
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.visited = []

    async def close(self):
        await self.session.close()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()

    async def get(self, url):
        return await self.go("GET", url)

    async def go(self, method, url, data=None, headers=None):
        for _ in range(20):
            if urlsplit(url).hostname not in ("127.0.0.1", "localhost"):
                return Page(url)
            self.visited.append(url)
            async with self.session.request(method, yarl.URL(url, encoded=True), data=data, headers=headers,
                                            allow_redirects=False) as answer:
                if answer.status not in (302, 303):
                    return Page(url, answer.status, answer.headers, await answer.text())
                url = urljoin(url, answer.headers["Location"])
                method, data = "GET", None
        raise AssertionError(f"redirected without end: {self.visited}")

    async def follow(self, page, text):
        return await self.get(urljoin(page.url, page.link(text)))

    async def submit(self, page, without=(), **values):
        """Sends the page's first form, with these values in place of those that are there."""
        form = page.forms[0]
        fields = [(name, value) for name, value in form["fields"] if name not in values and name not in without]
        return await self.go(form["method"].upper(), urljoin(page.url, form["action"] or page.url),
                             data=urlencode(fields + list(values.items())),
                             headers={"Content-Type": "application/x-www-form-urlencoded"})
