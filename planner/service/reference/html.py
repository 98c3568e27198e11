"""The reference as one HTML page: routes with parameters, bodies, answers and examples, then the types."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape
from typing import Any

from planner.service.reference.schemas import Schema, example_of, kind_html, limits_of, name_of

HERE = "http://127.0.0.1:8321"
_CODE = re.compile(r"`([^`]+)`")
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>planner: HTTP API</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/app.css">
<link rel="stylesheet" href="/static/reference.css">
</head>
<body class="reference">
<a class="skip" href="#main">Skip to the content</a>
"""


def page_of(spec: Schema, role: Callable[[str, str], str]) -> str:
    """The page of an OpenAPI schema. role: the least role of a token that a method of a path takes."""
    components = spec.get("components", {}).get("schemas", {})
    by_tag: dict[str, list[tuple[str, str, Schema]]] = {}
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation.get("tags", ["other"])[0], []).append((method, path, operation))
    return "\n".join(
        (
            _HEAD,
            *_top(spec, by_tag),
            '<main id="main" tabindex="-1">',
            *(line for tag, found in by_tag.items() for line in _section(tag, found, components, role)),
            '<section aria-labelledby="types"><h2 id="types">Types</h2>',
            *(line for name in sorted(components) for line in _type(name, components[name])),
            "</section></main></body></html>\n",
        )
    )


def _top(spec: Schema, by_tag: Mapping[str, list[tuple[str, str, Schema]]]) -> Iterator[str]:
    about = spec["info"]
    yield f"<header><h1>{escape(about['title'])} {escape(about['version'])}: HTTP API</h1>"
    yield f"<p>{_words(about.get('description', ''))} Bodies and answers are JSON. Where the service has tokens, send "
    yield "<code>Authorization: Bearer TOKEN</code>; each route names the least role. Errors are problem details "
    yield "(<code>application/problem+json</code>), under the gateway in OpenAI's form.</p>"
    yield '<p><a href="/">Dashboard</a> · <a href="/openapi.json">openapi.json</a> · <a href="#types">Types</a></p>'
    yield '<nav aria-label="Routes">'
    for tag, found in by_tag.items():
        yield f"<details open><summary>{escape(tag.capitalize())}</summary><ul>"
        for method, path, operation in found:
            name = f'<span class="method {method}">{method.upper()}</span> <code>{_breakable(path)}</code>'
            yield f'<li><a href="#{_anchor(method, path)}">{name}</a> {_words(operation.get("summary", ""))}</li>'
        yield "</ul></details>"
    yield "</nav></header>"


def _section(
    tag: str,
    found: Iterable[tuple[str, str, Schema]],
    components: Mapping[str, Schema],
    role: Callable[[str, str], str],
) -> Iterator[str]:
    yield f'<section><h2 id="tag-{escape(tag.replace(" ", "-"))}">{escape(tag.capitalize())}</h2>'
    for method, path, operation in found:
        yield f'<article id="{_anchor(method, path)}">'
        yield f'<h3><span class="method {method}">{method.upper()}</span> <code>{_breakable(path)}</code></h3>'
        summary, more = (_words(operation.get(part, "")) for part in ("summary", "description"))
        yield f"<p><strong>{summary}</strong> {more}</p>"
        yield f'<p class="quiet">Token: {escape(role(method.upper(), path))}</p>'
        yield from _parameters(operation.get("parameters", ()))
        yield from _body(method, path, operation, components)
        yield from _answers(operation["responses"], components)
        yield "</article>"
    yield "</section>"


def _parameters(parameters: Iterable[Schema]) -> Iterator[str]:
    rows = [
        [
            f"<code>{escape(one['name'])}</code>",
            escape(one["in"]),
            kind_html(one["schema"]),
            _notes(one["schema"], required=one.get("required", False)),
        ]
        for one in parameters
    ]
    if rows:
        yield from _table("Parameters", ("name", "in", "type", "notes"), rows)


