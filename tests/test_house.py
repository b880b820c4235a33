"""The rules of the house, held by reading its files."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("distillery", "materializers", "steps", "pipelines")
CODE = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
ROOT_MODULES = {"errors", "spec", "kinds", "progress", "peak_memory"}  # every floor may use these
FLOORS: dict[str, set[str]] = {
    "errors": set(),
    "progress": set(),
    "peak_memory": set(),
    "spec": {"errors"},
    "kinds": {"errors", "spec"},
    "data": ROOT_MODULES,
    "evaluation": ROOT_MODULES | {"data", "export"},
    "distillation": ROOT_MODULES | {"data"},
    "networks": ROOT_MODULES | {"data", "distillation", "export"},
    "trees": ROOT_MODULES | {"data", "export"},
    "teachers": ROOT_MODULES | {"data", "networks", "trees", "export"},
    "export": ROOT_MODULES | {"data"},
    "scoring": ROOT_MODULES | {"data", "export"},
    "students": ROOT_MODULES | {"data", "distillation", "networks", "trees", "export"},
    "promotion": ROOT_MODULES | {"evaluation"},
    "report": ROOT_MODULES | {"data", "evaluation", "teachers", "distillation", "students", "promotion", "export"},
    "config": ROOT_MODULES
    | {"data", "evaluation", "teachers", "distillation", "students", "promotion", "export", "report"},
    "library": ROOT_MODULES | {"data", "evaluation", "teachers", "distillation", "students", "export", "config"},
}
LONGEST_FUNCTION, LONGEST_FILE = 60, 500


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, at the top or inside a function."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parent.parts
            up = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*up, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def under(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def room_of(path: Path) -> str:
    """The floor a file of the domain lies on."""
    part = path.relative_to(ROOT / "distillery").parts[0]
    return part.removesuffix(".py")


DOMAIN = [path for path in CODE if name(path).startswith("distillery/")]


@pytest.mark.parametrize("path", DOMAIN, ids=name)
def test_the_domain_knows_neither_frameworks_nor_rooms_above(path: Path) -> None:
    """``distillery`` can be used without a pipeline."""
    strangers = ("zenml", "mlflow", "steps", "pipelines", "materializers", "tests", "benchmarks", "infra")
    assert [m for m in imports(path) if any(under(m, s) for s in strangers)] == []


@pytest.mark.parametrize("path", [p for p in DOMAIN if room_of(p) != "__init__"], ids=name)
def test_the_floors_hold(path: Path) -> None:
    """No room imports one on its own height or above."""
    room = room_of(path)
    allowed = {f"distillery.{floor}" for floor in (*FLOORS[room], room)}
    own = {m for m in imports(path) if under(m, "distillery") and m != "distillery"}
    found = {m for m in own if not any(under(m, a) or under(a, m) for a in allowed)}
    assert found == set()


@pytest.mark.parametrize("room", ["distillery", "distillery.data.sources", "distillery.data.validation"])
def test_every_room_of_the_domain_has_its_floor(room: str) -> None:
    """A new room must be given a place in the table above."""
    folder = ROOT / room.replace(".", "/")
    if room == "distillery":
        assert {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()} <= {
            *FLOORS,
            "__init__",
        }
    assert (folder / "__init__.py").exists()


@pytest.mark.parametrize("path", [p for p in CODE if name(p).startswith("materializers/")], ids=name)
def test_materializers_know_only_the_domain(path: Path) -> None:
    """They are below the steps, not beside them."""
    assert [m for m in imports(path) if under(m, "steps") or under(m, "pipelines")] == []


@pytest.mark.parametrize("path", [p for p in CODE if name(p).startswith("steps/")], ids=name)
def test_steps_do_not_know_pipelines(path: Path) -> None:
    """A step can stand in any pipeline."""
    assert [m for m in imports(path) if under(m, "pipelines")] == []


@pytest.mark.parametrize("path", CODE, ids=name)
def test_nothing_is_pickled(path: Path) -> None:
    """A pickle runs code when it is loaded."""
    assert {m.split(".")[0] for m in imports(path)} & {"pickle", "joblib", "cloudpickle", "dill", "marshal"} == set()
    calls = {ast.unparse(node.func) for node in ast.walk(tree(path)) if isinstance(node, ast.Call)}
    assert calls & {"torch.load", "torch.save", "pd.read_pickle", "np.save"} == set()


@pytest.mark.parametrize(
    "path", sorted(p for r in (*ROOMS, "tests", "infra") for p in (ROOT / r).rglob("*.py")), ids=name
)
def test_yaml_is_loaded_safely(path: Path) -> None:
    """``yaml.load`` can build any object."""
    used = {n.attr for n in ast.walk(tree(path)) if isinstance(n, ast.Attribute) and ast.unparse(n.value) == "yaml"}
    assert {attribute for attribute in used if "load" in attribute} <= {"safe_load"}


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


@pytest.mark.parametrize("path", CODE, ids=name)
def test_functions_and_files_are_short(path: Path) -> None:
    """What is longer does more than one thing."""
    functions = [n for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {f.name: body_lines(f) for f in functions if body_lines(f) > LONGEST_FUNCTION} == {}
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


PACKAGES = [
    ".".join(path.parent.relative_to(ROOT).parts)
    for path in CODE
    if path.name == "__init__.py" and "__all__" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("package", PACKAGES)
def test_all_is_complete_and_sorted(package: str) -> None:
    """``__all__`` lists every public name once: constants, then classes, then functions, each in order."""
    module = importlib.import_module(package)
    listed = list(module.__all__)
    groups = [[n for n in listed if n.isupper()], [n for n in listed if n[0].isupper() and not n.isupper()]]
    groups.append([n for n in listed if n[0].islower()])
    assert listed == [n for group in groups for n in sorted(group)]
    assert len(set(listed)) == len(listed)
    assert [n for n in listed if not hasattr(module, n)] == []
    source = tree(Path(inspect.getfile(module)))
    again = {a.asname for n in source.body if isinstance(n, ast.ImportFrom) for a in n.names if a.asname == a.name}
    defined = {n.name for n in source.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    assert {n for n in again | defined if n and not n.startswith("_")} <= set(listed)


@pytest.mark.parametrize(
    "package", [p for p in (".".join(p.parent.relative_to(ROOT).parts) for p in DOMAIN) if p.count(".") == 1]
)
def test_every_room_has_a_front_door(package: str) -> None:
    """Each room of the domain says in ``__all__`` what it offers."""
    assert hasattr(importlib.import_module(package), "__all__")


def committed() -> list[Path]:
    """The text files under version control."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    paths = [ROOT / one for one in listed.stdout.split("\0") if one]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


