"""How draws with parameters read them: one dtype, one shape."""

from __future__ import annotations

from rax.frontend.promotion import TensorLike, promote_operands
from rax.frontend.tensor import Tensor
from rax.ir import dims
from rax.ir.dims import Shape
from rax.ir.errors import ShapeError
from rax.ir.types import DType, broadcast_shapes, float32
from rax.numpy.common import ShapeLike, as_shape, inexact
from rax.ops.selection import cast
from rax.random.uniform import computing, floating


def draw_shape(name: str, shape: ShapeLike | None, *shapes: Shape) -> Shape:
    """The shape of a draw, to which those of its parameters broadcast.

    Raises:
        ShapeError: they do not.
    """
    together = broadcast_shapes(*shapes)
    if shape is None:
        return together
    wanted = as_shape(shape)
    pairs = zip(reversed(together), reversed(wanted), strict=False)
    if len(together) > len(wanted) or not all(mine in (1, due) for mine, due in pairs):
        shown = f"{dims.shape_text(together)} to {dims.shape_text(wanted)}"
        raise ShapeError(f"{name}: the parameters do not broadcast from {shown}", fix="give the shape of the result")
    return wanted


def parameters(
    name: str, shape: ShapeLike | None, dtype: object, *given: TensorLike, inside: DType | None = None
) -> tuple[DType, Shape, list[Tensor]]:
    """The dtype and shape of a draw, and its parameters in the dtype it is computed in.

    Args:
        name: the distribution.
        shape: the shape of the draw; None for the parameters'.
        dtype: the dtype of the draw; None for the parameters', float32 where they are integers.
        given: the parameters.
        inside: what to compute in, where it is not float32 for half types and the dtype itself for others.

    Raises:
        RaxError: the dtype is not floating.
        ShapeError: the parameters do not broadcast to the shape.
    """
    values = [inexact(Tensor(value), float32) for value in promote_operands(*given)]
    wanted = floating(values[0].dtype if dtype is None else dtype, name)
    tensors = [Tensor(cast(value, inside or computing(wanted))) for value in values]
    return wanted, draw_shape(name, shape, *[value.shape for value in tensors]), tensors
