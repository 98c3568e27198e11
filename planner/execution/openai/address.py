from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from planner.errors import InvalidInput

_ROUTES = ("/chat/completions", "/completions", "/models")


@dataclass(frozen=True)
class Address:
    """Where a server is: its base URL without secrets, which are kept apart.

    name: the base URL, for people. A query (some gateways want a version there, or a key) is sent with every request,
    yet never shown.
    """

    name: str
    query: str = field(default="", repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, url: str) -> Address:
        """The address of a base URL such as http://localhost:8000/v1, which is also what a bare host is taken for.

        Raises InvalidInput where it is none.
        """
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise InvalidInput(f"the URL of the endpoint cannot be read: {error}") from error
        if parts.scheme not in {"http", "https"} or not host:
            raise InvalidInput(
                f"{cls.shown(url)!r} is no URL of an endpoint: give http:// or https:// and a host, such as "
                "http://localhost:8000/v1"
            )
        path = parts.path.rstrip("/")
        for route in _ROUTES:
            path = path.removesuffix(route)
        place = f"[{host}]" if ":" in host else host
        place = place if port is None else f"{place}:{port}"
        return cls(
            f"{parts.scheme}://{place}{path or '/v1'}",
            query=parts.query,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )

    @staticmethod
    def shown(url: str) -> str:
        """A URL for people: without user, password, query and fragment."""
        bare = url.partition("?")[0].partition("#")[0]
        scheme, mark, rest = bare.rpartition("://")
        place, slash, path = rest.partition("/")
        return scheme + mark + place.rpartition("@")[2] + slash + path

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        parts = urlsplit(self.name)
        return f"{parts.scheme}://{parts.netloc}"

    def credentials(self, api_key: str | None) -> dict[str, str]:
        """The header that tells who asks: user and password of the URL, else the key; none of them, no header."""
        if self.user:
            return {"Authorization": f"Basic {b64encode(f'{self.user}:{self.password}'.encode()).decode()}"}
        return {"Authorization": f"Bearer {api_key}"} if api_key else {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown, the password as it is sent too."""
        sent = b64encode(f"{self.user}:{self.password}".encode()).decode() if self.password else ""
        return tuple(part for part in (self.password, sent, self.query) if part)

    def request(self, path: str) -> str:
        """URL of a route below the base, with the query. One that begins with two slashes is from the server's root."""
        url = self.origin + path[1:] if path.startswith("//") else self.name + path
        return f"{url}?{self.query}" if self.query else url
