"""What a user may rely on, one line a name, as tests/public_api.txt lists it.

``python -m tests.public_api`` prints the list as the code has it now; a change to the file is
a change to the contract and is reviewed as one.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import rax

MODULES = ("numpy", "numpy.fft", "numpy.linalg", "nn", "optim", "random", "special")


def parameters(function: Any) -> str:
    """The parameters of a callable with their defaults, without annotations."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ""
    bare = [item.replace(annotation=inspect.Parameter.empty) for item in signature.parameters.values()]
    return re.sub(r"<function (\w+) at 0x[0-9a-f]+>", r"\1", str(inspect.Signature(bare)))


def members(name: str, cls: type) -> Iterator[str]:
    """The public methods and properties a class defines itself."""
    for key, member in sorted(vars(cls).items()):
        if isinstance(member, property):
            yield f"{name}.{key}"
        elif not key.startswith("_") and callable(getattr(cls, key)):
            yield f"{name}.{key}{parameters(getattr(cls, key))}"


def described(name: str, value: Any) -> Iterator[str]:
    """The lines of one public name."""
    if isinstance(value, type):
        error = issubclass(value, Exception)
        yield f"{name} (error)" if error else f"{name}{parameters(value)}"
        yield from () if error else members(name, value)
    else:
        yield name + (parameters(value) if inspect.isroutine(value) else "")


def public_names() -> Iterator[tuple[str, Any]]:
    """Every public name with its value, in the order of the list."""
    for name in dir(rax):
        value = getattr(rax, name)
        if not isinstance(value, ModuleType):
            yield f"rax.{name}", value
    for path in MODULES:
        module: Any = rax
        for part in path.split("."):
            module = getattr(module, part)
        for name in sorted(module.__all__):
            if not isinstance(getattr(module, name), ModuleType):
                yield f"rax.{path}.{name}", getattr(module, name)


def lines() -> list[str]:
    """The whole list."""
    return [line for name, value in public_names() for line in described(name, value)]


if __name__ == "__main__":
    print(*lines(), sep="\n")
