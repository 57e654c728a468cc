"""Reverse mode: forward mode, then transposition of the linear part."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rax.autodiff.jvp import push, tangent_inputs
from rax.autodiff.transforms import TRANSFORMS
from rax.autodiff.transpose import pull
from rax.ir.node import Value
from rax.ir.op import Derivative

Pullback = Callable[[Sequence[Derivative]], tuple[Derivative, ...]]


def vjp(outputs: Sequence[Value], inputs: Sequence[Value]) -> tuple[tuple[Value, ...], Pullback]:
    """Outputs, and the function from their cotangents to those of the inputs.

    Args:
        outputs: values to differentiate.
        inputs: the values varied; any values the outputs depend on.

    Returns:
        The outputs (rebuilt where control flow now also keeps what the way back needs) and the
        pullback; None stands for a zero cotangent on both sides.
    """
    seeds = tangent_inputs(inputs)
    varied = {value: seed for value, seed in zip(inputs, seeds, strict=True) if value.dtype.is_inexact}
    results, tangents = push(TRANSFORMS, outputs, varied, transposable=True)

    def pullback(cotangents: Sequence[Derivative]) -> tuple[Derivative, ...]:
        return pull(TRANSFORMS, tangents, cotangents, seeds)

    return results, pullback
