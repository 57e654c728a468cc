"""The other libraries, each used where it is installed; and a training step in each of them."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import rax
from benchmarks.runtime.work import Contestant, Factory, Work
from rax.ops.arrays import Array

NAMES = ("numpy", "jax", "torch", "onnxruntime", "autograd")
Loss = Callable[..., Any]
Params = Mapping[str, Array]


@functools.cache
def library(name: str) -> Any:
    """A library, or None where it is not installed; JAX with its device started."""
    try:
        found: Any = importlib.import_module(name)
    except ImportError:
        return None
    if name == "jax":
        found.numpy.zeros(()).block_until_ready()
    return found


def described() -> list[str]:
    """A line for each library: its version, or that it is absent; and its threads."""
    lines: list[str] = []
    for name in NAMES:
        try:
            lines.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            lines.append(f"{name} is not installed")
    threads = [f"{_cpus()} CPUs"]
    threads += [
        f"{name}={os.environ[name]}" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS") if name in os.environ
    ]
    if library("torch") is not None:
        threads.append(f"torch uses {library('torch').get_num_threads()} threads")
    control = library("threadpoolctl")
    if control is not None:
        pools = {f"{pool['internal_api']} uses {pool['num_threads']} threads" for pool in control.threadpool_info()}
        threads += sorted(pools)
    return [*lines, ", ".join(threads)]


def _cpus() -> int | None:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def training(
    params: Params,
    batch: Sequence[Array],
    rate: float,
    loss: Loss,
    *,
    jax_loss: Callable[[Any], Loss],
    torch_loss: Callable[[Any], Loss],
    autograd_loss: Callable[[Any], Loss] | None = None,
    by_hand: Callable[[dict[str, Array]], Callable[[], Any]] | None = None,
) -> Work:
    """A step of gradient descent, ``params -= rate * gradient``, in each library that is installed.

    Args:
        params: the first parameters, float32.
        batch: the loss's other arguments.
        rate: the learning rate.
        loss: ``loss(params, *batch)`` in rax.
        jax_loss: from the library to the same function; the others likewise.
        torch_loss: see above.
        autograd_loss: see above; from ``autograd.numpy``.
        by_hand: from parameters to a function that does a step on them in place, and returns the loss.
    """
    params = dict(sorted(params.items()))  # as the leaves of results are
    peers: dict[str, Factory] = {}
    if by_hand is not None:
        peers["numpy"] = lambda: _in_place(params, by_hand)
    if library("jax") is not None:
        peers["jax"] = lambda: _jax_step(library("jax"), jax_loss(library("jax")), params, batch, rate)
    if library("torch") is not None:
        peers["torch"] = lambda: _torch_step(library("torch"), torch_loss(library("torch")), params, batch, rate)
    if autograd_loss is not None and library("autograd") is not None:
        of = autograd_loss(library("autograd.numpy"))
        peers["autograd"] = lambda: _in_place(params, lambda own: _autograd_step(of, own, batch, rate))

    def step(params: dict[str, rax.Tensor], *batch: rax.Tensor) -> tuple[rax.Tensor, dict[str, rax.Tensor]]:
        value, slopes = rax.value_and_grad(loss)(params, *batch)
        return value, {name: param - rate * slopes[name] for name, param in params.items()}

    started = {name: np.array(param) for name, param in params.items()}
    arguments = (started, *batch)
    return Work(lambda: rax.trace(step, *arguments), arguments, [0.0, *params.values()], peers, trains=True)


def _in_place(params: Params, make: Callable[[dict[str, Array]], Callable[[], Any]]) -> Contestant:
    own = {name: np.array(param) for name, param in params.items()}
    return Contestant(make(own), lambda loss: [np.array(loss), *[np.array(param) for param in own.values()]])


def _autograd_step(loss: Loss, params: dict[str, Array], batch: Sequence[Array], rate: float) -> Callable[[], Any]:
    both = library("autograd").value_and_grad(loss)

    def run() -> Any:
        value, slopes = both(params, *batch)
        for name, slope in slopes.items():
            params[name] -= np.float32(rate) * slope
        return value

    return run


def _jax_step(jax: Any, loss: Loss, params: Params, batch: Sequence[Array], rate: float) -> Contestant:
    @functools.partial(jax.jit, donate_argnums=0)
    def step(params: dict[str, Any], *batch: Any) -> Any:
        value, slopes = jax.value_and_grad(loss)(params, *batch)
        return value, {name: param - rate * slopes[name] for name, param in params.items()}

    held = [jax.numpy.array(part) for part in batch]
    state: dict[str, Any] = {name: jax.numpy.array(param) for name, param in params.items()}

    def run() -> Any:
        nonlocal state
        value, state = jax.block_until_ready(step(state, *held))
        return value, state

    return Contestant(run, lambda out: [np.array(out[0]), *[np.array(out[1][name]) for name in params]])


def _torch_step(torch: Any, loss: Loss, params: Params, batch: Sequence[Array], rate: float) -> Contestant:
    held = [torch.tensor(part) for part in batch]
    state = {name: torch.tensor(param, requires_grad=True) for name, param in params.items()}
    optimizer = torch.optim.SGD(state.values(), lr=rate)

    def run() -> Any:
        optimizer.zero_grad()
        value = loss(state, *held)
        value.backward()
        optimizer.step()
        return value

    def arrays(value: Any) -> list[Array]:
        return [value.detach().numpy().copy(), *[param.detach().numpy().copy() for param in state.values()]]

    return Contestant(run, arrays)
