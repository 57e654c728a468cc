"""Operands of the wrong number, dtype or rank are refused, whatever they are; nothing else escapes."""

from __future__ import annotations

from itertools import product

import pytest

from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.op import REGISTRY
from rax.ir.types import tensor_type
from rax.ops.contraction import matmul
from tests.ops.laws import cases

TYPES = (
    tensor_type((), "float32"), tensor_type((2, 3), "float32"), tensor_type((2,), "int64"),
    tensor_type((0,), "uint32"), tensor_type((2, 3, 4), "bool"),
)  # fmt: skip
CASES = cases(("bool", "uint32", "int64", "float32"))


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_odd_operands_give_a_rax_error_or_a_type(name: str) -> None:
    for op in {case.op for case in CASES if case.cls is REGISTRY[name]}:
        for count in range(4):
            for types in product(TYPES, repeat=count):
                try:
                    assert op.infer(*types)
                except RaxError:
                    continue


def test_the_error_says_how_many_operands_are_due() -> None:
    with pytest.raises(TypeInferenceError, match=r"^matmul takes 2 operands, not 1$"):
        matmul.infer(TYPES[1])
