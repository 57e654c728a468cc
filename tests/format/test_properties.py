"""Laws over random sizes, structures and graphs."""

from __future__ import annotations

import functools
import operator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rax.format.sizes import SizeReader, size_to_file
from rax.format.trees import TreeWriter, read_trees
from rax.ir import dims
from rax.ir.dims import Dim, Size
from rax.ir.errors import FormatError, ShapeError
from rax.ir.graph import Graph
from rax.ir.node import Value, constant, new_input
from rax.ir.trail import Origin
from rax.ir.tree import flatten
from rax.ir.types import tensor_type
from rax.ops.algebra import add
from rax.ops.arrays import literal
from rax.ops.elementwise import multiply, negative
from tests.format.build import from_bytes, to_bytes
from tests.format.digests import size_text
from tests.format.normal import normal

STEPS = (operator.add, operator.sub, operator.mul, dims.floor_divide, dims.minimum, dims.maximum)


@st.composite
def sizes(draw: st.DrawFn) -> Size:
    """A size built by arithmetic from names and small numbers."""
    leaves = st.one_of(st.integers(-5, 9), st.sampled_from("nmk").map(dims.variable))
    steps = draw(st.lists(st.tuples(st.sampled_from(STEPS), leaves, st.booleans()), max_size=6))
    size: Size = draw(leaves)
    try:
        for step, other, turned in steps:
            size = step(other, size) if turned else step(size, other)
    except ShapeError:  # a division by zero, or too large
        assume(False)
    return size


@given(sizes())
@settings(max_examples=300)
def test_a_size_comes_back(size: Size) -> None:
    packed = msgpack.packb(size_to_file(size))
    back = SizeReader().read(msgpack.unpackb(packed), "here")
    assert back == size
    assert size_to_file(back) == size_to_file(size)


FORMS = st.recursive(
    st.one_of(st.integers(-6, 9), st.sampled_from("nmk")),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from("+*"), inner, inner, inner).map(list),
        st.tuples(st.sampled_from(("+", "*", "//", "min", "max")), inner, inner).map(list),
        st.tuples(st.just("//"), inner, st.integers(1, 6)).map(list),
    ),
    max_leaves=9,
)


def has_the_normal_form_of_the_page(form: Any) -> None:
    try:
        size = SizeReader().read(form, "here")
    except FormatError:
        assume(False)
    else:
        assert size_to_file(size) == normal(form)
        assert normal(normal(form)) == normal(form)
        assert str(size) == size_text(normal(form))


@given(FORMS)
@settings(max_examples=200)
def test_sizes_have_the_normal_form_of_the_page(form: Any) -> None:
    has_the_normal_form_of_the_page(form)


@pytest.mark.slow
@given(FORMS)
@settings(max_examples=5000)
def test_many_sizes_have_the_normal_form_of_the_page(form: Any) -> None:
    has_the_normal_form_of_the_page(form)


def evaluated(form: Any, values: dict[str, int]) -> int:
    """The number of a size in a file, from the words of FORMAT.md."""
    if isinstance(form, int):
        return form
    if isinstance(form, str):
        return values[form]
    numbers = [evaluated(item, values) for item in form[1:]]
    calls = {"+": sum, "*": lambda items: functools.reduce(operator.mul, items), "min": min, "max": max}
    return numbers[0] // numbers[1] if form[0] == "//" else calls[form[0]](numbers)


@given(sizes(), st.tuples(*[st.integers(0, 50)] * 3))
@settings(max_examples=200)
def test_a_size_means_the_same_in_a_file(size: Size, numbers: tuple[int, int, int]) -> None:
    values = dict(zip("nmk", numbers, strict=True))
    try:
        due = dims.evaluate(size, values)
    except ShapeError:
        assume(False)
    else:
        assert evaluated(size_to_file(size), values) == due
        assert isinstance(size, (int, Dim))


KEYS = st.one_of(st.text(max_size=4), st.integers(-(2**63), 2**63 - 1))
NESTS = st.recursive(
    st.one_of(st.none(), st.just(0)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(KEYS, inner, max_size=3),
    ),
    max_leaves=12,
)


@given(st.lists(NESTS, max_size=3))
@settings(max_examples=200)
def test_trees_come_back(nests: list[Any]) -> None:
    writer = TreeWriter()
    trees = [flatten(nest)[1] for nest in nests]
    places = [writer.add(tree) for tree in trees]
    rows = read_trees(msgpack.unpackb(msgpack.packb(writer.rows)))
    assert [rows[place] for place in places] == trees
    assert len(set(rows)) == len(rows)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A graph of additions and products, with constants and places in source."""
    values: list[Value] = [new_input(name, tensor_type(("n", 2))) for name in draw(st.permutations("abc"))]
    inputs = tuple(values)
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.integers(0, 3))
        first, second = draw(st.sampled_from(values)), draw(st.sampled_from(values))
        if kind == 0:
            number = draw(st.integers(0, 3))
            values.append(constant(literal(np.full((2,), number, "float32"))))
        else:
            values.append((negative(first), add(first, second), multiply(first, second))[kind - 1])
    outputs = draw(st.lists(st.sampled_from(values), max_size=4))
    places = st.sampled_from([Origin(), Origin((), "a.py:1"), Origin(("s",), "a.py:1"), Origin(("s", "t"))])
    origins = {value.node: draw(places) for value in values}
    return Graph(inputs, outputs, origins={node: origin for node, origin in origins.items() if origin != Origin()})


@given(graph=graphs())
@settings(max_examples=100)
def test_graphs_come_back(graph: Graph, tmp_path_factory: Any) -> None:
    folder: Path = tmp_path_factory.getbasetemp()
    data = to_bytes(graph)
    loaded = from_bytes(data, folder)["main"]
    assert to_bytes(loaded) == data
    assert loaded.digest == graph.digest
    assert [loaded.origins.get(node) for node in loaded.nodes] == [graph.origins.get(node) for node in graph.nodes]
