"""Classes of operations read like frozen dataclasses, and behave like them."""

from __future__ import annotations

import copy
import pickle
from typing import Any, ClassVar

import pytest

from rax.ir.op import Op
from rax.ops.arithmetic import Square
from rax.ops.broadcasting import Sum
from rax.ops.contraction import MatMul
from rax.ops.shape import Slice
from rax.ops.sorting import Sort


class Base(Op):
    """A family with an attribute, and what is the class's own."""

    axis: int
    kept: ClassVar[int] = 3

    name = "base"


class Final(Base):
    """One more attribute, and the first again."""

    axis: int
    scale: float = 1.0

    name = "final"


def test_fields_are_those_of_the_class_and_above_in_order() -> None:
    assert Final.attribute_names() == ("axis", "scale")
    assert (Square.attribute_names(), Sum.attribute_names()) == ((), ("axes",))


def test_fields_are_given_by_position_name_and_default() -> None:
    ways = [Final(1), Final(1, 1.0), Final(axis=1), Final(1, scale=1.0), Final(scale=1.0, axis=1)]
    assert [op.attributes() for op in ways] == [{"axis": 1, "scale": 1.0}] * len(ways)
    assert len(set(ways)) == 1
    assert Final(1, 2.0) != Final(1)


@pytest.mark.parametrize(
    ("given", "named", "match"),
    [
        ((), {}, "lacks 'axis'"),
        ((1, 2.0, 3), {}, "takes 2 attributes, not 3"),
        ((1,), {"axis": 1}, "two values for 'axis'"),
        ((1,), {"scales": 1.0}, "no attribute 'scales'"),
        ((), {"scale": 1.0, "scales": 1.0}, "no attribute 'scales'"),
    ],
)
def test_wrong_attributes_are_refused(given: tuple[Any, ...], named: dict[str, Any], match: str) -> None:
    with pytest.raises(TypeError, match=match):
        Final(*given, **named)


@pytest.mark.parametrize("op", [Square(), Sum((0,)), Slice((0,), (2,), (1,)), Sort(0, descending=True)])
def test_operations_cannot_be_changed_and_are_copied_whole(op: Op) -> None:
    for name in (*op.attribute_names(), "name", "key"):
        with pytest.raises(AttributeError, match="operations are immutable"):
            setattr(op, name, None)
        with pytest.raises(AttributeError, match="operations are immutable"):
            delattr(op, name)
    for again in (copy.copy(op), copy.deepcopy(op), pickle.loads(pickle.dumps(op))):
        assert (again, repr(again), hash(again)) == (op, repr(op), hash(op))


def test_no_code_is_made_for_a_class() -> None:
    for cls in (Square, Sum, Slice, MatMul):
        made = [value for value in vars(cls).values() if getattr(value, "__code__", None)]
        assert not [value for value in made if value.__code__.co_filename == "<string>"]
