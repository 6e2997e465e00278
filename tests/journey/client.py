"""A visitor's browser without script: cookies, CSRF token, forms, redirects. Standard library only."""

from __future__ import annotations

import html
import http.client
import json as jsons
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit

from tests.journey.instance import JourneyFailed

TIMEOUT_S = 60
REDIRECTS_MAX = 5
POLL_S = 0.3
CSRF = re.compile(r'<meta name="csrf-token" content="([^"]+)"')
TAG = re.compile(r"<[^>]+>")
Fields = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class File:
    """A file of a form."""

    name: str
    data: bytes
    kind: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said last, after redirects."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf8", "replace")

    @property
    def words(self) -> str:
        """The page as a reader sees it, blanks collapsed."""
        return " ".join(html.unescape(TAG.sub(" ", self.text)).split())

    @property
    def json(self) -> dict[str, object]:
        found = jsons.loads(self.body)
        if not isinstance(found, dict):
            raise JourneyFailed(f"{self.url}: no JSON object")
        return found

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    def links(self, pattern: str) -> list[str]:
        """Return the addresses on the page that match, in order, each once; without what leads back to the page."""
        found = re.findall(r'(?:href|action|data-url|hx-get)="([^"]+)"', self.text)
        found = [html.unescape(link).partition("?back=")[0] for link in found]
        return list(dict.fromkeys(link for link in found if re.search(pattern, link)))

    def link(self, pattern: str) -> str:
        """Return the first address that matches. Raises JourneyFailed."""
        for found in self.links(pattern):
            return found
        raise JourneyFailed(f"{self.url} has no link like {pattern}: {self.words[:400]}")

    def attribute(self, name: str) -> str:
        """Return the first value of an attribute on the page. Raises JourneyFailed."""
        found = re.search(rf'\b{re.escape(name)}="([^"]*)"', self.text)
        if found is None:
            raise JourneyFailed(f"{self.url} has no {name}: {self.words[:400]}")
        return html.unescape(found[1])


@dataclass(slots=True)
class Client:
    """One browser session. Every method raises JourneyFailed for an answer that was not expected."""

    base: str
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str = ""

    def get(self, url: str, *, expect: int | None = 200, headers: Mapping[str, str] | None = None) -> Answer:
        """Open a page."""
        return self._expect(self._follow("GET", url, None, headers or {}), expect)

    def post(
        self,
        url: str,
        fields: Fields | None = None,
        *,
        files: Mapping[str, File] | None = None,
        expect: int | None = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a form with the token of the last page."""
        body, kind = _form({"csrf_token": self._token(), **(fields or {})}, files or {})
        return self._expect(self._follow("POST", url, body, {"Content-Type": kind, **(headers or {})}), expect)

    def send(self, method: str, url: str, body: object, *, expect: int | None = 200) -> dict[str, object]:
        """Send JSON as a page's script does and return the JSON of the answer."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", "X-CSRFToken": self._token()}
        return self._expect(self._follow(method, url, jsons.dumps(body).encode(), headers), expect).json

    def until(self, url: str, is_done: Callable[[Answer], bool], *, within_s: float, what: str) -> Answer:
        """Open a page again and again until it says so."""
        deadline = time.monotonic() + within_s
        while True:
            answer = self.get(url)
            if is_done(answer):
                return answer
            if time.monotonic() > deadline:
                raise JourneyFailed(f"{what}: not within {within_s:.0f} s; {url} says: {answer.words[:500]}")
            time.sleep(POLL_S)

    def _token(self) -> str:
        if not self.csrf:
            self.get("/sign-in")
        return self.csrf

    def _expect(self, answer: Answer, status: int | None) -> Answer:
        if status is not None and answer.status != status:
            raise JourneyFailed(f"{answer.url} answered {answer.status}, not {status}: {answer.words[:600]}")
        return answer

    def _follow(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        url = urljoin(self.base, url)
        for _ in range(REDIRECTS_MAX):
            answer = self._once(method, url, body, headers)
            location = answer.headers.get("location")
            if answer.status not in {301, 302, 303, 307, 308} or not location:
                return answer
            url = urljoin(url, location)
            if answer.status in {301, 302, 303}:
                method, body = "GET", None
                headers = {name: value for name, value in headers.items() if name != "Content-Type"}
        raise JourneyFailed(f"{url} redirects without end")

    def _once(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        sent = {"Accept": "text/html", "Accept-Language": "zh-CN", "User-Agent": "journey", **headers}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request(method, target or "/", body, sent)
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        self._keep(response)
        found = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, url, found, data)
        token = CSRF.search(answer.text) if "html" in found.get("content-type", "") else None
        self.csrf = html.unescape(token[1]) if token else self.csrf
        return answer

    def _keep(self, response: http.client.HTTPResponse) -> None:
        for line in response.headers.get_all("Set-Cookie") or []:
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value


def _form(fields: Fields, files: Mapping[str, File]) -> tuple[bytes, str]:
    pairs = [(name, one) for name, value in fields.items() for one in ([value] if isinstance(value, str) else value)]
    if not files:
        return urlencode(pairs).encode(), "application/x-www-form-urlencoded"
    mark = uuid.uuid4().hex
    head = f"--{mark}\r\nContent-Disposition: form-data; name="
    parts = [f'{head}"{name}"\r\n\r\n{value}\r\n'.encode() for name, value in pairs]
    for name, file in files.items():
        named = f'"{name}"; filename="{file.name}"\r\nContent-Type: {file.kind}'
        parts += [f"{head}{named}\r\n\r\n".encode(), file.data, b"\r\n"]
    parts.append(f"--{mark}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={mark}"
