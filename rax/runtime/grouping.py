"""Puts the large steps of a plan into groups, and orders the steps anew.

:mod:`rax.runtime.clusters` finds the groups, and :mod:`rax.runtime.fusion` says what a group does.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rax.ir.op import Op
from rax.ir.record import Record
from rax.ir.types import TensorType
from rax.runtime import fusion
from rax.runtime.clusters import Cluster, Form, Kind, Shape, Task, find_clusters
from rax.runtime.fusion import Blocking, Entry, Program
from rax.runtime.plan import Skeleton, Step

# Fewer passes over whole values gain less by staying in the cache than blocks cost.
FEWEST = 3
# A row may be longer than a block should be, but not the scratch memory for it without bound.
LARGEST_BLOCK = 8 * fusion.BLOCK

_REDUCTIONS = frozenset({"sum", "prod", "max", "min", "all", "any", "mean"})
_LOCATIONS = frozenset({"argmax", "argmin"})
_ALONG_AXIS = frozenset({"softmax", "log_softmax"})
_SHOWS = frozenset({"reshape", "broadcast_to", "stop_gradient"})
# What is computed in several passes, with so many arrays and masks beside the result, and arrays with an element for
# each row.
_PASSES = {
    "erf": (2, 0, 0), "where": (0, 1, 0), "sigmoid": (1, 1, 0),
    "softmax": (0, 0, 1), "log_softmax": (1, 0, 1), "layer_norm": (1, 0, 1),
}  # fmt: skip
# The bytes for an element of what writes no given array.
_UNKNOWN = 40
_SHAPELESS: Shape = ()

Able = Callable[[Op, tuple[TensorType, ...]], bool]


def grouped(
    skeleton: Skeleton, fuses: Able, steps: Sequence[Step], types: Sequence[TensorType], smallest: int
) -> list[Step]:
    """Put steps on values of so many elements into groups, each as late as those outside that read it allow."""
    shapes = [fusion.sizes(type) for type in types]
    tasks = [_task(step, fuses, types) for step in steps]
    sources = _sources(steps, shapes)
    clusters: list[Cluster] = []
    blockings: list[Blocking] = []
    for cluster in find_clusters(tasks, shapes, skeleton.outputs, smallest):
        cluster.places.sort()
        if _passes(cluster, tasks) >= FEWEST:
            blocking = _blocking(skeleton, cluster, _outside(cluster, steps), shapes, sources)
            if blocking.cut.block_size <= LARGEST_BLOCK:
                clusters.append(cluster)
                blockings.append(blocking)
    if not clusters:
        return [*steps]
    homes = {place: cluster for cluster in clusters for place in cluster.places}
    needed, dropped = _read_outside(skeleton, steps, homes, clusters)
    nodes = [
        _Node(float(place), step) for place, step in enumerate(steps) if place not in homes and place not in dropped
    ]
    for cluster, blocking in zip(clusters, blockings, strict=True):
        members = tuple([steps[place] for place in cluster.places])
        results = tuple([step.results[0] for step in members if step.results[0] in needed])
        if results:
            last, operands = members[-1], _outside(cluster, steps)
            step = Step(last.op, operands, results, last.origin, members=members, blocking=blocking)
            nodes.append(_Node(float(cluster.places[-1]), step))
    return _ordered(nodes)


def _task(step: Step, fuses: Able, types: Sequence[TensorType]) -> Task:
    """What there is to know of a step."""
    op: Any = step.op
    kind, axes = Kind.OTHER, _SHAPELESS
    if step.view:
        kind = Kind.SHOW if op.name in _SHOWS else kind
    elif len(step.results) == 1 and step.operands and not step.nested:
        operands = tuple([types[value] for value in step.operands])
        if any(type.ndim for type in operands) and fuses(op, operands):
            kind = Kind.MAP
            if op.name in _REDUCTIONS:
                kind, axes = Kind.REDUCE, op.axes
            elif op.name in _LOCATIONS:
                kind, axes = Kind.LOCATE, (op.axis,)
            elif op.name in _ALONG_AXIS:
                kind = Kind.ROWWISE if op.axis == operands[0].ndim - 1 else Kind.OTHER
            elif op.name == "layer_norm":
                kind = Kind.ROWWISE
    return Task(kind, step.operands, step.results, axes)


def _passes(cluster: Cluster, tasks: Sequence[Task]) -> int:
    """How often the steps would go through memory of the group's size."""
    whole = 0
    for place in cluster.places:
        task = tasks[place]
        whole += task.kind in (Kind.REDUCE, Kind.LOCATE) or cluster.forms[task.results[0]] is Form.WHOLE
    return whole


def _outside(cluster: Cluster, steps: Sequence[Step]) -> tuple[int, ...]:
    """The values that a group reads and does not make."""
    read = [value for place in sorted(cluster.places) for value in steps[place].operands]
    return tuple(dict.fromkeys([value for value in read if value not in cluster.forms]))


def _sources(steps: Sequence[Step], shapes: Sequence[Shape]) -> dict[int, tuple[int, Shape]]:
    """Of each value what a broadcast has stretched, with the shape that has as many axes; of others, themselves."""
    found = {value: (value, shape) for value, shape in enumerate(shapes)}
    for step in steps:
        if step.view and step.op.name == "broadcast_to":
            (source,), (result,) = step.operands, step.results
            shape = shapes[source]
            found[result] = source, (*[1] * (len(shapes[result]) - len(shape)), *shape)
    return found


