"""The layers of docs/architecture.md, read from the imports of every module."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "rax"


@dataclass(frozen=True)
class Layer:
    """What the modules of one room may import: other rooms, and libraries outside the standard one."""

    rooms: str = ""
    libraries: str = ""


FRONT = "ir ops autodiff passes runtime frontend"
LAYERS = {
    "ir": Layer(),
    "ops": Layer("ir", "numpy"),
    "autodiff": Layer("ir ops"),
    "passes": Layer("ir ops"),
    "format": Layer("ir", "msgpack numpy"),
    "runtime": Layer("ir ops passes", "networkx numpy"),
    "frontend": Layer(FRONT, "numpy"),
    "numpy": Layer(FRONT, "numpy opt_einsum"),
    "special": Layer(f"{FRONT} numpy"),
    "random": Layer(f"{FRONT} numpy special", "numpy"),
    "nn": Layer(f"{FRONT} numpy special random", "numpy"),
    "optim": Layer(f"{FRONT} numpy", "numpy"),
    "viz": Layer("ir format", "graphviz networkx"),
    "interop": Layer(f"{FRONT} numpy format"),
    "cli": Layer(f"{FRONT} format viz", "numpy"),
}
"""Every room, with what it may import besides itself and the standard library."""

# A whole room may not: only these modules of it.
ONLY_HERE = {
    ("format", "numpy"): {"rax.format.tensors"},
    ("numpy", "opt_einsum"): {"rax.numpy.einsum"},
    ("runtime", "networkx"): {"rax.runtime.remat"},
}

# A string names what is imported, so nothing here can read it; each place says why it must.
IMPORTS_BY_NAME = {
    "rax": "the public names are imported when first used",
    "rax.frontend.names": "where a name is missing, modules above it may have it",
    "rax.ir.late": "what is imported late is read here as any other import",
    "rax.ir.op": "the registry imports the module of an operation when that is asked for",
    "rax.ir.services": "the IR may not import the layers that run, draw and print a graph",
    "rax.ops.arrays": "ml_dtypes is imported when a dtype of its own is first met",
}

# What transforms and applies rules names no operation: a rule that needs one belongs on the operation, or,
# where it rewrites one operation into others, in one of these modules of rules.
RULES = {
    f"rax.passes.{name}"
    for name in (
        "accumulation", "attention", "canonical", "choosing", "control", "decompose", "fold", "hoisting", "joining",
         "loops", "parts", "places", "products", "scaling",
    )
}  # fmt: skip
MACHINERY_SEES = {"rax.ops.algebra", "rax.ops.families", "rax.ops.samples"}


@dataclass(frozen=True)
class Import:
    """One imported module, at a line of another."""

    module: str
    target: str
    line: int
    in_function: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def syntax(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports_of(module: str) -> Iterator[Import]:
    """Every import of a module, late ones too; those a type checker alone sees, but not in the lazy package root."""
    pending: list[tuple[ast.AST, bool]] = [(syntax(module), False)]
    while pending:
        node, in_function = pending.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, in_function)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} has a relative import"
            assert node.module is not None
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            names = below & set(MODULES)
            for target in sorted(names | ({node.module} if below - names else set())):
                yield Import(module, target, node.lineno, in_function)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "late":
            (name, function) = node.args
            assert not in_function, f"{module}:{node.lineno}: what is imported late is said at the top"
            assert isinstance(name, ast.Constant)
            assert isinstance(function, ast.Constant)
            assert hasattr(importlib.import_module(str(name.value)), str(function.value))
            yield Import(module, str(name.value), node.lineno, in_function=False)
        elif not (module == "rax" and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            inner = in_function or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            pending += [(child, inner) for child in ast.iter_child_nodes(node)]


IMPORTS = [found for module in MODULES for found in imports_of(module)]
OURS = [found for found in IMPORTS if found.target.split(".")[0] == "rax"]
LIBRARIES = [
    found for found in IMPORTS
    if found.target.split(".")[0] not in sys.stdlib_module_names and found not in OURS
]  # fmt: skip


def test_every_room_has_a_layer() -> None:
    assert {room(module) for module in MODULES} - {""} == set(LAYERS)


@pytest.mark.parametrize("name", LAYERS)
def test_rooms_import_only_what_their_layer_allows(name: str) -> None:
    layer = LAYERS[name]
    rooms = {name, *layer.rooms.split()}
    wrong = [found for found in OURS if room(found.module) == name and room(found.target) not in rooms]
    for found in LIBRARIES:
        library = found.target.split(".")[0]
        modules = ONLY_HERE.get((name, library))
        allowed = library in layer.libraries.split() and (modules is None or found.module in modules)
        if name == "interop":  # each module is the one importer of the library it is named after
            allowed = found.module == f"rax.interop.{library}"
        if room(found.module) == name and not allowed:
            wrong.append(found)
    assert not wrong, "\n".join(map(str, wrong))


def test_the_root_imports_only_the_services() -> None:
    assert {found.target for found in OURS if found.module == "rax"} == {"rax.ir.services"}
    assert not [found for found in LIBRARIES if found.module == "rax"]


def test_transforms_and_passes_name_no_operation() -> None:
    machinery = {module for module in MODULES if room(module) in ("autodiff", "passes")} - RULES
    wrong = [
        found for found in OURS
        if found.module in machinery and room(found.target) == "ops" and found.target not in MACHINERY_SEES
    ]  # fmt: skip
    assert not wrong, "\n".join(map(str, wrong))


def test_no_first_party_import_stands_in_a_function() -> None:
    wrong = [found for found in OURS if found.in_function]
    assert not wrong, "\n".join(map(str, wrong))


def test_modules_are_imported_by_name_only_where_listed() -> None:
    def by_name(module: str) -> bool:
        calls = (node for node in ast.walk(syntax(module)) if isinstance(node, ast.Call))
        return any(ast.unparse(call.func).split(".")[-1] in ("import_module", "__import__") for call in calls)

    assert {module for module in MODULES if by_name(module)} == set(IMPORTS_BY_NAME)


def test_no_import_circles() -> None:
    edges = {(found.module, found.target) for found in OURS if found.module != found.target}
    circles = [sorted(part) for part in nx.strongly_connected_components(nx.DiGraph(edges)) if len(part) > 1]
    assert not circles


RUN_PATH = """
import sys
before = set(sys.modules)
import rax.cli.run
import rax.format.files
import rax.runtime.executable
# A module without a file is made in memory by another, as Cython's are.
print(*[name for name in set(sys.modules) - before if getattr(sys.modules[name], "__file__", None)])
"""


def test_the_run_path_imports_numpy_and_msgpack_alone() -> None:
    done = subprocess.run([sys.executable, "-c", RUN_PATH], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = done.stdout.split()
    assert {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names) == {"rax", "numpy", "msgpack"}
    rooms = {room(name) for name in loaded if name.split(".")[0] == "rax"} - {""}
    assert rooms <= {"ir", "ops", "passes", "format", "runtime", "cli"}


SAVED = """
import sys
import numpy as np
import rax
import rax.numpy as rnp

