"""Running an entry of a program by names: defaults, examples, checks, state fed back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from rax.ir.errors import BindingError, RaxError, ResourceError
from rax.ir.node import Literal
from rax.ir.program import Example, Program
from rax.ir.record import Record
from rax.ops.arrays import Array, quietly
from rax.runtime.executable import compile

if TYPE_CHECKING:
    from rax.runtime.profile import Profile

T = TypeVar("T")

# How far an output may be from the expected one, relative to the largest number in that: machines
# sum in different orders. Integers and bools must be equal.
CHECK_TOLERANCE = {
    "float8_e4m3fn": 0.25, "float8_e5m2": 0.5,
    "float16": 1e-2, "bfloat16": 1e-1, "float32": 1e-4, "float64": 1e-9, "complex64": 1e-4, "complex128": 1e-9,
}  # fmt: skip


class Comparison(Record):
    """An output beside the expected one.

    Attributes:
        name: the output's.
        difference: the largest difference of two elements; infinite where NaNs or shapes differ.
        tolerance: the largest difference allowed.
    """

    name: str
    difference: float
    tolerance: float

    @property
    def equal(self) -> bool:
        """Whether the difference is allowed."""
        return self.difference <= self.tolerance


class Entry:
    """One entry of a program, made ready to run by names.

    Args:
        program: what a file holds.
        name: the entry; by default the program's main one.
        backend: what computes.
        memory: the bytes a run is to hold at once, computing again what it would keep; see :func:`rax.compile`.
        max_memory: the most bytes a run may hold at once; see there.
        timeout: the most seconds a run may take; see there.
        in_place: whether each of several steps writes new state over the old; an output that is state is then
            good until the next step. What is given is never written over.

    Raises:
        RaxError: there is no such entry.

    Attributes:
        name: the entry.
        graph: what it runs.
        example: its example; empty if there is none.
        states: outputs that are fed back, by name: the positions of input and output.
    """

    def __init__(
        self,
        program: Program,
        name: str | None = None,
        backend: str = "numpy",
        *,
        memory: int | None = None,
        max_memory: int | None = None,
        timeout: float | None = None,
        in_place: bool = False,
    ) -> None:
        chosen = program.main if name is None else name
        if chosen is None or chosen not in program:
            what = "the file names no main entry" if chosen is None else f"there is no entry {chosen!r}"
            raise RaxError(what, fix=f"choose one of {', '.join(program)}")
        self.name = chosen
        self.graph = program[chosen]
        self.example = program.examples.get(chosen, Example())
        self.states = self.graph.states
        self._defaults = program.defaults
        self._executable = compile(
            self.graph, backend, memory=memory, max_memory=max_memory, timeout=timeout,
            donate=tuple(self.states) if in_place else (),
        )  # fmt: skip

    def inputs(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What each input is: given, else from the example, else a default; those without are left out."""
        merged: dict[str, Any] = {}
        for name in self.graph.input_names:
            literal = self.example.inputs.get(name, self._defaults.get(name))
            if literal is not None:
                merged[name] = array_of(literal)
        return {**merged, **given}

    def run(self, given: Mapping[str, Any] | None = None) -> dict[str, Array]:
        """The outputs by name.

        Args:
            given: arrays by input name, in place of the file's own.

        Raises:
            BindingError: a name is unknown or an input missing, or an array does not fit.
            ExecutionError: an operation failed.
            ResourceError: it would take more memory, or has taken more time, than is allowed.
        """
        return next(self.steps(given or {}, 1))

    def profile(self, given: Mapping[str, Any], runs: int = 11) -> Profile:
        """Where the time of a run goes; the profile's ``results`` are the outputs by name.

        Raises:
            RaxError: as :meth:`run` does.
        """
        arrays = self._executable.bind_named(self.inputs(given))
        found = self._guarded(lambda: self._executable.profile_run(arrays, runs), given)
        return found.with_results(dict(zip(self.graph.output_names, found.results, strict=True)))

    def steps(self, given: Mapping[str, Any], count: int) -> Iterator[dict[str, Array]]:
        """The outputs of each of several runs, every run starting from the state the last one left.

        Raises:
            RaxError: several runs are asked for, and no output is state.
        """
        if count != 1 and not self.states:
            raise RaxError(
                f"entry {self.name!r} has no state to feed back",
                fix="an output is state if an input has its name and type",
            )
        arrays = self._executable.bind_named(self.inputs(given))
        for place in self._executable.donated:
            arrays[place] = arrays[place].copy()
        for _ in range(count):
            results = self._guarded(lambda: self._executable.run(arrays), given)
            yield dict(zip(self.graph.output_names, results, strict=True))
            for into, out in self.states.values():
                arrays[into] = results[out]

    def _guarded(self, run: Callable[[], T], given: Mapping[str, Any]) -> T:
        """What a run returns, with errors that say more."""
        try:
            return run()
        except ResourceError as error:
            what = f"entry {self.name!r}: {error.what}"
            raise ResourceError(what, where=error.where, source=error.source, fix=error.fix) from error
        except BindingError as error:
            ours = [name for name in self.example.inputs if name not in given]
            if given and ours:
                verb = "comes" if len(ours) == 1 else "come"
                raise BindingError(
                    error.what, fix=f"{', '.join(ours)} {verb} from the file's example: give a value that fits"
                ) from None
            raise

    def check(self, outputs: Mapping[str, Array]) -> list[Comparison]:
        """Outputs of a run on the example's inputs, beside those the file says are due."""
        return [compare(name, outputs[name], array_of(due)) for name, due in self.example.outputs.items()]


def array_of(literal: Literal) -> Array:
    """The read-only array of a literal."""
    return cast("Array", literal.array)


def compare(name: str, actual: Array, expected: Array) -> Comparison:
    """How far an array is from the one expected.

    Example:
        >>> compare("y", np.array([1.0, 2.5]), np.array([1.0, 2.0])).difference
        0.5
    """
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return Comparison(name, np.inf, 0.0)
    relative = CHECK_TOLERANCE.get(expected.dtype.name, 0.0)
    if relative == 0.0:
        worst = float(np.max(np.abs(actual.astype(np.float64) - expected.astype(np.float64)), initial=0.0))
        return Comparison(name, max(worst, float(not np.array_equal(actual, expected))), 0.0)
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    with quietly():  # the cast of a signalling NaN warns
        left, right = actual.astype(wide), expected.astype(wide)
    finite = np.isfinite(right)
    scale = float(np.max(np.abs(right[finite]), initial=1.0))
    if not np.array_equal(left[~finite], right[~finite], equal_nan=True):
        return Comparison(name, np.inf, relative * scale)
    worst = float(np.max(np.abs(left[finite] - right[finite]), initial=0.0))
    return Comparison(name, np.inf if np.isnan(worst) else worst, relative * scale)