def _blocking(
    skeleton: Skeleton,
    cluster: Cluster,
    operands: Sequence[int],
    shapes: Sequence[Shape],
    sources: Mapping[int, tuple[int, Shape]],
) -> Blocking:
    """What is known of a group's values; ``sources`` says what a broadcast has stretched."""
    bare, full = frozenset(cluster.bare), frozenset(cluster.full)
    read = [(value, shapes[value]) if value in full else sources[value] for value in operands]
    dense = all(skeleton.dense[source] for source, _ in read)
    parts = [(*shape, *[1] * cluster.inner * (value in bare)) for value, (_, shape) in zip(operands, read, strict=True)]
    cut = fusion.layout(cluster.shape, parts, dense=dense, inner=cluster.inner)
    return Blocking(cluster.shape, cluster.inner, cut, cluster.forms, cluster.aliases, bare, full)


def _read_outside(
    skeleton: Skeleton, steps: Sequence[Step], homes: Mapping[int, Cluster], clusters: Sequence[Cluster]
) -> tuple[set[int], set[int]]:
    """The values that someone reads who is not in the group that makes them, and the views that only groups need."""
    makers = {value: cluster for cluster in clusters for value in cluster.forms}
    needed = set(skeleton.outputs)
    dropped: set[int] = set()
    for place in range(len(steps) - 1, -1, -1):
        step, home = steps[place], homes.get(place)
        shown = makers.get(step.results[0]) if home is None and step.results else None
        if shown is not None and step.results[0] not in needed:
            dropped.add(place)
            continue
        needed.update([value for value in step.operands if home is None or makers.get(value) is not home])
    return needed, dropped


class _Node(Record):
    """A step, and where it would like to stand."""

    place: float
    step: Step


def _ordered(nodes: list[_Node]) -> list[Step]:
    """An order in which all that is read is made before: groups just before what reads them first."""
    makers = {value: node for node in nodes for value in node.step.results}
    for node in sorted(nodes, key=lambda node: node.place, reverse=True):
        for value in node.step.operands:
            maker = makers.get(value)
            if maker is not None and maker.step.members:
                maker.place = min(maker.place, node.place - 0.5)
    waiting = {id(node): 0 for node in nodes}
    readers: dict[int, list[_Node]] = {id(node): [] for node in nodes}
    for node in nodes:
        before = {id(makers[value]): makers[value] for value in node.step.operands if value in makers}
        waiting[id(node)] = len(before)
        for maker in before:
            readers[maker].append(node)
    ready = [(node.place, number) for number, node in enumerate(nodes) if not waiting[id(node)]]
    numbers = {id(node): number for number, node in enumerate(nodes)}
    heapq.heapify(ready)
    found: list[Step] = []
    while ready:
        node = nodes[heapq.heappop(ready)[1]]
        found.append(node.step)
        for reader in readers[id(node)]:
            waiting[id(reader)] -= 1
            if not waiting[id(reader)]:
                heapq.heappush(ready, (reader.place, numbers[id(reader)]))
    assert len(found) == len(nodes)
    return found


def group_program(step: Step, types: Sequence[TensorType], able: Sequence[bool]) -> Program:
    """What a group does to each block; ``able`` says which members can write their result over an operand."""
    blocking = step.blocking
    assert blocking is not None
    entries = _entries(step, types, able, blocking)
    return fusion.Slots(entries, step.operands, step.results, types, blocking, step.over).program()


def group_sums(step: Step, types: Sequence[TensorType]) -> list[TensorType]:
    """The types of a group's sums over all rows."""
    blocking = step.blocking
    assert blocking is not None
    return [types[value] for value in step.results if blocking.forms[value] is Form.SUMMED]


def group_scratch(step: Step, types: Sequence[TensorType], able: Sequence[bool]) -> tuple[int, int]:
    """The bytes of scratch memory that a group takes, and how many of them it is given."""
    blocking = step.blocking
    assert blocking is not None
    return group_program(step, types, able).scratch_bytes(blocking.cut, group_sums(step, types))


def _entries(step: Step, types: Sequence[TensorType], able: Sequence[bool], blocking: Blocking) -> list[Entry]:
    """What is done to each block; a product that is only summed up is not made."""
    members = step.members
    readers: dict[int, list[int]] = {}
    for number, member in enumerate(members):
        for value in member.operands:
            readers.setdefault(blocking.aliases.get(value, value), []).append(number)
    products: dict[int, int] = {}
    for number, member in enumerate(members):
        (result,) = member.results
        read = readers.get(result, [])
        if member.op.name == "multiply" and len(read) == 1 and result not in step.results:
            last = members[read[0]]
            by_rows = blocking.forms[last.results[0]] is Form.BARE or not types[last.results[0]].ndim
            wide = any(blocking.forms.get(value) is Form.WHOLE for value in member.operands)
            if last.op.name == "sum" and by_rows and wide and types[result].dtype.name in ("float32", "float64"):
                products[read[0]] = number
    entries: list[Entry] = []
    for number, (member, writes) in enumerate(zip(members, able, strict=True)):
        (result,) = member.results
        product = products.get(number)
        if product is not None:
            itemsize = types[members[product].results[0]].dtype.itemsize
            entries.append(Entry((product, number), members[product].operands, result, False, 0, (itemsize, 0)))
        elif number not in products.values():
            entries.append(_entry(number, member, types, writes=writes))
    return entries


def _entry(number: int, member: Step, types: Sequence[TensorType], *, writes: bool) -> Entry:
    """What one member does."""
    (result,) = member.results
    itemsize = types[result].dtype.itemsize
    arrays, masks, thin = _PASSES.get(member.op.name, (0, 0, 0))
    space = arrays * itemsize + masks, thin * itemsize
    reduces = member.op.name in _REDUCTIONS or member.op.name in _LOCATIONS
    own = 0 if writes or reduces or any(space) else _UNKNOWN
    return Entry((number,), member.operands, result, writes, own, space)
