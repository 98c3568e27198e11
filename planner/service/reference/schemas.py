"""What JSON schemas say, in few words: types, limits, and examples."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

Schema = Mapping[str, Any]
DEEPEST = 6
_LIMITS = {
    "minimum": "at least {}", "exclusiveMinimum": "above {}", "maximum": "at most {}", "exclusiveMaximum": "below {}",
    "minLength": "at least {} characters", "maxLength": "at most {} characters", "minItems": "at least {} of them",
    "maxItems": "at most {} of them", "format": "{}", "pattern": "like {}",
}  # fmt: skip
_PLAIN: Mapping[str, Any] = {"string": "text", "integer": 1, "number": 0.5, "boolean": True, "null": None}


def name_of(schema: Schema) -> str | None:
    """Name of the component that a schema refers to."""
    reference = schema.get("$ref")
    return str(reference).rpartition("/")[2] if reference else None


def kind_html(schema: Schema) -> str:
    """The type in HTML; components are links to where they are told of."""
    name = name_of(schema)
    if name is not None:
        return f'<a href="#type-{escape(name)}">{escape(name)}</a>'
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(kind_html(one) for one in schema[several]))
    if "const" in schema:
        return f"<code>{escape(repr(schema['const']))}</code>"
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"array of {kind_html(_item(schema))}"
    return escape(str(schema.get("title") if schema.get("properties") else schema.get("type", "anything")))


def limits_of(schema: Schema) -> str:
    """The limits of a value, in words."""
    said = [words.format(schema[name]) for name, words in _LIMITS.items() if name in schema]
    for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        said += [limits_of(one)] if "$ref" not in one else []
    return ", ".join(dict.fromkeys(part for part in said if part))


def example_of(schema: Schema, components: Mapping[str, Schema], depth: int = 0) -> Any:  # noqa: ANN401 - JSON
    """A value as the schema has it: its own example, else one made of its members."""
    given = [*schema.get("examples", ()), *schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    inner = next((schema[several][0] for several in ("anyOf", "oneOf", "allOf") if several in schema), None)
    if given:
        return given[0]
    if (name := name_of(schema)) is not None:
        return example_of(components[name], components, depth)
    if inner is not None:
        return example_of(inner, components, depth)
    if schema.get("type") == "object":
        return _object(schema, components, depth)
    if schema.get("type") == "array":
        return [] if depth >= DEEPEST else [example_of(_item(schema), components, depth + 1)]
    return _plain(schema)


def _plain(schema: Schema) -> Any:  # noqa: ANN401 - JSON
    if schema.get("format") == "date-time":
        return "2026-01-31T12:00:00Z"
    return schema.get("default", _PLAIN.get(str(schema.get("type")), "anything"))


def _item(schema: Schema) -> Schema:
    found: Schema = schema.get("items") or schema.get("prefixItems", [{}])[0]
    return found


def _object(schema: Schema, components: Mapping[str, Schema], depth: int) -> dict[str, Any]:
    if depth >= DEEPEST:
        return {}
    return {name: example_of(one, components, depth + 1) for name, one in schema.get("properties", {}).items()}
