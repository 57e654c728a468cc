"""Which steps of a schedule can run as one group, block by block.

A group has a shape, and takes it in whole rows where something is done along rows: the elements along its
last axes. Beside values of the whole shape there are values with one element for each row, and sums
over all rows, which are known only when the last block is done.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum, auto

from rax.ir.record import Record

Shape = tuple[int, ...]

# Elements of a row: a block has one at least.
LONGEST_ROW = 1 << 15
# Steps of a group: each keeps operands alive until the whole group has run.
MOST = 128
_NEVER = 1 << 62


class Kind(Enum):
    """What a step does.

    Attributes:
        OTHER: nothing that a group can do.
        MAP: it computes each element by itself.
        ROWWISE: it computes each row along the last axis by itself; a result has the shape of the first operand.
        REDUCE: it makes one element of several along some axes.
        LOCATE: likewise, along one axis alone and never along the first.
        SHOW: a view of the same elements, in the same order, or one that repeats them.
    """

    OTHER = auto()
    MAP = auto()
    ROWWISE = auto()
    REDUCE = auto()
    LOCATE = auto()
    SHOW = auto()


class Form(Enum):
    """How a value of a group follows its blocks.

    Attributes:
        WHOLE: it has the group's shape.
        KEPT: it has one element for each row, and the axes of a row with size 1.
        BARE: the same without these axes.
        SUMMED: it sums up all rows, or all there is.
    """

    WHOLE = auto()
    KEPT = auto()
    BARE = auto()
    SUMMED = auto()


class Task(Record):
    """What is to be known of a step: what it does, what it reads and makes, and the axes it reduces."""

    kind: Kind
    operands: tuple[int, ...]
    results: tuple[int, ...]
    axes: tuple[int, ...] = ()


class Cluster:
    """Steps that can run together.

    Attributes:
        shape: the group's.
        bit: what stands for it in a set of groups.
        inner: how many of the last axes make a row; 0 if nothing is done along rows.
        places: the steps, by their places in the schedule.
        forms: of the values it makes, and of their views.
        aliases: for each such view the value that it shows.
        closed: the place of the first step outside that reads a whole value.
        wide: the values from outside that are read as their shapes are.
        bare: those whose axes are the group's first.
        full: those of which every element is needed, repeated or not.
    """

    def __init__(self, shape: Shape, bit: int) -> None:
        self.shape = shape
        self.bit = bit
        self.inner = 0
        self.places: list[int] = []
        self.forms: dict[int, Form] = {}
        self.aliases: dict[int, int] = {}
        self.closed = _NEVER
        self.wide: set[int] = set()
        self.bare: set[int] = set()
        self.full: set[int] = set()

    @property
    def lead(self) -> Shape:
        """The axes along which rows follow each other."""
        return self.shape[: len(self.shape) - self.inner]

    @property
    def row_shape(self) -> Shape:
        """The shape of a value with one element for each row."""
        return (*self.lead, *[1] * self.inner)


def find_clusters(
    tasks: Sequence[Task], shapes: Sequence[Shape], outputs: Sequence[int] = (), smallest: int = 1
) -> list[Cluster]:
    """Put steps into groups.

    A step joins the groups whose results it reads, unless it needs something that other steps make of
    these. Once a step outside has read a whole value of a group, only what is small joins it, so
    that nothing large is made long before it is needed.

    Args:
        tasks: the schedule.
        shapes: of all values.
        outputs: the values that are read when all steps are done.
        smallest: the elements of a group's shape, at least.

    Example:
        >>> tasks = [Task(Kind.REDUCE, (0,), (1,), (1,)), Task(Kind.SHOW, (1,), (2,)), Task(Kind.MAP, (0, 2), (3,))]
        >>> (found,) = find_clusters(tasks, [(512, 512), (512,), (512, 1), (512, 512)])
        >>> found.places, found.inner, found.aliases
        ([0, 2], 1, {2: 1})
    """
    finder = _Finder(tasks, shapes, outputs, smallest)
    for place, task in enumerate(tasks):
        finder.add(place, task)
    return finder.clusters


class _Finder:
    def __init__(self, tasks: Sequence[Task], shapes: Sequence[Shape], outputs: Sequence[int], smallest: int) -> None:
        self._smallest = smallest
        self._shapes = shapes
        self.clusters: list[Cluster] = []
        self._count = 0
        self._homes: dict[int, Cluster] = {}
        self._needs: dict[int, int] = {}  # for each value made outside groups the groups it depends on, as bits
        self._needed: dict[Cluster, int] = {}  # the same for groups
        self._made_at: dict[int, int] = {}
        self._readers: dict[int, list[Task | None]] = {value: [None] for value in outputs}
        for task in tasks:
            for value in task.operands:
                self._readers.setdefault(value, []).append(task)

    def add(self, place: int, task: Task) -> None:
        """Take the next step into a group, or leave it outside."""
        if task.kind is Kind.SHOW and self._alias(task):
            return
        cluster = self._join(place, task) if task.kind not in (Kind.OTHER, Kind.SHOW) else None
        self._made_at.update(dict.fromkeys(task.results, place))
        if cluster is not None:
            return
        needs = 0
        for value in task.operands:
            needs |= self._all_needs(value)
            home = self._homes.get(value)
            if home is not None and home.forms[value] is Form.WHOLE:
                home.closed = min(home.closed, place)
        if needs:
            self._needs.update(dict.fromkeys(task.results, needs))

    def _all_needs(self, value: int) -> int:
        home = self._homes.get(value)
        return self._needs.get(value, 0) if home is None else home.bit | self._needed[home]

    def _alias(self, task: Task) -> bool:
        """Whether a view shows a group's value in a form that the group knows."""
        (value,), (result,) = task.operands, task.results
        home = self._homes.get(value)
        if home is None:
            return False
        form, shape = home.forms[value], self._shapes[result]
        if form is Form.SUMMED or (form is Form.WHOLE and shape != self._shapes[value]):
            return False
        if form is not Form.WHOLE and shape != self._shapes[value]:
            kept = shape == home.row_shape or (form is Form.KEPT and shape == home.shape)
            if not kept and shape != home.lead:
                return False
            form = Form.KEPT if kept else Form.BARE
        home.forms[result] = form
        home.aliases[result] = home.aliases.get(value, value)
        self._homes[result] = home
        return True

    def _join(self, place: int, task: Task) -> Cluster | None:
        joined: Cluster | None = None
        form: Form | None = None
        for value in reversed(task.operands):
            home = self._homes.get(value)
            if home is None or home is joined:
                continue
            found = self._fit(home, task, place)
            if found is None or any(
                self._all_needs(other) & home.bit for other in task.operands if self._homes.get(other) is not home
            ):
                continue
            if joined is None:
                joined, form = home, found
            elif form is found is Form.WHOLE and self._may_merge(joined, home):
                self._merge(joined, home)
        if joined is None:
            joined, form = self._start(task)
        if joined is None or form is None:
            return None
        self._put(joined, form, place, task)
        return joined

    def _fit(self, home: Cluster, task: Task, place: int) -> Form | None:
        """The form that the step's result would have in a group; None if it has no place there."""
        inside = {home.forms[value] for value in task.operands if self._homes.get(value) is home}
        if Form.SUMMED in inside or len(home.places) >= MOST:
            return None
        outside = [value for value in task.operands if self._homes.get(value) is not home]
        late = place > home.closed
        if late and any(self._made_at.get(value, -1) > home.closed for value in outside):
            return None
        if task.kind in (Kind.REDUCE, Kind.LOCATE):
            return _reduced(home, task) if inside == {Form.WHOLE} else None
        shape = self._shapes[task.results[0]]
        read = {value for value in outside if self._shapes[value]}
        if task.kind is Kind.ROWWISE:
            fits = shape == home.shape and inside == {Form.WHOLE} and self._homes.get(task.operands[0]) is home
            return Form.WHOLE if fits and not late and not read & home.bare and _takes_rows(home, 1) else None
        if shape == home.shape and Form.BARE not in inside:
            return Form.WHOLE if not read & home.bare and (not late or self._is_summed(home, task)) else None
        if home.inner and shape == home.row_shape and inside == {Form.KEPT} and not read & home.bare:
            return Form.KEPT
        if home.inner and shape == home.lead and inside == {Form.BARE} and not read & home.wide:
            return Form.BARE
        return None

    def _is_summed(self, home: Cluster, task: Task) -> bool:
        """Whether all that is read of a step's result is what is left of it after reductions in the group."""
        readers = self._readers.get(task.results[0], [])
        return bool(readers) and all(
            reader is not None and reader.kind is Kind.REDUCE and _reduced(home, reader) is not None
            for reader in readers
        )

    def _may_merge(self, one: Cluster, other: Cluster) -> bool:
        apart = not (self._needed[one] & other.bit or self._needed[other] & one.bit)
        rows = not one.inner or not other.inner or one.inner == other.inner
        fits = len(one.places) + len(other.places) < MOST
        clean = not (one.bare & other.wide or one.wide & other.bare)
        return apart and rows and fits and clean and one.closed == other.closed == _NEVER

    def _merge(self, into: Cluster, other: Cluster) -> None:
        self.clusters.remove(other)
        into.places = sorted([*into.places, *other.places])
        into.inner = into.inner or other.inner
        into.forms.update(other.forms)
        into.aliases.update(other.aliases)
        into.wide |= other.wide
        into.bare |= other.bare
        into.full |= other.full
        self._homes.update(dict.fromkeys(other.forms, into))
        # Whatever depends on either depends on both; the bits of both stay in use.
        into.bit |= other.bit
        self._needed[into] |= self._needed.pop(other)
        self._spread(into)

    def _start(self, task: Task) -> tuple[Cluster | None, Form | None]:
        reduces = task.kind in (Kind.REDUCE, Kind.LOCATE)
        shape = self._shapes[task.operands[0] if reduces else task.results[0]]
        if math.prod(shape) < self._smallest or not shape:
            return None, None
        cluster = Cluster(shape, 1 << self._count)
        form = Form.WHOLE
        if reduces:
            form = _reduced(cluster, task)
        elif task.kind is Kind.ROWWISE and not _takes_rows(cluster, 1):
            form = None
        if form is None:
            return None, None
        self._count += 1
        self.clusters.append(cluster)
        self._needed[cluster] = 0
        return cluster, form

    def _put(self, cluster: Cluster, form: Form, place: int, task: Task) -> None:
        (result,) = task.results
        ndim = len(cluster.shape)
        if task.kind is Kind.ROWWISE:
            cluster.inner = 1
        elif task.kind in (Kind.REDUCE, Kind.LOCATE) and len(task.axes) < ndim:
            cluster.inner = len(task.axes) if form is Form.BARE else ndim - len(task.axes)
        if task.kind is not Kind.MAP and self._homes.get(task.operands[0]) is not cluster:
            cluster.full.add(task.operands[0])
        before = self._needed[cluster]
        for value in task.operands:
            if self._homes.get(value) is not cluster:
                self._needed[cluster] |= self._all_needs(value)
                if self._shapes[value]:
                    (cluster.bare if form is Form.BARE and task.kind is Kind.MAP else cluster.wide).add(value)
        cluster.places.append(place)
        cluster.forms[result] = form
        self._homes[result] = cluster
        if self._needed[cluster] != before:
            self._spread(cluster)

    def _spread(self, cluster: Cluster) -> None:
        """Let what depends on a group depend on all that the group depends on."""
        all_needs = cluster.bit | self._needed[cluster]
        for value, needs in self._needs.items():
            if needs & cluster.bit:
                self._needs[value] = needs | all_needs
        for other, needs in self._needed.items():
            if needs & cluster.bit:
                self._needed[other] = needs | all_needs


def _takes_rows(home: Cluster, inner: int) -> bool:
    """Whether a group can be cut into whole rows of so many axes."""
    ndim = len(home.shape)
    if home.inner not in (0, inner) or not 0 < inner < ndim:
        return False
    return math.prod(home.shape[ndim - inner :]) <= LONGEST_ROW


def _reduced(home: Cluster, task: Task) -> Form | None:
    """The form of what is left of a whole value."""
    ndim, count = len(home.shape), len(task.axes)
    if count == ndim:
        return Form.SUMMED if task.kind is Kind.REDUCE else None
    if not count:
        return None
    if task.axes == tuple(range(ndim - count, ndim)) and _takes_rows(home, count):
        return Form.BARE
    if task.kind is Kind.REDUCE and task.axes == tuple(range(count)) and _takes_rows(home, ndim - count):
        return Form.SUMMED
    return None
