"""The laws that hold for every operation, on each of its samples and dtypes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rax.format.files import load
from rax.format.saving import save
from rax.ir.errors import DerivativeError, TypeInferenceError
from rax.ir.graph import Graph
from rax.ir.op import REGISTRY, Op, missing_slots
from rax.ir.program import Program
from rax.ir.text.graph_parser import parse_graph
from rax.ir.text.graph_printer import large_literals, print_graph
from rax.ir.types import as_dtype
from rax.ops.arrays import numpy_dtype
from rax.ops.families import Composite
from rax.ops.samples import ANY, Reject
from rax.runtime.reference import evaluate_graph
from tests.ops import laws
from tests.ops.laws import Case

ALL = laws.cases()
WIDEST = laws.cases(laws.WIDEST)
DOUBLE = laws.cases(laws.DOUBLE)
DIFFERENTIABLE = [case for case in DOUBLE if not case.cls.nondiff]
REVERSIBLE = [case for case in DIFFERENTIABLE if not case.cls.forward_only]
OPERATIONS = sorted(REGISTRY.values(), key=lambda cls: cls.name)
PLAIN = [cls for cls in OPERATIONS if cls.samples[0].operands and not cls.holds_graphs]
REJECTS = [(cls, reject) for cls in OPERATIONS for reject in cls.rejects]


def on_each(cases: list[Case]) -> Callable[[Callable[[Case], None]], Callable[[type[Op]], None]]:
    """A law as one test an operation, of all its cases; every case that breaks it is named.

    There are tens of thousands of cases, most of a millisecond: less than a test of its own costs.
    """
    grouped: dict[type[Op], list[Case]] = {}
    for case in cases:
        grouped.setdefault(case.cls, []).append(case)

    def law(check: Callable[[Case], None]) -> Callable[[type[Op]], None]:
        def test(cls: type[Op]) -> None:
            broken: list[Exception] = []
            for case in grouped[cls]:
                try:
                    check(case)
                except Exception as error:  # noqa: BLE001  # raised below, all together
                    error.add_note(f"on {case}")
                    broken.append(error)
            if broken:
                raise ExceptionGroup(f"{len(broken)} of {len(grouped[cls])} cases", broken)

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return pytest.mark.parametrize("cls", grouped, ids=lambda cls: cls.name)(test)

    return law


@pytest.mark.parametrize("cls", OPERATIONS, ids=lambda cls: cls.name)
def test_an_operation_is_complete(cls: type[Op]) -> None:
    assert list(missing_slots(cls)) == []
    assert {case.index for case in ALL if case.cls is cls} == set(range(len(cls.samples)))


@pytest.mark.parametrize("cls", PLAIN, ids=lambda cls: cls.name)
def test_an_operation_is_tried_on_no_elements(cls: type[Op]) -> None:
    types = [type for case in ALL if case.cls is cls for type in (*case.types, *case.op.infer(*case.types))]
    assert any(0 in type.shape for type in types)


@pytest.mark.parametrize("cls", PLAIN, ids=lambda cls: cls.name)
def test_an_operation_on_floats_takes_half_types(cls: type[Op]) -> None:
    """Where it does not, NumPy's linear algebra does not either, and the operation says what to cast to."""
    names = set(getattr(cls, "dtypes", ANY))
    if "float32" in names and not {"float16", "bfloat16"} <= names:
        half = [sample.types(as_dtype("bfloat16")) for sample in cls.samples[:1]]
        with pytest.raises(TypeInferenceError, match=r"cast|computed in float32"):
            cls.samples[0].op(cls, as_dtype("float32")).infer(*half[0])


@on_each(ALL)
def test_the_type_rule_says_what_the_reference_returns(case: Case) -> None:
    arrays = case.arrays()
    before = [array.tobytes() for array in arrays]
    results = evaluate_graph(case.graph(), arrays)
    found = [(result.dtype, result.shape) for result in results]
    assert found == [(numpy_dtype(type.dtype), type.shape) for type in case.op.infer(*case.types)]
    assert [array.tobytes() for array in arrays] == before, "the reference changed an operand"


@on_each(DIFFERENTIABLE)
def test_jvp_equals_finite_differences(case: Case) -> None:
    laws.check_jvp(case.graph(), case.arrays(), case.tolerance("jvp"))


@on_each([case for case in DOUBLE if case.cls.nondiff])
def test_an_operation_without_derivative_pushes_none(case: Case) -> None:
    assert not any(laws.tangent_graph(case.graph())[1])


