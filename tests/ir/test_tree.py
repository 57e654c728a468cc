"""Nests of leaves: taken apart and put together again, on every kind of container."""

from __future__ import annotations

import collections
import dataclasses
import types
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rax.ir import tree
from rax.ir.errors import TreeError
from rax.ir.tree import LEAF_TREE, NONE_TREE, Tree, flatten, leaves_like, paths, unflatten
from rax.ir.types import float32, tensor_type


class Layer(NamedTuple):
    w: Any
    b: Any


@dataclasses.dataclass
class Model:
    layers: Any
    scale: Any = None


@dataclasses.dataclass(frozen=True)
class Frozen:
    inner: Any
    derived: Any = dataclasses.field(default=None, init=False)


class Leaf:
    """An object that is no container; compared by identity."""


keys = st.one_of(st.text(max_size=3), st.integers(-3, 3))
nests = st.recursive(
    st.one_of(st.none(), st.builds(Leaf)),
    lambda below: st.one_of(
        st.lists(below, max_size=3),
        st.lists(below, max_size=3).map(tuple),
        st.dictionaries(keys, below, max_size=3),
        st.dictionaries(keys, below, max_size=3).map(collections.OrderedDict),
        st.builds(Layer, below, below),
        st.builds(Model, below, below),
        st.builds(Frozen, below),
    ),
    max_leaves=12,
)


@given(nests)
def test_unflatten_undoes_flatten(nest: object) -> None:
    leaves, structure = flatten(nest)
    rebuilt = unflatten(structure, leaves)
    assert rebuilt == nest
    assert type(rebuilt) is type(nest)
    assert all(isinstance(leaf, Leaf) for leaf in leaves)
    assert structure.leaf_count == len(leaves) == len(paths(structure))
    assert flatten(rebuilt)[1] == structure
    assert hash(flatten(rebuilt)[1]) == hash(structure)
    assert leaves_like(structure, nest, "x") == leaves


@given(nests)
def test_a_tree_without_its_classes_rebuilds_an_equivalent_nest(nest: object) -> None:
    leaves, structure = flatten(nest)

    def forget(node: Tree) -> Tree:
        return Tree(node.kind, node.keys, tuple(map(forget, node.children)), node.name)

    portable = forget(structure)
    assert portable == structure
    rebuilt = unflatten(portable, leaves)
    assert flatten(rebuilt) == (leaves, structure)


@given(st.dictionaries(keys, st.builds(Leaf), max_size=5))
def test_the_order_of_a_dict_never_matters(nest: dict[str | int, Leaf]) -> None:
    backwards = dict(reversed(nest.items()))
    assert flatten(backwards) == flatten(nest)


def test_an_ordered_dict_keeps_its_order() -> None:
    first = collections.OrderedDict(b=1, a=2)
    leaves, structure = flatten(first)
    assert leaves == [1, 2]
    assert structure != flatten(collections.OrderedDict(a=2, b=1))[1]
    assert structure.kind == "ordered_dict"
    assert list(unflatten(structure, leaves)) == ["b", "a"]


def test_other_mappings_are_dicts() -> None:
    view = types.MappingProxyType({"b": 1, "a": 2})
    default = collections.defaultdict(int, {"a": 2, "b": 1})
    assert flatten(view) == flatten(default) == flatten({"a": 2, "b": 1})


def test_what_counts_as_a_leaf() -> None:
    for leaf in (1, "text", b"bytes", {1, 2}, range(3), tensor_type((2,)), float32, Model):
        assert flatten(leaf) == ([leaf], LEAF_TREE)
    assert flatten(None) == ([], NONE_TREE)
    assert flatten(()) == ([], Tree("tuple"))


def test_trees_read_like_the_nest() -> None:
    nest = {"w": [1, (2,)], "m": Model(Layer(1, None)), "b": None, 3: collections.OrderedDict(z=1), "t": (1, 2)}
    assert str(flatten(nest)[1]) == (
        "{3: {'z': *}, 'b': None, 'm': Model(layers=Layer(w=*, b=None), scale=None), 't': (*, *), 'w': [*, (*,)]}"
    )
    assert repr(flatten([])[1]) == "[]"


def test_trees_of_different_kinds_differ() -> None:
    alike = [[1], (1,), {0: 1}, collections.OrderedDict({0: 1}), Model(1), Layer(1, None), Frozen(1)]
    assert len({flatten(nest)[1] for nest in alike}) == len(alike)
    assert flatten(Layer(1, None))[1] != Tree("namedtuple", ("w", "b"), (LEAF_TREE, NONE_TREE), "Other")


def test_paths_name_each_leaf() -> None:
    nest = {"layers": [Layer(1, 2), Layer(3, None)], "scale": 4}
    structure = flatten(nest)[1]
    assert paths(structure) == ["layers.0.w", "layers.0.b", "layers.1.w", "scale"]
    assert paths(structure, "params") == [f"params.{path}" for path in paths(structure)]
    assert paths(LEAF_TREE, "x") == ["x"]
    assert paths(NONE_TREE, "x") == []


@pytest.mark.parametrize("key", [1.5, None, True, (1, 2)])
def test_dict_keys_are_strings_or_integers(key: object) -> None:
    with pytest.raises(TreeError) as caught:
        flatten({key: 1})
    assert str(caught.value) == f"a dict key must be a str or int, not {key!r}"