def predict(weight, bias, x):
    return {"y": rax.nn.relu(rnp.matmul(x, weight) + bias)}

x, weight, bias = np.ones((2, 3), "float32"), np.ones((3, 4), "float32"), np.ones(4, "float32")
graph = rax.trace(predict, weight, bias, x=rax.spec(("batch", 3)))
rax.save(rax.Program(predict=graph, defaults={"weight": weight, "bias": bias}), sys.argv[1])
np.save(sys.argv[2], x)
"""
RUN = """
import sys
import numpy
before = set(sys.modules)
from rax.cli.run import main
assert main(sys.argv[1:]) == 0
print(*set(sys.modules) - before)
"""
NEEDLESS = {
    "argparse", "bz2", "concurrent.futures", "copy", "dataclasses", "difflib", "gettext", "heapq", "json", "locale",
    "logging", "lzma", "multiprocessing", "pathlib", "queue", "random", "resource", "secrets", "shutil", "tempfile",
    "unicodedata", "urllib", "zipfile",
}  # fmt: skip
"""Modules of others that a prediction of a small network does without."""
NEEDED = {
    "": "cli format ir ops passes runtime",
    "cli": "ahead archive command commands inputs options results run streams words",
    "format": (
        "attributes container decode files header limits opening paths sizes tensors threads trees versions wire"
    ),
    "ir": (
        "attributes collector dims errors graph late node op program rebuild record services trail tree types"
    ),
    "ops": "algebra arrays broadcasting contraction elementwise families relu samples shape subgraphs",
    "passes": "canonical fold hoisting joining optimise pipeline rule straight",
    "runtime": (
        "arena backends binding buffers cache deadline donation entry executable layout orders plan planning reference"
    ),
    "runtime.backends": "base numpy reference",
    "runtime.backends.numpy": (
        "codegen contraction elementwise instances kernel movement reduction scratch select source step table "
        "temporaries"
    ),
}  # fmt: skip
"""The modules of ours that it needs, by where they lie: each takes time at every start of ``rax-run``.

What a new one is for may be needed by few runs; then :mod:`rax.ir.late` imports it where it is.
"""


def test_a_run_imports_only_what_its_graph_needs(tmp_path: Path) -> None:
    model, x = str(tmp_path / "model.msgpack"), str(tmp_path / "x.npy")
    subprocess.run([sys.executable, "-c", SAVED, model, x], check=True, cwd=ROOT)
    command = [sys.executable, "-c", RUN, model, f"x=@{x}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not [name for name in loaded if name in NEEDLESS or any(name.startswith(f"{each}.") for each in NEEDLESS)]
    due = {
        f"rax.{folder}.{name}" if folder else f"rax.{name}"
        for folder, names in NEEDED.items()
        for name in names.split()
    }
    assert {name for name in loaded if name.startswith("rax.")} == due


def test_the_root_imports_no_library() -> None:
    command = "import sys; before = set(sys.modules); import rax; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.split(".")[0] == "rax"} == {"rax", "rax.ir", "rax.ir.services"}
    assert not loaded & {"numpy", "msgpack", "typing", "dataclasses"}