@on_each(REVERSIBLE)
def test_vjp_is_the_transpose_of_jvp(case: Case) -> None:
    laws.check_vjp(case.graph(), case.arrays(), case.tolerance("vjp"))


@on_each([case for case in DIFFERENTIABLE if case.cls.forward_only])
def test_an_operation_without_reverse_mode_says_so(case: Case) -> None:
    with pytest.raises(DerivativeError, match="no reverse-mode derivative"):
        laws.cotangent_graph(case.graph())


@on_each(DIFFERENTIABLE)
def test_the_jvp_differentiates_again(case: Case) -> None:
    graph, _ = laws.tangent_graph(case.graph())
    arrays = with_random(graph, case)
    factor = case.tolerance("second order")
    laws.check_jvp(graph, arrays, factor)
    if not case.cls.forward_only:
        laws.check_vjp(graph, arrays, factor)


@on_each(REVERSIBLE)
def test_the_vjp_differentiates_again(case: Case) -> None:
    graph, _ = laws.cotangent_graph(case.graph())
    arrays = with_random(graph, case)
    laws.check_jvp(graph, arrays, case.tolerance("second order"))
    laws.check_vjp(graph, arrays, case.tolerance("second order"))


def with_random(graph: Graph, case: Case) -> list[np.ndarray]:
    """The case's operands, then random arrays for the derivatives that follow them."""
    arrays = case.arrays()
    rest = graph.in_types[len(arrays) :]
    return [*arrays, *[laws.random_like(type, seed) for seed, type in enumerate(rest, start=400)]]


@on_each(WIDEST)
def test_a_batch_equals_a_loop(case: Case) -> None:
    rows = [case.arrays(seed) for seed in range(3)]
    for batched in laws.patterns(len(rows[0])):
        laws.check_batching(case.graph(), rows, batched, case.tolerance("batch"))


@on_each([case for case in ALL if issubclass(case.cls, Composite)])
def test_the_body_of_a_composite_equals_its_reference(case: Case) -> None:
    op = case.op
    assert isinstance(op, Composite)
    arrays = case.arrays()
    allowed = 16 * laws.coarsest(case.types) * case.tolerance("body")
    results = evaluate_graph(op.body(*case.types), arrays)
    for actual, due in zip(results, evaluate_graph(case.graph(), arrays), strict=True):
        laws.assert_close(actual, due, allowed, "the body")


@on_each(ALL)
def test_the_numpy_backend_equals_the_reference(case: Case) -> None:
    laws.check_backend(case.graph(), case.arrays(), case.tolerance("backend"))


@on_each(laws.cases(slot="edges"))
def test_the_numpy_backend_equals_the_reference_on_edges(case: Case) -> None:
    laws.check_backend(case.graph(), case.arrays(), case.tolerance("backend"))


@on_each(REVERSIBLE)
def test_the_numpy_backend_runs_derivatives(case: Case) -> None:
    graph, _ = laws.cotangent_graph(case.graph())
    laws.check_backend(graph, with_random(graph, case), case.tolerance("backend"))


@on_each(ALL)
def test_the_text_form_gives_back_the_graph(case: Case) -> None:
    graph = case.graph()
    text = print_graph(graph)
    again = parse_graph(text, tensors=large_literals(graph))
    assert again == graph
    assert print_graph(again) == text


@pytest.mark.parametrize("cls", OPERATIONS, ids=lambda cls: cls.name)
def test_a_file_gives_back_every_graph(cls: type[Op], tmp_path: Path) -> None:
    graphs = {f"sample {case.index} {case.dtype}": case.graph() for case in ALL if case.cls is cls}
    for case in REVERSIBLE:
        if case.cls is cls:
            graphs[f"derivative {case.index} {case.dtype}"] = laws.cotangent_graph(case.graph())[0]
    save(Program(graphs), tmp_path / "first")
    loaded = load(tmp_path / "first")
    assert [name for name, graph in graphs.items() if loaded[name] != graph] == []
    save(loaded, tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize(("cls", "reject"), REJECTS, ids=[f"{c.name}-{c.rejects.index(r)}" for c, r in REJECTS])
def test_a_reject_is_refused_with_its_message(cls: type[Op], reject: Reject) -> None:
    with pytest.raises(TypeInferenceError, match=re.escape(reject.match)):
        reject.op(cls).infer(*reject.types())
