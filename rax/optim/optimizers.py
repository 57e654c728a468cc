"""Optimisers: the update of each parameter from its gradient and what was kept for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from rax import numpy as rnp
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.trail import scope
from rax.ir.tree import Tree, flatten, leaves_like, paths, unflatten
from rax.ir.types import DType, int64
from rax.ops.arithmetic import root_of_squares
from rax.ops.reduction import computing_dtype
from rax.optim.clipping import Nest, Transform
from rax.optim.schedules import Schedule

LearningRate = float | Schedule
Rule = Callable[..., tuple[Tensor, ...]]
"""One leaf's update: ``(param, grad, rate, count, *slots)`` to ``(param, *slots)``; count is from 1."""


@dataclass(frozen=True)
class Optimizer:
    """A pair of pure functions.

    Attributes:
        init: ``init(params)`` gives the first state.
        update: ``update(params, grads, state)`` gives the new ``(params, state)``.

    Example:
        >>> opt = sgd(0.5)
        >>> params, state = opt.update([1.0], [4.0], opt.init([1.0]))
        >>> float(params[0]), int(state["step"])
        (-1.0, 1)
    """

    init: Callable[[Nest], dict[str, Nest]]
    update: Callable[[Nest, Nest, dict[str, Nest]], tuple[Nest, dict[str, Nest]]]


def _optimizer(name: str, lr: LearningRate, slots: Mapping[str, float], rule: Rule) -> Optimizer:
    """An optimiser that treats each leaf by itself.

    Args:
        name: the scope of its nodes.
        lr: the learning rate.
        slots: what it keeps for each leaf, with the first value.
        rule: the update of one leaf.
    """

    def init(params: Nest) -> dict[str, Nest]:
        tensors, tree = _floating(params)
        state: dict[str, Nest] = {"step": rnp.zeros((), dtype=int64)}
        for slot, start in slots.items():
            state[slot] = unflatten(tree, [rnp.full_like(tensor, start) for tensor in tensors])
        return state

    def update(params: Nest, grads: Nest, state: dict[str, Nest]) -> tuple[Nest, dict[str, Nest]]:
        tensors, tree = _floating(params)
        columns = [_matching(tree, tensors, grads, "grads")]
        columns += [_matching(tree, tensors, state[slot], f"state[{slot!r}]") for slot in slots]
        with scope(name):
            step = as_tensor(state["step"])
            rows = [_updated(rule, lr, step, leaves) for leaves in zip(tensors, *columns, strict=True)]
        new = [unflatten(tree, [row[place] for row in rows]) for place in range(len(slots) + 1)]
        return new[0], {"step": step + 1, **dict(zip(slots, new[1:], strict=True))}

    return Optimizer(init, update)


def _updated(rule: Rule, lr: LearningRate, step: Tensor, leaves: Sequence[Tensor]) -> list[Tensor]:
    """A rule on a parameter, its gradient and what is kept for it: half types in float32, to which no epsilon is 0."""
    dtype = leaves[0].dtype
    param, grad, *kept = [rnp.astype(leaf, computing_dtype(dtype)) for leaf in leaves]
    results = rule(param, grad, _rate(lr, step, param.dtype), step + 1, *kept)
    return [rnp.astype(result, dtype) for result in results]


def _floating(params: Nest) -> tuple[list[Tensor], Tree]:
    """The leaves of the parameters as tensors, and their nest."""
    leaves, tree = flatten(params)
    tensors = [as_tensor(leaf) for leaf in leaves]
    for tensor, path in zip(tensors, paths(tree, "params"), strict=True):
        if not tensor.dtype.is_floating:
            raise TypeInferenceError(
                f"{path} is {tensor.value.type}, and an optimiser updates floating-point tensors only",
                fix="keep what is not trained out of the parameters",
            )
    return tensors, tree


def _matching(tree: Tree, tensors: Sequence[Tensor], nest: Nest, what: str) -> list[Tensor]:
    """The leaves of a nest that goes with the parameters, in their dtypes."""
    found: list[Tensor] = []
    for tensor, leaf, path in zip(tensors, leaves_like(tree, nest, what), paths(tree, what), strict=True):
        other = as_tensor(leaf)
        if other.shape != tensor.shape:
            raise TypeInferenceError(f"{path} is {other.value.type}, its parameter {tensor.value.type}")
        found.append(rnp.astype(other, tensor.dtype))
    return found


