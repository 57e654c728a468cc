"""Functions from gradients to gradients, and the norm they use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rax import numpy as rnp
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir.trail import scope
from rax.ir.tree import flatten, unflatten
from rax.ir.types import float32
from rax.ops.arithmetic import root_of_squares

Nest = Any
Transform = Callable[[Nest], Nest]


def global_norm(nest: Nest) -> Tensor:
    """The Euclidean norm of all leaves of a nest together; float32 at least. At 0 its derivative is 0.

    Example:
        >>> global_norm({"a": rnp.asarray([3.0]), "b": 4.0})
        Tensor(5., dtype=float32)
    """
    leaves, _ = flatten(nest)
    total: Tensor = rnp.zeros((), dtype=float32)
    for leaf in leaves:
        tensor = as_tensor(leaf)
        total = total + rnp.sum(rnp.square(rnp.astype(tensor, rnp.result_type(tensor, float32))))
    return Tensor(root_of_squares(total.value))


def clip_by_global_norm(max_norm: float) -> Transform:
    """Scale all gradients together, so that their :func:`global_norm` is ``max_norm`` at most.

    Args:
        max_norm: the largest norm.

    Example:
        >>> [float(grad) for grad in clip_by_global_norm(1.0)([3.0, 4.0])]
        [0.6000000238418579, 0.800000011920929]
    """

    def transform(grads: Nest) -> Nest:
        leaves, tree = flatten(grads)
        with scope("clip_by_global_norm"):
            scale = max_norm / rnp.maximum(global_norm(grads), max_norm)
            tensors = [as_tensor(leaf) for leaf in leaves]
            return unflatten(tree, [tensor * rnp.astype(scale, tensor.dtype) for tensor in tensors])

    return transform


def clip_by_value(limit: float) -> Transform:
    """Clip each element of the gradients to ``[-limit, limit]``.

    Args:
        limit: the largest absolute value.

    Example:
        >>> [float(grad) for grad in clip_by_value(1.0)([-3.0, 0.5])]
        [-1.0, 0.5]
    """

    def transform(grads: Nest) -> Nest:
        leaves, tree = flatten(grads)
        with scope("clip_by_value"):
            return unflatten(tree, [rnp.clip(as_tensor(leaf), -limit, limit) for leaf in leaves])

    return transform
