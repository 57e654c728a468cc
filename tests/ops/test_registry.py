"""The registry knows every operation and its module before it imports either, and imports no more than is asked."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import rax.ops
from rax.ir.errors import RaxError
from rax.ir.op import REGISTRY, Op, Registry
from rax.ops.shape import Flip

ROOT = Path(__file__).parent.parent.parent

KNOWN = """
import sys
import rax.ops
before = [name for name in sys.modules if name.startswith("rax.ops.")]
names = list(rax.ops.registry())
after = [name for name in sys.modules if name.startswith("rax.ops.")]
assert before == after == [], after
assert rax.ops.registry()["flip"].name == "flip" and "flip" in rax.ops.registry()
assert "rax.ops.shape" in sys.modules and "rax.ops.spectral" not in sys.modules
print(*names)
"""


def operations() -> dict[str, str]:
    """The module of each of rax's own operations, from the classes of every module."""
    modules = [found.name for found in pkgutil.walk_packages(rax.ops.__path__, "rax.ops.") if not found.ispkg]
    classes = {
        value for module in modules for value in vars(importlib.import_module(module)).values()
        if isinstance(value, type) and issubclass(value, Op) and "since" in vars(value) and value.since
    }  # fmt: skip
    return {cls.name: cls.__module__ for cls in classes}


def test_every_operation_is_known_before_its_module_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", KNOWN], capture_output=True, text=True, check=True, cwd=ROOT)
    due = operations()
    assert sorted(done.stdout.split()) == sorted(due)
    assert {name: REGISTRY[name].__module__ for name in due} == due


def test_an_unknown_name_is_in_no_registry() -> None:
    assert "flop" not in REGISTRY
    assert REGISTRY.get("flop") is None
    with pytest.raises(KeyError):
        REGISTRY["flop"]


def test_a_name_is_taken_before_its_module_is_imported() -> None:
    registry = Registry()
    registry.provide({"flip": "rax.ops.elsewhere"})
    with pytest.raises(RaxError, match="the operation 'flip' exists already"):
        registry.add(Flip)
    assert (list(registry), len(registry)) == (["flip"], 1)
