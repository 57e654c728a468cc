"""Puts the large elementwise steps of a plan into groups; :mod:`rax.runtime.fusion` says which and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rax.ir.op import Op
from rax.ir.types import TensorType
from rax.runtime import fusion
from rax.runtime.plan import Skeleton, Step


def grouped(
    skeleton: Skeleton,
    fuses: Callable[[Op, tuple[TensorType, ...]], bool],
    steps: Sequence[Step],
    types: Sequence[TensorType],
) -> list[Step]:
    """Put large elementwise steps into groups, each where its last step stood."""
    shapes: dict[int, tuple[int, ...]] = {}
    stretched: dict[int, int] = {}  # what a broadcast shows, by the value it makes
    for place, step in enumerate(steps):
        if step.view:
            if step.op.name == "broadcast_to":
                stretched[step.results[0]] = step.operands[0]
            continue
        if len(step.results) != 1 or step.nested or step.members:
            continue
        result = types[step.results[0]]
        if not result.ndim or result.size.__index__() < fusion.SMALLEST:
            continue
        if fuses(step.op, tuple([types[operand] for operand in step.operands])):
            shapes[place] = fusion.sizes(result)
    groups = fusion.find_groups([(step.operands, step.results) for step in steps], shapes)
    readers: dict[int, int] = dict.fromkeys(skeleton.outputs, 1)
    for step in steps:
        for value in set(step.operands):
            readers[value] = readers.get(value, 0) + 1
    replaced: dict[int, Step | None] = {}
    for places in groups:
        group = _group(skeleton, [steps[place] for place in places], types, readers, stretched)
        if group is not None:
            replaced.update(dict.fromkeys(places))
            replaced[places[-1]] = group
    found = [replaced.get(place, step) for place, step in enumerate(steps)]
    return [step for step in found if step is not None]


def _group(
    skeleton: Skeleton,
    members: Sequence[Step],
    types: Sequence[TensorType],
    readers: Mapping[int, int],
    stretched: Mapping[int, int],
) -> Step | None:
    """One step in place of several; None where its blocks would be too large, or it is not worth it.

    Its scratch is in elements, until it is known what it writes over.
    """
    made = [step.results[0] for step in members]
    inside = dict.fromkeys(made, 0)
    for step in members:
        for value in set(step.operands) & inside.keys():
            inside[value] += 1
    operands = tuple(dict.fromkeys([value for step in members for value in step.operands if value not in inside]))
    results = tuple([value for value in made if readers.get(value, 0) > inside[value]])
    if len(members) < fusion.FEWEST or not results:
        return None
    shape, sources = fusion.sizes(types[made[0]]), [stretched.get(value, value) for value in operands]
    dense = all(skeleton.dense[value] for value in sources)
    cut = fusion.layout(shape, [fusion.sizes(types[value]) for value in sources], dense=dense)
    if cut.block_size > 2 * fusion.BLOCK:
        return None
    last = members[-1]
    elements = cut.block_size * min(fusion.threads(), len(cut.blocks()))
    return Step(last.op, operands, results, last.origin, scratch=elements, members=tuple(members))


def group_program(step: Step, types: Sequence[TensorType], able: Sequence[bool]) -> fusion.Program:
    """What a group does to each block; ``able`` says which members can write their result over an operand."""
    work = [(member.operands, member.results) for member in step.members]
    return fusion.make_program(work, step.operands, step.results, types, able.__getitem__, step.over)
