"""What constants alone determine is computed once, by each operation's own reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from rax.ir import dims
from rax.ir.node import Constant, Literal, Value
from rax.ir.op import Op
from rax.ir.types import TensorType
from rax.ops.algebra import add
from rax.ops.arrays import constant, quietly, scalar
from rax.ops.elementwise import multiply
from rax.ops.families import Composite
from rax.ops.samples import NUMERIC, normal, sample
from rax.passes.rule import Example, Found, rule

LARGEST = 1 << 16
"""The bytes results may have that take as much room as the operands; those that take less are always kept."""


@rule(
    Op,
    Example(
        sample(normal(2), dtypes=NUMERIC),
        lambda x: multiply(x, add(scalar(1, x.dtype), scalar(2, x.dtype))),
        lambda x: multiply(x, scalar(3, x.dtype)),
    ),
    computes=True,
)
def folded(op: Op, *operands: Value) -> Found:
    """An operation on constants becomes its results.

    Not one that holds graphs, which may run for long, nor a composite, which is a backend's to
    take whole. One that fails stays: it may stand in a branch that never runs.
    """
    literals = [value.node.op.literal for value in operands if type(value.node.op) is Constant]
    if len(literals) != len(operands) or op.holds_graphs or isinstance(op, Composite):
        return None
    due = op.infer(*[literal.type for literal in literals])
    if not _is_worth_keeping(due, literals) or _is_laborious(op, [literal.type for literal in literals]):
        return None
    try:
        with quietly():
            returned = op.reference(*[literal.array for literal in literals])
        arrays = cast("tuple[Any, ...]", returned) if isinstance(returned, tuple) else (returned,)
        results = tuple([constant(array) for array in arrays])
    except Exception:  # noqa: BLE001  # if it ever runs, it fails there, and says where
        return None
    return results if tuple([value.type for value in results]) == due else None


def _is_worth_keeping(due: Sequence[TensorType], literals: Sequence[Literal]) -> bool:
    """Whether results are single numbers, or take no more room than the operands.

    What takes more is better left as it is: a broadcast is a view, and rules see through it.
    """
    if all(result.size == 1 for result in due):
        return True
    made = [result.nbytes for result in due]
    if not all(isinstance(size, int) for size in made):
        return False
    total, given = (sum(cast("list[int]", sizes)) for sizes in (made, [each.type.nbytes for each in literals]))
    return total < given or total == given <= LARGEST


def _is_laborious(op: Op, operands: Sequence[TensorType]) -> bool:
    """Whether an operation needs far more memory than its operands and results take: a conv, of its padded input."""
    return not dims.at_least(LARGEST, op.scratch_bytes(*operands))
