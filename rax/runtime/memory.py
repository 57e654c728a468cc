"""How much memory runs may take: what a plan says it holds, against a limit."""

from __future__ import annotations

from rax.ir.errors import ResourceError
from rax.runtime.plan import Plan, Step

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def check_memory(plan: Plan, limit: int) -> None:
    """Refuse a plan that holds more than a limit at once.

    Args:
        plan: the sizes of its named dims are known.
        limit: in bytes.

    Raises:
        ResourceError: it does; it names the step at which it holds the most.

    Example:
        >>> from rax.ir.graph import Graph
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> from rax.ops.algebra import add
        >>> from rax.runtime.plan import make_plan
        >>> x = new_input("x", tensor_type(4))
        >>> check_memory(make_plan(Graph([x], [add(x, x)])), 15)
        Traceback (most recent call last):
        rax.ir.errors.ResourceError: it would hold 16 bytes at once, 15 bytes are allowed
          most at step 0 of 1: add gives float32[4]
          at: ...
          fix: allow more bytes as max_memory, or give it smaller inputs
    """
    peak = plan.peak_bytes
    if peak <= limit:
        return
    sizes = ", ".join(f"{name} = {size}" for name, size in plan.dim_values.items())
    where, source = _largest(plan)
    raise ResourceError(
        f"{f'for {sizes} ' if sizes else ''}it would hold {amount(peak)} at once, {amount(limit)} are allowed",
        where=where,
        source=source,
        fix="allow more bytes as max_memory, or give it smaller inputs",
    )


def _largest(plan: Plan) -> tuple[str, str]:
    """The step at which a plan holds the most, within the loops that lead to it, and where it was written."""
    places: list[str] = []
    while True:
        live = [size.__index__() for size in plan.live_bytes()]
        index = live.index(max(live))
        if index == len(plan.steps):
            return "; within ".join(["most at the end, for the copies that are returned", *places]), ""
        step = plan.steps[index]
        count = len(plan.steps)
        inner = max(step.nested, key=lambda nested: nested.peak_bytes, default=None)
        if inner is None or inner.peak_bytes <= _made(plan, step):
            results = ", ".join(str(plan.types[value]) for value in step.results)
            place = f"most at step {index} of {count}: {step.op.name} gives {results}"
            return "; within ".join([place, *reversed(places)]), step.origin.source
        places.append(f"step {index} of {count}: {step.op.name}")
        plan = inner


def _made(plan: Plan, step: Step) -> int:
    return sum([plan.types[value].nbytes.__index__() for value in step.results])


def amount(size: int) -> str:
    """A number of bytes to read.

    Example:
        >>> amount(15), amount(2048), amount(3 * 2**38)
        ('15 bytes', '2 KiB', '768 GiB')
    """
    for power, unit in enumerate(_UNITS):
        if size < 1024 ** (power + 1) or unit == _UNITS[-1]:
            shown = size / 1024**power
            return f"{shown:.4g} {unit}" if shown < 1000 else f"{shown:,.0f} {unit}"
    raise AssertionError