def test_a_nest_that_never_ends_is_refused() -> None:
    deep: list[Any] = [1]
    for _ in range(tree.MAX_DEPTH - 1):
        deep = [deep]
    assert flatten(deep)[0] == [1]
    for nest in ([deep], deep[0]):
        deep[0] = nest  # the second holds itself
        with pytest.raises(TreeError) as caught:
            flatten([deep])
        assert caught.value.what == "a nest is more than 64 deep"
        assert caught.value.fix == "flatten it, or see whether it holds itself"


def test_the_number_of_leaves_must_fit() -> None:
    with pytest.raises(TreeError) as caught:
        unflatten(flatten([1, 2])[1], [1])
    assert str(caught.value) == "the structure [*, *] takes 2 leaves, not 1"


@pytest.mark.parametrize(
    ("structure", "nest", "message"),
    [
        (1, [1], "x must be an array, not [*]"),
        (1, None, "x must be an array, not None"),
        ([1], 2, "x must have the structure [*], not be a single int"),
        ([1], {"a": 1}, "x must have the structure [*], not {'a': *}"),
        ({"a": 1}, [1], "x must have the structure {'a': *}, not [*]"),
        ({}, [1], "x must have the structure {}, not [*]"),
        ({}, None, "x must have the structure {}, not None"),
        ([], None, "x must have the structure [], not None"),
        (None, [], "x must have the structure None, not []"),
        (None, 3, "x must have the structure None, not be a single int"),
        ({"a": 1, "b": 1}, {"a": 1}, "x lacks 'b'\n  fix: give the structure {'a': *, 'b': *}"),
        ({"a": 1}, {"a": 1, "c": 1}, "x has an unknown item 'c'\n  fix: give the structure {'a': *}"),
        ([1, 1], [1], "x has 1 items, not 2\n  fix: give the structure [*, *]"),
        ({"a": [1, {"b": 1}]}, {"a": [1, {"b": [1]}]}, "x.a.1.b must be an array, not [*]"),
    ],
)
def test_a_nest_of_another_structure_is_refused(structure: object, nest: object, message: str) -> None:
    with pytest.raises(TreeError) as caught:
        leaves_like(flatten(structure)[1], nest, "x")
    assert str(caught.value) == message


def test_containers_that_stand_for_one_another() -> None:
    assert leaves_like(flatten([1, 2])[1], (3, 4), "x") == [3, 4]
    assert leaves_like(flatten((1, 2))[1], [3, 4], "x") == [3, 4]
    model = Model([5], 6)
    assert leaves_like(flatten(model)[1], {"scale": 8, "layers": (7,)}, "x") == [7, 8]
    assert leaves_like(flatten({"layers": [1], "scale": 2})[1], model, "x") == [5, 6]
    assert leaves_like(flatten(Layer(1, 2))[1], collections.OrderedDict(b=4, w=3), "x") == [3, 4]
    arguments = Tree("arguments", ("x", "y"), (LEAF_TREE, LEAF_TREE))
    assert leaves_like(arguments, [1, 2], "the arguments") == [1, 2]
    assert unflatten(arguments, [1, 2]) == (1, 2)


@pytest.mark.parametrize(
    ("kind", "names", "children", "problem"),
    [
        ("set", (), (), f"does not exist; kinds are {', '.join(tree.KINDS)}"),
        ("leaf", (), (LEAF_TREE,), "has no children"),
        ("none", ("a",), (), "does not have 1 keys for 0 children"),
        ("list", ("a",), (LEAF_TREE,), "does not have 1 keys for 1 children"),
        ("dict", ("a",), (), "does not have 1 keys for 0 children"),
        ("dict", ("a", "a"), (LEAF_TREE, LEAF_TREE), "has no key twice"),
        ("dict", ("b", "a"), (LEAF_TREE, LEAF_TREE), "has its keys in order, not 'b', 'a'"),
        ("dict", ("b", 1), (LEAF_TREE, LEAF_TREE), "has its keys in order, not 'b', 1"),
    ],
)
def test_impossible_trees_are_refused(
    kind: str, names: tuple[str | int, ...], children: tuple[Tree, ...], problem: str
) -> None:
    with pytest.raises(TreeError) as caught:
        Tree(kind, names, children)
    assert str(caught.value) == f"a tree of kind {kind!r} {problem}"


@pytest.mark.parametrize("kind", ["namedtuple", "dataclass"])
def test_a_class_that_cannot_be_is_refused(kind: str) -> None:
    with pytest.raises(TreeError) as caught:
        unflatten(Tree(kind, ("class",), (LEAF_TREE,), "Layer"), [1])
    assert str(caught.value) == f"no {kind} can be called 'Layer' with the fields 'class'"
    with pytest.raises(TreeError):
        unflatten(Tree(kind, (1,), (LEAF_TREE,), "Layer"), [1])


def test_unknown_classes_are_made_once() -> None:
    structure = Tree("namedtuple", ("w",), (LEAF_TREE,), "Weights")
    first, second = unflatten(structure, [1]), unflatten(structure, [2])
    assert type(first) is type(second)
    assert (first.w, second.w) == (1, 2)
    assert repr(first) == "Weights(w=1)"
