"""How much memory runs may take: what a plan says it holds, against a limit."""

from __future__ import annotations

from rax.ir.errors import ResourceError
from rax.runtime.amounts import amount
from rax.runtime.plan import Plan


def check_memory(plan: Plan, limit: int) -> None:
    """Refuse a plan that holds more than a limit at once.

    Args:
        plan: the sizes of its named dims are known.
        limit: in bytes.

    Raises:
        ResourceError: it does; it names the first step at which it does.

    Example:
        >>> from rax.ir.graph import Graph
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> from rax.ops.algebra import add
        >>> from rax.runtime.planning import make_plan
        >>> x = new_input("x", tensor_type(4))
        >>> check_memory(make_plan(Graph([x], [add(x, x)])), 15)
        Traceback (most recent call last):
        rax.ir.errors.ResourceError: it would hold 16 bytes at once, 15 bytes are allowed
          more from step 0 of 1: add gives float32[4]
          at: ...
          fix: allow more bytes as max_memory, or give it smaller inputs
    """
    peak = plan.peak_bytes
    if peak <= limit:
        return
    held, allowed = amount(peak), amount(limit)
    if held == allowed:
        held, allowed = f"{peak:,} bytes", f"{limit:,} bytes"
    sizes = ", ".join(f"{name} = {size}" for name, size in plan.dim_values.items())
    where, source = _place(plan, limit)
    raise ResourceError(
        f"{f'for {sizes} ' if sizes else ''}it would hold {held} at once, {allowed} are allowed",
        where=where,
        source=source,
        fix="allow more bytes as max_memory, or give it smaller inputs",
    )


def _place(plan: Plan, limit: int) -> tuple[str, str]:
    """The first step at which a plan goes over, within the loops that lead to it, and where it was written."""
    loops: list[str] = []
    while True:
        live = [size.__index__() for size in plan.held_bytes()]
        index = next(index for index, held in enumerate(live) if held > limit)
        if index == len(plan.steps):
            return "; within ".join(["more at the end, for the copies that are returned", *loops]), ""
        step = plan.steps[index]
        place = f"step {index} of {len(plan.steps)}: {step.name}"
        inner = max(step.nested, key=lambda nested: nested.peak_bytes, default=None)
        outside = live[index] - inner.peak_bytes if inner is not None else 0
        if inner is None or outside > limit:
            results = ", ".join([str(plan.types[value]) for value in step.results])
            return "; within ".join([f"more from {place} gives {results}", *loops]), step.origin.source
        loops.insert(0, place)
        plan, limit = inner, limit - outside
