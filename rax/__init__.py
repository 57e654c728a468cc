"""A portable, differentiable program file: the public names, each imported when first used."""

from __future__ import annotations

import importlib

from rax.ir import services

TYPE_CHECKING = False  # to checkers True by its name; typing itself would be most of what importing rax takes

services.provide(
    call="rax.frontend.call:call_graph",
    profile="rax.runtime.profile:profile",
    draw="rax.viz.draw:draw",
    svg="rax.viz.draw:svg",
    to_networkx="rax.viz.network:to_networkx",
    text="rax.ir.text.graph_printer:print_graph",
    neighbourhood="rax.ir.text.graph_printer:neighbourhood",
    program_text="rax.ir.text.program_printer:print_program",
    array_literal="rax.ops.arrays:literal",
    literal="rax.ops.arrays:literal_from_bytes",
    registry="rax.ops:registry",
    composite="rax.ops.composites:UserComposite",
    backward="rax.frontend.transforms:backward",
    array_namespace="rax.numpy.inspection:namespace",
    special_namespace="rax.special:namespace",
    missing="rax.frontend.names:missing",
)

_MODULES = ("nn", "numpy", "optim", "random", "special")
_NAMES = {
    "Graph": "rax.ir.graph",
    "Program": "rax.ir.program",
    "Example": "rax.ir.program",
    "Tensor": "rax.frontend.tensor",
    "TensorType": "rax.ir.types",
    "scope": "rax.ir.trail",
    "trace": "rax.frontend.trace",
    "spec": "rax.frontend.trace",
    "input": "rax.frontend.trace",
    "param": "rax.frontend.trace",
    "evaluate": "rax.frontend.call",
    "jit": "rax.frontend.call",
    "grad": "rax.frontend.transforms",
    "value_and_grad": "rax.frontend.transforms",
    "vjp": "rax.frontend.transforms",
    "jvp": "rax.frontend.transforms",
    "vmap": "rax.frontend.jacobians",
    "jacfwd": "rax.frontend.jacobians",
    "jacrev": "rax.frontend.jacobians",
    "hessian": "rax.frontend.jacobians",
    "checkpoint": "rax.frontend.functions",
    "custom_vjp": "rax.frontend.functions",
    "stop_gradient": "rax.frontend.functions",
    "custom_jvp": "rax.frontend.functions",
    "composite": "rax.frontend.composites",
    "cond": "rax.frontend.control",
    "switch": "rax.frontend.control",
    "while_loop": "rax.frontend.control",
    "fori_loop": "rax.frontend.control",
    "scan": "rax.frontend.control",
    "map": "rax.frontend.loops",
    "associative_scan": "rax.frontend.loops",
    "compile": "rax.runtime.executable",
    "save": "rax.format.saving",
    "load": "rax.format.files",
    "parse": "rax.ir.text.program_parser",
    **dict.fromkeys(
        (
            "RaxError", "TypeInferenceError", "ShapeError", "OutOfRangeError", "TreeError", "UnboundInputError",
            "DerivativeError", "VerificationError", "ParseError", "FormatError", "BindingError", "ExecutionError",
            "ResourceError",
        ),
        "rax.ir.errors",
    ),
}  # fmt: skip

if TYPE_CHECKING:
    import typing

    from rax import nn, numpy, optim, random, special
    from rax.format.files import load
    from rax.format.saving import save
    from rax.frontend.call import evaluate, jit
    from rax.frontend.composites import composite
    from rax.frontend.control import cond, fori_loop, scan, switch, while_loop
    from rax.frontend.functions import checkpoint, custom_jvp, custom_vjp, stop_gradient
    from rax.frontend.jacobians import hessian, jacfwd, jacrev, vmap
    from rax.frontend.loops import associative_scan, map
    from rax.frontend.tensor import Tensor
    from rax.frontend.trace import input, param, spec, trace
    from rax.frontend.transforms import grad, jvp, value_and_grad, vjp
    from rax.ir.errors import (
        BindingError,
        DerivativeError,
        ExecutionError,
        FormatError,
        OutOfRangeError,
        ParseError,
        RaxError,
        ResourceError,
        ShapeError,
        TreeError,
        TypeInferenceError,
        UnboundInputError,
        VerificationError,
    )
    from rax.ir.graph import Graph
    from rax.ir.program import Example, Program
    from rax.ir.text.program_parser import parse
    from rax.ir.trail import scope
    from rax.ir.types import TensorType
    from rax.runtime.executable import compile

__all__ = [
    "BindingError",
    "DerivativeError",
    "Example",
    "ExecutionError",
    "FormatError",
    "Graph",
    "OutOfRangeError",
    "ParseError",
    "Program",
    "RaxError",
    "ResourceError",
    "ShapeError",
    "Tensor",
    "TensorType",
    "TreeError",
    "TypeInferenceError",
    "UnboundInputError",
    "VerificationError",
    "associative_scan",
    "checkpoint",
    "compile",
    "composite",
    "cond",
    "custom_jvp",
    "custom_vjp",
    "evaluate",
    "fori_loop",
    "grad",
    "hessian",
    "input",
    "jacfwd",
    "jacrev",
    "jit",
    "jvp",
    "load",
    "map",
    "nn",
    "numpy",
    "optim",
    "param",
    "parse",
    "random",
    "save",
    "scan",
    "scope",
    "spec",
    "special",
    "stop_gradient",
    "switch",
    "trace",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> typing.Any:
    if name in _MODULES:
        return importlib.import_module(f"rax.{name}")
    if name not in _NAMES:
        raise services.get("missing")(__name__, name)
    value = getattr(importlib.import_module(_NAMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
