"""The house keeps its order: rooms import downwards only, nothing imports itself round a corner."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import planner
from planner import errors

PACKAGE = Path(planner.__file__).parent
# Rooms that have an issue of their own stand here already: their place is decided.
LAYERS = (
    {"__init__", "__main__"},
    {"cli"},
    {"service"},
    {"api"},
    {"execution", "lab"},
    {"artifacts"},
    {"policy"},
    {"budget", "difficulty"},
    {"strategies", "store", "formats"},
    {"curves"},
    {"core", "texts"},
    {"config", "compiled"},
    {"errors"},
)
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
MODULES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {module_name(path): path for path in MODULES}


def room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports(path: Path, *, runtime_top_level: bool = False) -> Iterator[str]:
    """Modules of the planner that a file imports; only those that its own import loads, if asked for."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in walk(tree, top_level=runtime_top_level):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "planner")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the room"
            if node.module is not None and node.module.split(".")[0] == "planner":
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    yield inner if inner in NAMES else node.module


def walk(tree: ast.AST, *, top_level: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(tree):
        if top_level and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if top_level and isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from walk(child, top_level=top_level)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_module_imports_only_lower_rooms_and_its_own(name: str):
    own = room(name)
    for imported in imports(NAMES[name]):
        other = room(imported)
        if other == own or imported == "planner":
            continue
        assert RANK[own] < RANK[other], f"{name} ({own}) imports {imported} ({other})"


def test_every_room_has_its_place_in_the_order():
    assert {room(name) for name in NAMES} <= RANK.keys()


def test_no_import_goes_round_in_a_circle():
    graph = {name: sorted(set(imports(path, runtime_top_level=True)) - {name}) for name, path in NAMES.items()}
    finished: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " > ".join((*way, name))
        if name not in finished:
            for imported in graph.get(name, ()):
                # A package's own __init__ gathers its modules: their import of it by name is the circle that counts.
                visit(imported, (*way, name))
            finished.add(name)

    for name in graph:
        visit(name, ())


def test_the_docstring_of_the_errors_draws_every_class():
    classes = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
    assert errors.__doc__ is not None
    assert {name for name in classes if name not in errors.__doc__} == set()


def test_every_error_is_a_planner_error_with_its_parents_codes():
    for value in vars(errors).values():
        if inspect.isclass(value) and issubclass(value, errors.PlannerError) and value is not errors.PlannerError:
            parent = next(base for base in value.__mro__[1:] if issubclass(base, errors.PlannerError))
            if parent is not errors.PlannerError:
                assert (value.exit_code, value.http_status) == (parent.exit_code, parent.http_status)


@pytest.mark.parametrize(
    ("error", "exit_code", "status"),
    [
        (errors.PlannerError, 1, 500), (errors.InvalidInput, 2, 422), (errors.NotReady, 3, 409),
        (errors.ArtifactError, 4, 500), (errors.StoreError, 5, 503), (errors.EndpointError, 6, 502),
    ],
)  # fmt: skip
def test_exit_codes_are_as_documented(error: type[errors.PlannerError], exit_code: int, status: int):
    assert (error.exit_code, error.http_status) == (exit_code, status)


def test_public_names_are_these():
    assert set(planner.__all__) == {
        "Alternative", "Arm", "Budget", "Cost", "Difficulty", "Forecast", "ModelCard", "Planner", "PlannerError",
        "Probe", "Recommendation", "Run", "RunResult", "Sample", "__version__",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(planner.__all__) - {"Planner"}))
def test_a_public_name_can_be_imported(name: str):
    assert getattr(planner, name) is not None


def test_an_unknown_name_is_no_attribute_of_the_package():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = planner.nonsense