# Written in pieces, so that this file is not its own finding.
FOREIGN = {
    "an absolute home path": re.compile(
        "/(?:" + "|".join(["ho" + "me", "Us" + "ers"]) + r")/\w|/ro" + r"ot/|C:\\Us" + "ers"
    ),
    "a package index": re.compile(r"--(?:extra-)?index" + r"-url[ =]+\S|https?://\S*/simp" + "le(?:/|$)", re.MULTILINE),
    "an address with a secret": re.compile(r"https?://[^\s/@:]+:[^\s/@]+" + "@"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_no_file_names_somebodys_machine(what: str) -> None:
    """A clone works anywhere: no committed text holds a private path, a package index or a secret."""
    found = [
        f"{name(path)}: {match.group()}"
        for path in committed()
        for match in FOREIGN[what].finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "path",
    sorted(p for p in (ROOT / "tests").rglob("test_*.py") if p.is_file()),
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_every_test_states_a_fact(path: Path) -> None:
    """Every test has a docstring that says what holds, and none is skipped but on a foreign platform."""
    tests = [n for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
    assert tests
    assert [t.name for t in tests if not ast.get_docstring(t)] == []
    marks = {ast.unparse(d) for t in tests for d in t.decorator_list}
    assert [mark for mark in marks if "skip" in mark and "skipif(sys.platform" not in mark] == []