def _body(method: str, path: str, operation: Schema, components: Mapping[str, Schema]) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        yield from _example("Example", f"curl {HERE}{path}" if method == "get" else f"curl -X POST {HERE}{path}")
        return
    schema = content["schema"]
    yield f"<h4>Body</h4><p>{kind_html(schema)}</p>"
    for number, value in enumerate(_examples(schema, components)):
        told = json.dumps(value, indent=2, ensure_ascii=False).replace("'", r"'\''")
        command = f"curl {HERE}{path} -H 'Content-Type: application/json' -d '{told}'"
        yield from _example("Another example" if number else "Example", command)


def _examples(schema: Schema, components: Mapping[str, Schema]) -> list[Any]:
    name = name_of(schema)
    found = (schema if name is None else components[name]).get("examples")
    if found:
        return list(found)
    several = schema.get("anyOf") or schema.get("oneOf")
    if several:
        return [value for one in several for value in _examples(one, components)]
    return [example_of(schema, components)]


def _answers(responses: Mapping[str, Schema], components: Mapping[str, Schema]) -> Iterator[str]:
    rows, example = [], None
    for status, told in responses.items():
        content = told.get("content", {})
        schema = next((one["schema"] for one in content.values() if one.get("schema")), None)
        kind = "no body" if schema is None else kind_html(schema)
        kinds = ", ".join(f"<code>{escape(media)}</code>" for media in content)
        rows.append([f"<code>{escape(status)}</code>", kind, kinds, _words(told.get("description", ""))])
        if status.startswith("2") and schema is not None and content.get("application/json"):
            example = example_of(schema, components)
    yield from _table("Answers", ("status", "type", "as", "what"), rows)
    if example is not None:
        yield from _example("An answer's form", json.dumps(example, indent=2, ensure_ascii=False))


def _type(name: str, schema: Schema) -> Iterator[str]:
    yield f'<article id="type-{escape(name)}"><h3>{escape(name)}</h3>'
    for part in filter(None, str(schema.get("description", "")).split("\n\n")):
        yield f"<p>{_words(part)}</p>"
    members = schema.get("properties")
    if members:
        needed = set(schema.get("required", ()))
        rows = [
            [f"<code>{escape(member)}</code>", kind_html(one), _notes(one, required=member in needed)]
            for member, one in members.items()
        ]
        yield from _table(f"Members of {name}", ("member", "type", "notes"), rows)
    elif "enum" in schema or "anyOf" in schema or "oneOf" in schema:
        yield f"<p>{kind_html(schema)}</p>"
    yield "</article>"


def _notes(schema: Schema, *, required: bool) -> str:
    told = ["needed"] if required else []
    if schema.get("default") not in (None, [], {}, ()):
        told.append(f"default <code>{escape(json.dumps(schema['default']))}</code>")
    told += [escape(limits)] if (limits := limits_of(schema)) else []
    told += [_words(schema["description"])] if schema.get("description") else []
    return "; ".join(told)


def _table(caption: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    names = list(head)
    yield f'<table class="stack"><caption>{escape(caption)}</caption><thead><tr>'
    yield "".join(f'<th scope="col">{escape(name)}</th>' for name in names) + "</tr></thead><tbody>"
    for row in rows:
        cells = zip(names, row, strict=True)
        yield "<tr>" + "".join(f'<td data-label="{name}"><span>{cell}</span></td>' for name, cell in cells) + "</tr>"
    yield "</tbody></table>"


def _example(what: str, text: str) -> Iterator[str]:
    yield f'<details><summary>{escape(what)}</summary><pre tabindex="0">{escape(text)}</pre></details>'


def _words(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text, quote=False))


def _breakable(path: str) -> str:
    return escape(path).replace("/", "/<wbr>")


def _anchor(method: str, path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{method}{path}".lower()).strip("-")