def _rate(lr: LearningRate, step: Tensor, dtype: DType) -> float | Tensor:
    return rnp.astype(lr(step), dtype) if callable(lr) else lr


def _bias_correction(beta: float, count: Tensor, dtype: DType) -> Tensor | float:
    """``1 - beta**count``, exact to rounding where beta is close to 1."""
    if beta == 0:
        return 1.0
    return -rnp.expm1(rnp.astype(count, dtype) * math.log(beta))


def _root(squares: Tensor) -> Tensor:
    """The square root, with the derivative 0 at 0, for those who differentiate through an update."""
    return Tensor(root_of_squares(squares.value))


def sgd(lr: LearningRate, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0) -> Optimizer:
    """Stochastic gradient descent.

    ``g += weight_decay * p``; ``m = momentum * m + g``; ``p -= lr * m``, or with Nesterov's momentum
    ``p -= lr * (g + momentum * m)``: as PyTorch's SGD with no dampening.

    Args:
        lr: the learning rate.
        momentum: how much of the last step's direction stays.
        nesterov: whether to look ahead along the momentum (Sutskever et al., 2013).
        weight_decay: the weight of the squared norm's gradient.

    Raises:
        RaxError: Nesterov's variant is asked for without momentum.

    Example:
        >>> opt = sgd(0.1, momentum=0.9)
        >>> params, state = opt.update({"w": 1.0}, {"w": 2.0}, opt.init({"w": 1.0}))
        >>> float(params["w"]), float(state["momentum"]["w"])
        (0.800000011920929, 2.0)
    """
    if nesterov and not momentum:
        raise RaxError("Nesterov's momentum needs a momentum", fix="give momentum=0.9")

    def rule(param: Tensor, grad: Tensor, rate: Any, count: Tensor, *kept: Tensor) -> tuple[Tensor, ...]:
        del count
        slope = grad + weight_decay * param if weight_decay else grad
        if not momentum:
            return (param - rate * slope,)
        moved = momentum * kept[0] + slope
        return param - rate * (slope + momentum * moved if nesterov else moved), moved

    return _optimizer("sgd", lr, {"momentum": 0.0} if momentum else {}, rule)


def adam(lr: LearningRate = 1e-3, b1: float = 0.9, b2: float = 0.999, epsilon: float = 1e-8) -> Optimizer:
    """Adam (Kingma and Ba, 2014).

    ``m = b1 m + (1 - b1) g``; ``v = b2 v + (1 - b2) g**2``; at update ``t`` from 1 on,
    ``p -= lr * (m / (1 - b1**t)) / (sqrt(v / (1 - b2**t)) + epsilon)``.

    Args:
        lr: the learning rate.
        b1: the decay of the mean of the gradients.
        b2: the decay of the mean of their squares.
        epsilon: keeps the divisor from 0.

    Example:
        >>> opt = adam(0.1)
        >>> params, state = opt.update([1.0], [4.0], opt.init([1.0]))
        >>> round(float(params[0]), 6)
        0.9
    """
    return _adam("adam", lr, b1, b2, epsilon, 0.0)


def adamw(
    lr: LearningRate = 1e-3, b1: float = 0.9, b2: float = 0.999, epsilon: float = 1e-8, weight_decay: float = 1e-2
) -> Optimizer:
    """Adam with decoupled weight decay: first ``p -= lr * weight_decay * p`` (Loshchilov and Hutter, 2017).

    Args:
        lr: the learning rate.
        b1: the decay of the mean of the gradients.
        b2: the decay of the mean of their squares.
        epsilon: keeps the divisor from 0.
        weight_decay: the share of a parameter that is lost in an update, over ``lr``.

    Example:
        >>> opt = adamw(0.1, weight_decay=0.5)
        >>> params, state = opt.update([1.0], [4.0], opt.init([1.0]))
        >>> round(float(params[0]), 6)
        0.85
    """
    return _adam("adamw", lr, b1, b2, epsilon, weight_decay)


