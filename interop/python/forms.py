"""Reads the forms of an HTML page as a browser would."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin


@dataclass
class Field:
    """A field that may be posted."""

    name: str
    value: str
    type: str


@dataclass
class Form:
    """A form: where it posts to, and its fields."""

    action: str
    method: str
    fields: list[Field] = field(default_factory=list)

    def hidden(self) -> list[tuple[str, str]]:
        """The hidden fields, which a browser posts as they are."""
        return [(f.name, f.value) for f in self.fields if f.type == "hidden"]

    def values(self, name: str) -> list[str]:
        """The values of every field of that name."""
        return [f.value for f in self.fields if f.name == name]


def forms(html: str, page_url: str) -> list[Form]:
    """Every form of the page."""
    parser = _Parser(page_url)
    parser.feed(html)
    parser.close()
    return parser.found


class _Parser(HTMLParser):
    def __init__(self, page_url: str) -> None:
        super().__init__(convert_charrefs=True)
        self._page_url = page_url
        self._open: Form | None = None
        self.found: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(
                action=urljoin(self._page_url, attributes.get("action", "")),
                method=attributes.get("method", "get").lower(),
            )
            self.found.append(self._open)
        elif self._open is not None and "name" in attributes:
            self._field(tag, attributes)

    def _field(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "input":
            kind = attributes.get("type", "text").lower()
            default = "on" if kind in ("checkbox", "radio") else ""
        elif tag == "button":
            kind, default = "submit", ""
        else:
            return
        value = attributes.get("value", default)
        self._open.fields.append(Field(attributes["name"], value, kind))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
