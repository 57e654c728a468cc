"""Donated arguments: arrays whose memory a run may write its results over, once nothing else reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.array_utils import byte_bounds

from rax.ir.errors import RaxError
from rax.ir.graph import Graph
from rax.ir.tree import paths
from rax.ir.types import TensorType
from rax.ops.arrays import Array

if TYPE_CHECKING:
    from rax.runtime.plan import Skeleton, Step

Donate = int | str | Sequence[int | str]
"""Arguments by position or name, or inputs by name."""


def donated_inputs(graph: Graph, donate: Donate) -> tuple[int, ...]:
    """The positions of the inputs that are donated.

    Args:
        graph: whose inputs.
        donate: arguments by position or name, with all that is nested in them, or single inputs by name.

    Raises:
        RaxError: there is no such argument or input.

    Example:
        >>> from rax.ir.node import new_input
        >>> from rax.ir.types import tensor_type
        >>> x, y = new_input("x", tensor_type(3)), new_input("y", tensor_type(3))
        >>> donated_inputs(Graph([x, y], [x]), "y"), donated_inputs(Graph([x, y], [x]), [-1, 0])
        ((1,), (0, 1))
    """
    inputs = {name: [place] for place, name in enumerate(graph.input_names)}
    places: dict[int | str, Sequence[int]] = {}
    count, begin = len(graph.in_tree.children), 0
    for position, (name, child) in enumerate(zip(graph.in_tree.keys, graph.in_tree.children, strict=True)):
        end = begin + len(paths(child))
        places[position] = places[position - count] = places[str(name)] = range(begin, end)
        begin = end
    places.update(inputs)  # whose names no two share
    found: set[int] = set()
    for each in [donate] if isinstance(donate, (int, str)) else donate:
        if isinstance(each, bool) or each not in places:
            names = ", ".join([repr(str(name)) for name in graph.in_tree.keys][:8])
            raise RaxError(
                f"there is no argument {each!r} to donate",
                fix=f"give positions or names of arguments ({names}), or names of inputs",
            )
        found.update(places[each])
    return tuple(sorted(found))


def ready_to_write(arrays: list[Array], donated: Sequence[int]) -> None:
    """Put copies in place of donated arrays that cannot be written over: what else sees them must not change."""
    for place in donated:
        flags = arrays[place].flags
        if not (flags.c_contiguous and flags.writeable and flags.aligned):
            arrays[place] = np.array(arrays[place], order="C")
    if len({id(array) for array in arrays}) == len(arrays) and all(array.base is None for array in arrays):
        return
    shared = _overlapping(arrays)
    for place in donated:
        if place in shared:
            arrays[place] = arrays[place].copy()


def _overlapping(arrays: Sequence[Array]) -> set[int]:
    """The positions of arrays that lie within bounds in memory which overlap those of another."""
    spans = sorted([(*byte_bounds(array), place) for place, array in enumerate(arrays) if array.size])
    found: set[int] = set()
    reach, furthest = 0, -1
    for start, stop, place in spans:
        if start < reach:
            found |= {place, furthest}
        if stop > reach:
            reach, furthest = stop, place
    return found


def successors(skeleton: Skeleton, steps: Sequence[Step], types: Sequence[TensorType]) -> dict[int, frozenset[int]]:
    """The steps that make what donated inputs become, by their places, each with the others that read its input.

    They can run after all of those, whatever the order of the rest: nothing reads what they make.

    Args:
        skeleton: what is known of the values.
        steps: in an order in which they can run.
        types: of all values.
    """
    if not skeleton.donated:
        return {}
    readers: dict[int, list[int]] = {}
    read: set[int] = set()
    for place, step in enumerate(steps):
        read.update(step.operands)
        if not step.view:
            for root in dict.fromkeys([skeleton.roots[value] for value in step.operands]):
                if root in skeleton.donated:
                    readers.setdefault(root, []).append(place)
    made = {value for value in skeleton.outputs if value not in read}
    found: dict[int, frozenset[int]] = {}
    waited_for: set[int] = set()
    for root, places in readers.items():
        for place in reversed(places):
            results, others = steps[place].results, frozenset(places) - {place}
            alike = len(results) == 1 and results[0] in made and types[results[0]] == types[root]
            if alike and root in steps[place].operands and place not in found and place not in waited_for:
                if not others & found.keys():  # of two that read each other's input, one has to be first
                    found[place] = others
                    waited_for |= others
                break
    return found


def after_readers(skeleton: Skeleton, steps: Sequence[Step], types: Sequence[TensorType]) -> Sequence[Step]:
    """The steps in an order in which each donated input is read by the last of them that can write over it."""
    behind: dict[int, list[int]] = {}
    moved: set[int] = set()
    for place, others in successors(skeleton, steps, types).items():
        last = max(others, default=place)
        if last > place:
            behind.setdefault(last, []).append(place)
            moved.add(place)
    if not moved:
        return steps
    order = [each for place in range(len(steps)) for each in (place, *behind.get(place, ())) if place not in moved]
    return [steps[place] for place in order]
