"""Who may do what: bearer tokens with roles; without any token the service stays on this machine."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from planner.config import Settings
from planner.errors import InvalidInput


class Role(IntEnum):
    """What a token allows; each role may do what the ones before it may."""

    NONE = 0
    READ = 1
    LOG = 2
    ADMIN = 3


# The first that matches the method and the head of the path decides; what no line names takes an administrator.
_NEEDED: tuple[tuple[str, str, Role], ...] = (
    ("GET", "/healthz", Role.NONE),
    ("GET", "/readyz", Role.NONE),
    ("GET", "/static/", Role.NONE),
    ("GET", "/favicon.ico", Role.NONE),
    ("GET", "/", Role.READ),
    ("POST", "/v1/recommendations", Role.READ),
    ("POST", "/v1/runs", Role.LOG),
    ("POST", "/v1/chat/completions", Role.LOG),
)


@dataclass(frozen=True)
class Tokens:
    """The tokens that are set, with their roles. Without any, everyone on this machine is an administrator."""

    roles: tuple[tuple[bytes, Role], ...]

    @classmethod
    def of(cls, settings: Settings) -> Tokens:
        """From the settings; several tokens of one role are separated by commas."""
        given = (
            (settings.service_read_token, Role.READ),
            (settings.service_log_token, Role.LOG),
            (settings.service_token, Role.ADMIN),
        )
        return cls(
            tuple(
                (token.strip().encode(), role)
                for secret, role in given
                if secret is not None
                for token in secret.get_secret_value().split(",")
                if token.strip()
            )
        )

    def __bool__(self) -> bool:
        return bool(self.roles)

    def role(self, authorization: bytes | None) -> Role:
        """The role of an Authorization header's value; every token is compared, in constant time."""
        if not self.roles:
            return Role.ADMIN
        scheme, _, given = (authorization or b"").partition(b" ")
        found = Role.NONE
        for token, role in self.roles:
            if hmac.compare_digest(token, given.strip()) and scheme.lower() == b"bearer":
                found = max(found, role)
        return found


@lru_cache(maxsize=1024)
def needed(method: str, path: str) -> Role:
    """The role that a request takes. The dashboard's page holds no data: it and its assets are for everyone."""
    if path == "/" and method in {"GET", "HEAD"}:
        return Role.NONE
    method = "GET" if method == "HEAD" else method
    return next((role for verb, head, role in _NEEDED if verb == method and path.startswith(head)), Role.ADMIN)


def check_host(host: str, tokens: Tokens) -> None:
    """Raise InvalidInput where the service would be open to other machines without a token."""
    if tokens or is_loopback(host):
        return
    raise InvalidInput(
        f"without a token the service listens on loopback only, not on {host!r}: set PLANNER_SERVICE_TOKEN"
    )


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    if host.rstrip(".").lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