def _adam(name: str, lr: LearningRate, b1: float, b2: float, epsilon: float, weight_decay: float) -> Optimizer:
    def rule(param: Tensor, grad: Tensor, rate: Any, count: Tensor, *kept: Tensor) -> tuple[Tensor, ...]:
        mean = b1 * kept[0] + (1 - b1) * grad
        square = b2 * kept[1] + (1 - b2) * rnp.square(grad)
        direction = mean / _bias_correction(b1, count, param.dtype)
        spread = _root(square / _bias_correction(b2, count, param.dtype)) + epsilon
        start = param - rate * weight_decay * param if weight_decay else param
        return start - rate * (direction / spread), mean, square

    return _optimizer(name, lr, {"mean": 0.0, "square": 0.0}, rule)


def rmsprop(lr: LearningRate = 1e-2, decay: float = 0.99, epsilon: float = 1e-8, momentum: float = 0.0) -> Optimizer:
    """RMSprop (Tieleman and Hinton, 2012), as PyTorch's.

    ``v = decay v + (1 - decay) g**2``; ``m = momentum m + g / (sqrt(v) + epsilon)``; ``p -= lr * m``.

    Args:
        lr: the learning rate.
        decay: the decay of the mean of the squared gradients.
        epsilon: keeps the divisor from 0.
        momentum: how much of the last step's direction stays.

    Example:
        >>> opt = rmsprop(0.1, decay=0.75)
        >>> params, state = opt.update([1.0], [4.0], opt.init([1.0]))
        >>> round(float(params[0]), 6), float(state["square"][0])
        (0.8, 4.0)
    """

    def rule(param: Tensor, grad: Tensor, rate: Any, count: Tensor, *kept: Tensor) -> tuple[Tensor, ...]:
        del count
        square = decay * kept[0] + (1 - decay) * rnp.square(grad)
        direction = grad / (_root(square) + epsilon)
        if not momentum:
            return param - rate * direction, square
        moved = momentum * kept[1] + direction
        return param - rate * moved, square, moved

    return _optimizer("rmsprop", lr, {"square": 0.0, **({"momentum": 0.0} if momentum else {})}, rule)


def adagrad(lr: LearningRate = 1e-2, epsilon: float = 1e-10, initial: float = 0.0) -> Optimizer:
    """Adagrad (Duchi, Hazan and Singer, 2011), as PyTorch's: ``s += g**2``; ``p -= lr * g / (sqrt(s) + epsilon)``.

    Args:
        lr: the learning rate.
        epsilon: keeps the divisor from 0.
        initial: the first sum of squares.

    Example:
        >>> opt = adagrad(0.5)
        >>> params, state = opt.update([1.0], [4.0], opt.init([1.0]))
        >>> float(params[0]), float(state["sum"][0])
        (0.5, 16.0)
    """

    def rule(param: Tensor, grad: Tensor, rate: Any, count: Tensor, *kept: Tensor) -> tuple[Tensor, ...]:
        del count
        total = kept[0] + rnp.square(grad)
        return param - rate * (grad / (_root(total) + epsilon)), total

    return _optimizer("adagrad", lr, {"sum": initial}, rule)


def chain(*parts: Transform | Optimizer) -> Optimizer:
    """An optimiser whose gradients first pass through transforms, in order.

    Args:
        *parts: functions from gradients to gradients, and at the end an optimiser.

    Raises:
        RaxError: the last part is no optimiser, or an earlier one is.

    Example:
        >>> from rax import optim
        >>> opt = chain(optim.clip_by_value(1.0), sgd(0.5))
        >>> float(opt.update([1.0], [4.0], opt.init([1.0]))[0][0])
        0.5
    """
    *transforms, last = parts or (None,)
    if not isinstance(last, Optimizer) or any(isinstance(part, Optimizer) for part in transforms):
        raise RaxError("chain takes gradient transforms and, at the end, one optimiser")

    def update(params: Nest, grads: Nest, state: dict[str, Nest]) -> tuple[Nest, dict[str, Nest]]:
        for transform in transforms:
            grads = cast("Transform", transform)(grads)
        return last.update(params, grads, state)

    return Optimizer(last.init, update)
