"""Records: what a dataclass promises, of classes that nothing is compiled for."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from rax.ir.record import Frozen, Record


class Step(Record):
    """With fields of all kinds."""

    name: str
    size: int
    notes: tuple[str, ...] = ()


class Long(Step):
    """With a field more."""

    rounds: int = 1


class Still(Frozen):
    """One that stays."""

    size: int


def test_fields_are_given_by_position_or_name_and_have_defaults() -> None:
    assert Step("a", 1) == Step(size=1, name="a") == Step("a", 1, ())
    assert Step("a", 1) != Step("a", 2)
    assert repr(Long("a", 1, rounds=3)) == "Long(name='a', size=1, notes=(), rounds=3)"
    assert Long("a", 1) != Step("a", 1)


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), (("a",), {}), (("a",), {"name": "b"}), (("a", 1), {"other": 2}), (("a", 1, (), 3), {})],
)
def test_a_field_that_is_missing_unknown_or_given_twice_is_refused(
    values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match=r"^Step\(\) "):
        Step(*values, **named)


def test_a_copy_has_some_fields_changed() -> None:
    step = Step("a", 1)
    assert step.replaced(size=2) == Step("a", 2)
    assert step == copy.deepcopy(step) == pickle.loads(pickle.dumps(step)) == Step("a", 1)
    step.size = 5
    assert step.size == 5


def test_what_is_frozen_cannot_be_changed() -> None:
    still = Still(2)
    with pytest.raises(AttributeError, match="Still cannot be changed"):
        still.size = 3  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError, match="Still cannot be changed"):
        del still.size  # pyright: ignore[reportAttributeAccessIssue]
    assert copy.copy(still) == pickle.loads(pickle.dumps(still)) == Still(2)
