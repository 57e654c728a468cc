"""Functions of parts applied to wholes: along an axis, over axes, over everything that broadcasts."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection
from typing import Any

from rax.frontend.jacobians import vmap
from rax.frontend.promotion import TensorLike, as_value
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.errors import TypeInferenceError
from rax.ir.tree import flatten, unflatten
from rax.ir.types import broadcast_shapes
from rax.numpy.common import as_axis, as_list
from rax.numpy.manipulation import broadcast_to, expand_dims, moveaxis, reshape

_SIGNATURE = re.compile(r"\(([\w,]*)\)(?:,\(([\w,]*)\))*->.*\Z")


def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: TensorLike, *args: Any, **kwargs: Any) -> Tensor:
    """A function of vectors, applied to each one along an axis.

    Args:
        func1d: takes a vector, and the rest of the arguments; returns a tensor.
        axis: the axis, whose place the axes of the result take.
        arr: at least one axis.
        *args: passed on.
        **kwargs: passed on.

    Raises:
        OutOfRangeError: the axis is out of range.

    Example:
        >>> from rax.numpy import asarray, sum
        >>> apply_along_axis(sum, 0, asarray([[1, 2], [3, 4]]))
        Tensor([4, 6], dtype=int64)
    """
    value = Tensor(as_value(arr))
    place = as_axis(axis, value.ndim)
    lined = moveaxis(value, place, -1)
    lead = lined.shape[:-1]
    flat = reshape(lined, (dims.product(lead), lined.shape[-1]))

    def of_row(row: Tensor) -> Any:
        return func1d(row, *args, **kwargs)

    result = Tensor(as_value(vmap(of_row)(flat)))
    inner = result.ndim - 1
    whole = reshape(result, (*lead, *result.shape[1:]))
    return moveaxis(whole, list(range(len(lead), whole.ndim)), list(range(place, place + inner)))


def apply_over_axes(func: Callable[..., Any], a: TensorLike, axes: int | Collection[int]) -> Tensor:
    """A reduction applied over axes one after the other, each of which stays with size 1.

    Args:
        func: called as ``func(a, axis=axis)``.
        a: any shape.
        axes: the axes.

    Raises:
        TypeInferenceError: the function gives another number of axes.

    Example:
        >>> from rax.numpy import ones, sum
        >>> apply_over_axes(sum, ones((2, 3, 4)), (0, 2)).shape
        (1, 3, 1)
    """
    value = Tensor(as_value(a))
    for axis in as_list(axes):
        place = as_axis(axis, value.ndim)
        result = Tensor(as_value(func(value, axis=place)))
        if result.ndim not in (value.ndim, value.ndim - 1):
            raise TypeInferenceError(
                f"apply_over_axes needs a function that keeps or drops the axis: {value.value.type} became "
                f"{result.value.type}"
            )
        value = result if result.ndim == value.ndim else expand_dims(result, axis=place)
    return value


def vectorize(
    pyfunc: Callable[..., Any], *, excluded: Collection[int] = (), signature: str | None = None
) -> Callable[..., Any]:
    """A function of scalars, or of small tensors, made a function of all that broadcasts.

    It is :func:`rax.vmap` over the broadcast axes, so it runs at the speed of whole tensors.

    Args:
        pyfunc: the function.
        excluded: the positions of arguments passed on as they are.
        signature: the axes the function takes and gives, such as ``"(m,n),(n)->(m)"``; None for
            scalars.

    Raises:
        TypeInferenceError: the signature is malformed, or an argument has too few axes; when called.

    Example:
        >>> from rax.numpy import asarray, sum
        >>> vectorize(lambda row, k: sum(row) * k, signature="(n),()->()")(asarray([[1, 2], [3, 4]]), 10)
        Tensor([30, 70], dtype=int64)
    """
    ranks = None if signature is None else _ranks(signature)

    @functools.wraps(pyfunc)
    def wrapper(*args: Any) -> Any:
        mapped = [place for place in range(len(args)) if place not in excluded]
        inner = [0] * len(mapped) if ranks is None else ranks
        if len(inner) != len(mapped):
            raise TypeInferenceError(f"the signature {signature!r} is of {len(inner)} arguments, not {len(mapped)}")
        values = [Tensor(as_value(args[place])) for place in mapped]
        for value, rank in zip(values, inner, strict=True):
            if value.ndim < rank:
                raise TypeInferenceError(f"an argument {value.value.type} has fewer axes than {signature!r} names")
        cuts = [value.ndim - rank for value, rank in zip(values, inner, strict=True)]
        lead = broadcast_shapes(*[value.shape[:cut] for value, cut in zip(values, cuts, strict=True)])
        flat = [
            reshape(broadcast_to(value, (*lead, *value.shape[cut:])), (dims.product(lead), *value.shape[cut:]))
            for value, cut in zip(values, cuts, strict=True)
        ]

        def row(*parts: Any) -> Any:
            whole = list(args)
            for place, part in zip(mapped, parts, strict=True):
                whole[place] = part
            return pyfunc(*whole)

        leaves, tree = flatten(vmap(row)(*flat))
        return unflatten(tree, [reshape(leaf, (*lead, *leaf.shape[1:])) for leaf in leaves])

    return wrapper


def _ranks(signature: str) -> list[int]:
    """How many axes each argument has."""
    plain = signature.replace(" ", "")
    if not _SIGNATURE.match(plain):
        raise TypeInferenceError(f"{signature!r} is no signature", fix='write e.g. "(m,n),(n)->(m)"')
    groups = re.findall(r"\(([^)]*)\)", plain.partition("->")[0])
    return [len([name for name in group.split(",") if name]) for group in groups]
