"""What every backend must offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from rax.ir.dims import Size
from rax.ir.graph import Graph
from rax.ir.op import Op
from rax.ir.types import TensorType
from rax.ops.arrays import Array
from rax.passes.optimise import optimise, reassociate
from rax.runtime.plan import Plan, Step
from rax.runtime.reference import evaluate_graph, run_reference

Run = Callable[[list[Array]], list[Array]]
"""From one array for each input to one for each output. The list is the callee's: it may empty it."""


class Backend(ABC):
    """Runs plans.

    Attributes:
        name: what ``rax.compile`` and ``rax-run --backend`` call it.
        has_arena: whether a run keeps its buffers in one arena, where the plan says.
    """

    name: ClassVar[str]
    has_arena: ClassVar[bool] = False

    def prepare(self, graph: Graph) -> Graph:
        """The graph that is planned in place of another, with the same results within rounding."""
        return reassociate(optimise(graph))

    @abstractmethod
    def takes(self, op: Op, types: tuple[TensorType, ...]) -> bool:
        """Whether an operation on such operands, that has a body in other operations, is run as one step."""

    def writes(self, op: Op, types: tuple[TensorType, ...]) -> Sequence[int]:
        """Over which operands, if they have its type, the result of an operation on such operands can be written."""
        del op, types
        return ()

    def places(self, op: Op, types: tuple[TensorType, ...]) -> bool:
        """Whether the result of an operation on such operands can be written into memory that is given."""
        del op, types
        return False

    def fuses(self, op: Op, types: tuple[TensorType, ...]) -> bool:
        """Whether an operation on such operands can run block by block, in a group."""
        del op, types
        return False

    def needs(self, op: Op, types: Sequence[TensorType], dense: Sequence[bool]) -> tuple[Size, Size] | None:
        """The bytes that an operation takes beside operands and results, and how many of them it is to be given.

        Args:
            op: the operation.
            types: of the operands.
            dense: which of them are C-contiguous.

        Returns:
            None where nothing else is known than what the operation's definition says.
        """
        del op, types, dense
        return None

    @abstractmethod
    def coverage(self, cls: type[Op]) -> str:
        """How an operation is run: by a ``"kernel"``, its ``"reference"``, or as its ``"body"``."""

    def kernel(self, step: Step, types: Sequence[TensorType]) -> Callable[..., Any]:
        """What computes one step of a plan by itself, from arrays to an array, or to a tuple of them.

        Args:
            step: one that runs no graph; it may be a view or a group.
            types: of the plan's values.
        """
        del types

        def reference(*arrays: Array) -> Any:
            results = run_reference(step.op, arrays, evaluate_graph)
            return results if len(step.results) > 1 else results[0]

        return reference

    @abstractmethod
    def build(self, plan: Plan, *, timed: bool = False) -> Run:
        """A function that runs a plan whose sizes are all known.

        It is safe to call from several threads at once. Arrays it returns are writable and share
        no memory with inputs, constants or each other.

        Args:
            plan: what to run.
            timed: whether it looks at the clock, with :func:`rax.runtime.deadline.check_time`, before
                each step and each round of a loop.
        """
