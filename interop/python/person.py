"""A person in front of a browser without JavaScript: follows redirects, signs in, consents, signs out."""

import re
from urllib.parse import urljoin, urlsplit

import httpx

from forms import Form, forms

MOST_STEPS = 30


class Person:
    """Keeps cookies from one walk to the next, as a browser does."""

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password
        self._browser = httpx.Client(headers={"accept": "text/html"}, follow_redirects=False)

    def walk(self, start: str, end: str) -> tuple[str, list[str]]:
        """Goes from `start` until the provider redirects to `end`; returns that URL and the pages met."""
        pages: list[str] = []
        url, body = start, None
        for _ in range(MOST_STEPS):
            if _is_at(url, end):
                return url, pages
            response = self._send(url, body)
            if response.is_redirect:
                if response.status_code not in (302, 303):
                    raise RuntimeError(f"HTTP {response.status_code}: a redirect must be 302 or 303 here")
                url, body = urljoin(url, response.headers["location"]), None
            else:
                url, body = self._answer(response, pages)
        raise RuntimeError(f"not at {end} after {MOST_STEPS} requests; pages met: {', '.join(pages)}")

    def _send(self, url: str, body: dict[str, list[str]] | None) -> httpx.Response:
        if body is None:
            return self._browser.get(url)
        parts = urlsplit(url)
        return self._browser.post(url, data=body, headers={"origin": f"{parts.scheme}://{parts.netloc}"})

    def _answer(self, response: httpx.Response, pages: list[str]) -> tuple[str, dict[str, list[str]]]:
        """Fills in the form of a page."""
        all_forms = forms(response.text, str(response.url))
        for kind, fill in (("login", self._login), ("consent", _consent), ("logout", _logout)):
            form = _with_hidden(all_forms, f"{kind}_challenge")
            if form is None:
                continue
            if kind == "login" and "login" in pages:
                raise RuntimeError("the sign-in page came back: were identifier and password refused?")
            if form.method != "post":
                raise RuntimeError(f"the {kind} form does not post")
            pages.append(kind)
            body: dict[str, list[str]] = {}
            for name, value in form.hidden() + fill(form):
                if value not in body.setdefault(name, []):
                    body[name].append(value)
            return form.action, body
        raise RuntimeError(
            f"HTTP {response.status_code} at {response.url.path}, and no form known here: "
            f"{_excerpt(response.text)}"
        )

    def _login(self, _form: Form) -> list[tuple[str, str]]:
        return [("identifier", self._username), ("password", self._password), ("action", "login")]


def _consent(form: Form) -> list[tuple[str, str]]:
    scopes = [("grant_scope", scope) for scope in form.values("grant_scope")]
    return [*scopes, ("remember", "true"), ("action", "accept")]


def _logout(_form: Form) -> list[tuple[str, str]]:
    return [("action", "accept")]


def _with_hidden(all_forms: list[Form], name: str) -> Form | None:
    return next((form for form in all_forms if name in dict(form.hidden())), None)


def _is_at(url: str, end: str) -> bool:
    here, there = urlsplit(url), urlsplit(end)
    return (here.scheme, here.netloc, here.path) == (there.scheme, there.netloc, there.path)


def _excerpt(html: str) -> str:
    without_code = re.sub(r"<(style|script).*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", without_code).split())[:300]
