from __future__ import annotations

import random
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InvalidInput
from planner.execution.openai.address import Address
from planner.execution.openai.complaints import excerpt
from planner.execution.openai.retries import Backoff, retry_after_seconds

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://localhost:8000/", "http://localhost:8000/v1"),
        (" https://api.example.com/v1/ ", "https://api.example.com/v1"),
        ("https://api.example.com/openai/v1/chat/completions", "https://api.example.com/openai/v1"),
        ("https://api.example.com/v1/models", "https://api.example.com/v1"),
        ("https://me:secret@api.example.com/v1?key=hidden#part", "https://api.example.com/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
    ],
)
def test_an_address_has_a_name_without_secrets(url: str, name: str):
    address = Address.of(url)
    assert address.name == name
    assert not {"secret", "hidden"} & set(repr(address).replace("=", " ").split())


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://a/v1", "http://", "http://a:99999", "http://[::1", "lab"])
def test_what_is_no_address_is_refused_with_an_example(url: str):
    with pytest.raises(InvalidInput, match="URL"):
        Address.of(url)


def test_a_refused_address_does_not_show_its_password():
    with pytest.raises(InvalidInput) as caught:
        Address.of("ftp://me:hush@example.com?key=hidden")
    assert "hush" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_password_is_kept_back_as_it_is_sent_too():
    secrets = Address.of("https://me:hush@example.com/v1").secrets
    assert {"hush", b64encode(b"me:hush").decode()} <= set(secrets)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None), ("3", 3.0), ("0.5", 0.5), ("-4", 0.0), ("soon", None), ("nan", None), ("inf", None), ("", None),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0), ("Thu, 01 Jan 2026 00:00:30 -0000", 30.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_retry_after_is_read_as_seconds_or_date(header: str | None, seconds: float | None):
    assert retry_after_seconds(header, NOW) == seconds


@given(st.integers(1, 30), st.none() | st.floats(0, 60), st.integers(0, 99))
def test_a_wait_is_bounded_and_no_shorter_than_asked(failures: int, asked: float | None, seed: int):
    wait = Backoff().wait_seconds(failures, asked, random.Random(seed))
    assert (asked or 0.0) <= wait <= (20.0 if asked is None else asked + 1.0)


@given(st.text(max_size=300), st.text(max_size=300))
def test_an_excerpt_is_short_one_line_and_without_the_secret(before: str, after: str):
    shown = excerpt(f"{before}QX-SECRET-QX{after}".encode("utf-8", "replace"), ["QX-SECRET-QX"])
    assert "SECRET" not in shown
    assert len(shown) <= 203
    assert shown.isprintable()
