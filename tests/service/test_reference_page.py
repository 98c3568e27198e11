"""The API's reference as a page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest


class Parsed(HTMLParser):
    """Ids, links and elements of a page; every element that opens must close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids, self.links, self.tags = set(), [], []
        self._open = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids |= {value for name, value in attrs if name == "id"}
        self.links += [value for name, value in attrs if name == "href"]
        if tag not in {"meta", "link", "wbr"}:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag


@pytest.fixture
def text(client) -> str:
    answer = client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


def test_every_route_of_the_schema_is_told_of(client, text):
    plain = re.sub(r"<[^>]+>", "", text)
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in plain


def test_every_link_within_the_page_has_its_target(text):
    page = Parsed(text)
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids


def test_all_that_it_loads_comes_from_the_service_and_nothing_is_inline(client, text):
    page = Parsed(text)
    loaded = [attrs["href"] for tag, attrs in page.tags if tag == "link"]
    assert loaded
    assert all(client.get(link).status_code == 200 for link in loaded)
    assert not {tag for tag, _ in page.tags} & {"script", "style", "img", "iframe"}
    assert not [name for _, attrs in page.tags for name in attrs if name == "style" or name.startswith("on")]


def test_the_examples_of_bodies_are_taken_by_their_routes(client, text):
    asked = 0
    for path, body in re.findall(
        r"curl http://127.0.0.1:8321(/v1/r[a-z]+) .*? -d &#x27;(.*?)&#x27;</pre>", text, re.DOTALL
    ):
        answer = client.post(path, json=json.loads(body.replace("&quot;", '"')))
        assert answer.is_success, (path, body, answer.text)
        asked += 1
    assert asked >= 3


def test_it_takes_a_token_as_the_schema_does_and_its_assets_take_none(serve):
    client = serve(service_read_token="secret")
    for path in ("/docs", "/openapi.json"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"Authorization": "Bearer secret"}).status_code == 200
    for path in ("/", "/static/app.css", "/static/reference.css"):
        assert client.get(path).status_code == 200


def test_what_a_schema_says_is_text_on_the_page():
    from planner.service.reference.html import page_of

    evil = "<script>alert(1)</script>"
    spec = {
        "info": {"title": evil, "version": evil, "description": evil},
        "paths": {"/x": {"get": {"summary": evil, "tags": [evil], "responses": {"200": {"description": evil}}}}},
        "components": {"schemas": {"A": {"description": evil, "properties": {evil: {"default": evil}}}}},
    }
    assert "<script" not in page_of(spec, lambda *_: evil)
