"""Products that threads of ours share: the same as NumPy's, and BLAS is given back its threads."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import rax
import rax.numpy as rnp
from rax.ir.types import tensor_type
from rax.ops.arrays import Array
from rax.runtime.backends.numpy.blas import ONE_THREAD
from rax.runtime.backends.numpy.contraction import CONTRACTION
from rax.runtime.backends.numpy.pool import run_blocks
from rax.runtime.backends.numpy.products import shared_product
from rax.runtime.fusion import threads


class Blas:
    """OpenBLAS itself, asked and told by its own functions; with two threads at first."""

    def __init__(self) -> None:
        module: Any = __import__("numpy._core._multiarray_umath", fromlist=[""])
        library = ctypes.CDLL(module.__file__)
        prefix, suffix = (
            ("scipy_openblas_", "64_") if hasattr(library, "scipy_openblas_get_num_threads64_") else ("openblas_", "")
        )
        self.count: Callable[[], int] = getattr(library, f"{prefix}get_num_threads{suffix}")
        self.set: Callable[[int], None] = getattr(library, f"{prefix}set_num_threads{suffix}")


@pytest.fixture
def blas() -> Iterator[Blas]:
    found = Blas()
    before = found.count()
    found.set(2)
    yield found
    found.set(before)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int32"])
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((300, 201), (201, 301)),
        ((8, 127, 256), (256, 257)),  # rows of a batch are rows of one product
        ((8, 4, 128, 33), (8, 4, 33, 128)),
        ((1, 128, 256), (8, 256, 100)),
        ((8, 1, 120, 60), (1, 9, 60, 120)),
        ((5, 3, 1, 4000), (3, 4000, 90)),
        ((300, 200), (7, 200, 300)),
        ((1, 1000, 100), (1, 100, 90)),
        ((3, 1000), (1000, 7000)),
    ],
)
def test_blocks_make_the_product(left: tuple[int, ...], right: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, y = [np.asarray(rng.standard_normal(shape) * 9).astype(dtype) for shape in (left, right)]
    types = (tensor_type(left, dtype), tensor_type(right, dtype))
    kernel = CONTRACTION["matmul"](None, types)
    assert kernel is not None
    product = shared_product(kernel, types)
    assert (product is kernel) == (threads() == 1)
    due = np.matmul(x.astype("complex128"), y.astype("complex128"))
    out = np.empty(due.shape, dtype)
    turned = product(x.swapaxes(-1, -2).copy().swapaxes(-1, -2), np.asfortranarray(y))
    # Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.5.
    epsilon = {"int32": 0.0, "float64": np.finfo("float64").eps}.get(dtype, np.finfo("float32").eps)
    bound = 2 * left[-1] * epsilon * np.matmul(np.abs(x), np.abs(y))
    for found in (product(x, y), product(x, y, out=out), turned):
        assert found.dtype == dtype
        assert np.all(np.abs(found - due) <= bound)
    assert np.array_equal(product(x, y), out)


def test_blas_has_one_thread_while_a_job_runs(blas: Blas) -> None:
    seen: set[int] = set()

    def start() -> Callable[[int], None]:
        return lambda _: seen.add(blas.count())

    run_blocks(range(100), start)
    assert seen == {1 if threads() > 1 else 2}
    assert blas.count() == 2


def test_blas_has_its_threads_again_after_the_last_of_several(blas: Blas) -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        inside.set()
        leave.wait(10)

    def fail() -> None:
        raise ValueError("within")

    thread = threading.Thread(target=ONE_THREAD.run, args=(other,))
    thread.start()
    assert inside.wait(10)
    with pytest.raises(ValueError, match="within"):
        ONE_THREAD.run(fail)
    assert blas.count() == 1
    leave.set()
    thread.join()
    assert blas.count() == 2


def test_a_model_of_shared_groups_and_products_is_that_of_the_reference() -> None:
    rng = np.random.default_rng(0)
    x, w, v = [rng.standard_normal(shape, np.float32) for shape in ((1100, 260), (260, 300), (300, 260))]

    def model(x: rax.Tensor, w: rax.Tensor, v: rax.Tensor) -> rax.Tensor:
        return rnp.tanh(rnp.tanh(x @ w) * 2 + 1) @ v + rnp.sum(w[:60, :60] @ v[:60, :60])

    graph = rax.trace(model, x, w, v)
    exe = rax.compile(graph)
    found: Array = exe(x, w, v)
    due = np.tanh(np.tanh(x.astype("f8") @ w) * 2 + 1) @ v + np.sum(w[:60, :60].astype("f8") @ v[:60, :60])
    assert [step.blocking is not None for step in exe.plan.steps].count(True) == 1
    np.testing.assert_allclose(found, due, rtol=1e-4, atol=1e-2)
    assert np.array_equal(found, exe(x, w, v))


def _nothing(_: int) -> None:
    """The work of a block."""


def test_interrupts_at_any_moment_leave_blas_and_processors_as_they_were(blas: Blas) -> None:
    before, allowed = blas.count(), os.sched_getaffinity(0)
    run_blocks(range(2), lambda: _nothing)  # starts the threads

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    handler = signal.signal(signal.SIGALRM, interrupt)
    try:
        for moment in range(1, 400):
            with contextlib.suppress(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, moment * 2e-6)
                while True:
                    run_blocks(range(2), lambda: _nothing)
    finally:
        signal.signal(signal.SIGALRM, handler)
    seen: set[int] = set()
    together = threading.Barrier(threads())

    def look(_: int) -> None:
        together.wait(10)
        seen.update(os.sched_getaffinity(0))

    run_blocks(range(threads()), lambda: look)
    assert len(seen) == threads()
    assert (blas.count(), os.sched_getaffinity(0)) == (before, allowed)


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_process_forked_during_a_job_of_another_thread_has_the_threads_of_blas(blas: Blas) -> None:
    before = blas.count()
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        inside.set()
        leave.wait(10)

    thread = threading.Thread(target=ONE_THREAD.run, args=(other,))
    thread.start()
    assert inside.wait(10)
    child = os.fork()
    if child == 0:
        os._exit(int(blas.count() != before))
    leave.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert blas.count() == before
