"""The error family: how a message is built, and what each class also is."""

from __future__ import annotations

import copy
import pickle

import pytest

from rax.ir import errors
from rax.ir.errors import FormatError, RaxError

FAMILY = [
    item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, RaxError)
]  # fmt: skip


def test_a_message_says_what_where_source_and_fix() -> None:
    error = RaxError("it failed", where="%0 = add\n%1 = mul", source="model.py:3 in f", fix="do it right")
    assert str(error) == (
        "it failed\n"
        "  %0 = add\n"
        "  %1 = mul\n"
        "  at: model.py:3 in f\n"
        "  fix: do it right"
    )  # fmt: skip
    assert str(RaxError("it failed")) == "it failed"


def test_a_format_error_leads_with_its_code() -> None:
    error = FormatError("the file ends too early", code="truncated", where="byte 12")
    assert str(error) == "[truncated] the file ends too early\n  byte 12"
    assert error.code == "truncated"


def make(cls: type[RaxError]) -> RaxError:
    if issubclass(cls, FormatError):
        return cls("what", code="code", where="where", fix="fix")
    return cls("what", where="where", source="source", fix="fix")


@pytest.mark.parametrize("cls", FAMILY)
def test_errors_travel_between_processes(cls: type[RaxError]) -> None:
    error = make(cls)
    error.add_note("noted")
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is cls
        assert str(other) == str(error)
        assert vars(other) == vars(error)


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("TypeInferenceError", TypeError),
        ("TreeError", TypeError),
        ("ShapeError", ValueError),
        ("UnboundInputError", ValueError),
        ("DerivativeError", ValueError),
        ("VerificationError", ValueError),
        ("ParseError", ValueError),
        ("FormatError", ValueError),
        ("BindingError", ValueError),
        ("ExecutionError", RuntimeError),
    ],
)
def test_each_error_is_also_what_a_numpy_user_expects(name: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(errors, name), (builtin,))


@pytest.mark.parametrize("cls", FAMILY)
def test_every_error_is_documented(cls: type[RaxError]) -> None:
    assert cls.__doc__
