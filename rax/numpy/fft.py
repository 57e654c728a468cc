"""The array API standard's ``fft`` extension, and NumPy's transforms over two axes.

``norm`` says who is divided by the number ``n`` of elements: ``"backward"`` the inverse transform,
``"forward"`` the other one, ``"ortho"`` both by its square root.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rax.frontend.promotion import TensorLike, as_value
from rax.frontend.tensor import Tensor
from rax.ir.dims import Dim, Size, floor_divide
from rax.ir.errors import ShapeError, TypeInferenceError
from rax.ir.node import Value
from rax.ir.types import DType, as_dtype, complex_dtype, float32, float64, real_dtype
from rax.numpy.common import Axes, SizeLike, as_axes, as_axis, as_list, as_shape, check_device
from rax.ops import complex_parts
from rax.ops.arithmetic import sqrt
from rax.ops.arrays import scalar
from rax.ops.comparison import less
from rax.ops.creation import dim_size, iota
from rax.ops.elementwise import divide, multiply, subtract
from rax.ops.fft import FFT, IRFFT, RFFT, half_size
from rax.ops.selection import cast, where
from rax.ops.shape import Concat, pad, slice_axis

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft", "irfft",
    "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip

_LAST = (-2, -1)


def fft(x: TensorLike, /, n: SizeLike | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The discrete Fourier transform along an axis: ``y[k] = sum of x[j] exp(-2 pi i j k / n)``.

    Args:
        x: at least one axis; real numbers count as complex ones, integers as float32.
        n: how many elements to transform: ``x`` is cut, or filled up with zeros, at the end of
            the axis; by default as many as there are.
        axis: the axis.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``.

    Returns:
        Complex numbers, of the precision of ``x``; the axis has size ``n``.

    Raises:
        ShapeError: there is nothing to transform: ``n`` is less than 1.
        TypeInferenceError: ``norm`` is none of the three.

    Example:
        >>> from rax.numpy import asarray
        >>> fft(asarray([1.0, 2.0, 1.0, 2.0]))
        Tensor([ 6.+0.j,  0.+0.j, -2.+0.j,  0.+0.j], dtype=complex64)
    """
    return Tensor(_complex(_complexes(x), n, axis, norm, inverse=False))


def ifft(x: TensorLike, /, n: SizeLike | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The inverse of :func:`fft`: ``y[k] = sum of x[j] exp(2 pi i j k / n) / n``.

    Args:
        x: as :func:`fft` takes it.
        n: as :func:`fft` takes it.
        axis: the axis.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``.

    Raises:
        ShapeError: there is nothing to transform: ``n`` is less than 1.
        TypeInferenceError: ``norm`` is none of the three.

    Example:
        >>> from rax.numpy import asarray
        >>> ifft(asarray([6.0, 0.0, -2.0, 0.0]))
        Tensor([1.+0.j, 2.+0.j, 1.+0.j, 2.+0.j], dtype=complex64)
    """
    return Tensor(_complex(_complexes(x), n, axis, norm, inverse=True))


def fftn(
    x: TensorLike, /,
    s: Sequence[SizeLike] | None = None, axes: Sequence[int] | None = None, norm: str = "backward",
) -> Tensor:  # fmt: skip
    """The discrete Fourier transform along several axes.

    Args:
        x: as :func:`fft` takes it.
        s: how many elements to transform along each of the axes; -1 for all of them.
        axes: the axes; all for None, which ``s`` must not stand beside.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``.

    Raises:
        ShapeError: there is nothing to transform along an axis.
        TypeInferenceError: ``s`` does not fit the axes, or ``norm`` is none of the three.

    Example:
        >>> from rax.numpy import ones
        >>> fftn(ones((2, 2)))
        Tensor([[4.+0.j, 0.+0.j],
                [0.+0.j, 0.+0.j]], dtype=complex64)
    """
    return Tensor(_several(_complexes(x), s, axes, norm, inverse=False))


def ifftn(
    x: TensorLike, /,
    s: Sequence[SizeLike] | None = None, axes: Sequence[int] | None = None, norm: str = "backward",
) -> Tensor:  # fmt: skip
    """The inverse of :func:`fftn`, with its arguments and errors.

    Example:
        >>> from rax.numpy import ones
        >>> ifftn(ones((2, 2)))
        Tensor([[1.+0.j, 0.+0.j],
                [0.+0.j, 0.+0.j]], dtype=complex64)
    """
    return Tensor(_several(_complexes(x), s, axes, norm, inverse=True))


def rfft(x: TensorLike, /, n: SizeLike | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The discrete Fourier transform of real numbers: the first half of it, which the rest mirrors.

    Args:
        x: real numbers, of at least one axis; integers count as float32.
        n: how many elements to transform: ``x`` is cut, or filled up with zeros, at the end of
            the axis; by default as many as there are.
        axis: the axis.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``.

    Returns:
        Complex numbers, of the precision of ``x``; the axis has size ``n // 2 + 1``.

    Raises:
        ShapeError: there is nothing to transform: ``n`` is less than 1.
        TypeInferenceError: ``x`` is complex, or ``norm`` is none of the three.

    Example:
        >>> from rax.numpy import asarray
        >>> rfft(asarray([1.0, 2.0, 1.0, 2.0]))
        Tensor([ 6.+0.j,  0.+0.j, -2.+0.j], dtype=complex64)
    """
    return Tensor(_of_reals(_reals(x, "rfft"), n, axis, norm, inverse=False))


def irfft(x: TensorLike, /, n: SizeLike | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The inverse of :func:`rfft`: real numbers from the first half of their transform.

    Args:
        x: as :func:`fft` takes it.
        n: the size of the axis in the result; by default the even one, ``2 * (size - 1)``. Of
            ``x`` the first ``n // 2 + 1`` elements are taken, or zeros added.
        axis: the axis.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``.

    Returns:
        Real numbers, of the precision of ``x``. The imaginary part of the first element, and for
        an even ``n`` of the last, does not matter.

    Raises:
        ShapeError: there is nothing to compute: ``n`` is less than 1.
        TypeInferenceError: ``norm`` is none of the three.

    Example:
        >>> from rax.numpy import asarray
        >>> irfft(asarray([6.0, 0.0, -2.0]))
        Tensor([1., 2., 1., 2.], dtype=float32)
    """
    return Tensor(_to_reals(_complexes(x), n, axis, norm, inverse=True))


def rfftn(
    x: TensorLike, /,
    s: Sequence[SizeLike] | None = None, axes: Sequence[int] | None = None, norm: str = "backward",
) -> Tensor:  # fmt: skip
    """The discrete Fourier transform of real numbers along several axes: :func:`rfft` along the last.

    Args:
        x: as :func:`rfft` takes it.
        s: how many elements to transform along each of the axes; -1 for all of them.
        axes: the axes; all for None, which ``s`` must not stand beside.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``.

    Raises:
        ShapeError: there is nothing to transform along an axis.
        TypeInferenceError: ``x`` is complex, there is no axis, ``s`` does not fit the axes, or
            ``norm`` is none of the three.

    Example:
        >>> from rax.numpy import ones
        >>> rfftn(ones((2, 3)))
        Tensor([[6.+0.j, 0.+0.j],
                [0.+0.j, 0.+0.j]], dtype=complex64)
    """
    value = _reals(x, "rfftn")
    sizes, places = _axes_and_sizes(value, s, axes, "rfftn")
    half = _of_reals(value, sizes[-1], places[-1], norm, inverse=False)
    return Tensor(_each(half, sizes[:-1], places[:-1], norm, inverse=False))


def irfftn(
    x: TensorLike, /,
    s: Sequence[SizeLike] | None = None, axes: Sequence[int] | None = None, norm: str = "backward",
) -> Tensor:  # fmt: skip
    """The inverse of :func:`rfftn`: :func:`irfft` along the last axis.

    Args:
        x: as :func:`fft` takes it.
        s: the sizes of the axes in the result; -1 for all elements, and for the last of the axes
            the even size ``2 * (size - 1)``.
        axes: the axes; all for None, which ``s`` must not stand beside.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``.

    Raises:
        ShapeError: there is nothing to transform along an axis.
        TypeInferenceError: there is no axis, ``s`` does not fit the axes, or ``norm`` is none of the three.

    Example:
        >>> from rax.numpy import asarray
        >>> irfftn(asarray([[6.0, 0.0], [0.0, 0.0]]), s=(2, 3), axes=(0, 1))
        Tensor([[1., 1., 1.],
                [1., 1., 1.]], dtype=float32)
    """
    value = _complexes(x)
    sizes, places = _axes_and_sizes(value, s, axes, "irfftn")
    whole = _each(value, sizes[:-1], places[:-1], norm, inverse=True)
    return Tensor(_to_reals(whole, sizes[-1], places[-1], norm, inverse=True))


def hfft(x: TensorLike, /, n: SizeLike | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The discrete Fourier transform, which is real, of a signal whose other half mirrors the one given.

    Args:
        x: as :func:`fft` takes it.
        n: the size of the axis in the result; by default the even one, ``2 * (size - 1)``.
        axis: the axis.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``.

    Raises:
        ShapeError: there is nothing to compute: ``n`` is less than 1.
        TypeInferenceError: ``norm`` is none of the three.

    Example:
        >>> from rax.numpy import asarray
        >>> hfft(asarray([1.0, 2.0, 1.0]))
        Tensor([ 6.,  0., -2.,  0.], dtype=float32)
    """
    return Tensor(_to_reals(complex_parts.conj(_complexes(x)), n, axis, norm, inverse=False))


def ihfft(x: TensorLike, /, n: SizeLike | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The inverse of :func:`hfft`: the first half of it, which the rest mirrors.

    Args:
        x: as :func:`rfft` takes it.
        n: how many elements to transform, by default as many as there are.
        axis: the axis.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``.

    Raises:
        ShapeError: there is nothing to transform: ``n`` is less than 1.
        TypeInferenceError: ``x`` is complex, or ``norm`` is none of the three.

    Example:
        >>> from rax.numpy import asarray, real
        >>> real(ihfft(asarray([6.0, 0.0, -2.0, 0.0])))
        Tensor([1., 2., 1.], dtype=float32)
    """
    return Tensor(complex_parts.conj(_of_reals(_reals(x, "ihfft"), n, axis, norm, inverse=True)))


def fft2(
    x: TensorLike, /, s: Sequence[SizeLike] | None = None, axes: Sequence[int] = _LAST, norm: str = "backward"
) -> Tensor:
    """:func:`fftn` along the last two axes, or those given; its arguments and errors otherwise.

    Example:
        >>> from rax.numpy import ones
        >>> fft2(ones((2, 1, 2))).shape
        (2, 1, 2)
    """
    return fftn(x, s=s, axes=axes, norm=norm)


def ifft2(
    x: TensorLike, /, s: Sequence[SizeLike] | None = None, axes: Sequence[int] = _LAST, norm: str = "backward"
) -> Tensor:
    """:func:`ifftn` along the last two axes, or those given; its arguments and errors otherwise.

    Example:
        >>> from rax.numpy import ones
        >>> ifft2(ones((2, 2)))
        Tensor([[1.+0.j, 0.+0.j],
                [0.+0.j, 0.+0.j]], dtype=complex64)
    """
    return ifftn(x, s=s, axes=axes, norm=norm)


def rfft2(
    x: TensorLike, /, s: Sequence[SizeLike] | None = None, axes: Sequence[int] = _LAST, norm: str = "backward"
) -> Tensor:
    """:func:`rfftn` along the last two axes, or those given; its arguments and errors otherwise.

    Example:
        >>> from rax.numpy import ones
        >>> rfft2(ones((3, 4, 6))).shape
        (3, 4, 4)
    """
    return rfftn(x, s=s, axes=axes, norm=norm)


def irfft2(
    x: TensorLike, /, s: Sequence[SizeLike] | None = None, axes: Sequence[int] = _LAST, norm: str = "backward"
) -> Tensor:
    """:func:`irfftn` along the last two axes, or those given; its arguments and errors otherwise.

    Example:
        >>> from rax.numpy import ones
        >>> irfft2(ones((3, 4, 4))).shape
        (3, 4, 6)
    """
    return irfftn(x, s=s, axes=axes, norm=norm)


def fftfreq(n: SizeLike, /, d: float = 1.0, *, dtype: object = None, device: str | None = None) -> Tensor:
    """The frequencies that the elements of :func:`fft` belong to: 0 and up, then the negative ones.

    Args:
        n: the number of elements.
        d: the distance between samples.
        dtype: the dtype of the result, by default float32.
        device: ``"cpu"`` or None.

    Raises:
        ShapeError: ``n`` is less than 1.
        TypeInferenceError: the dtype is not a floating one.

    Example:
        >>> fftfreq(4)
        Tensor([ 0.  ,  0.25, -0.5 , -0.25], dtype=float32)
    """
    size = _count(n, "fftfreq")
    place = iota(size)
    number = dim_size(size)
    signed = where(less(place, dim_size(floor_divide(size + 1, 2))), place, subtract(place, number))
    return _frequencies(signed, size, d, dtype, device)


def rfftfreq(n: SizeLike, /, d: float = 1.0, *, dtype: object = None, device: str | None = None) -> Tensor:
    """The frequencies that the elements of :func:`rfft` belong to.

    Args:
        n: the number of elements that are transformed.
        d: the distance between samples.
        dtype: the dtype of the result, by default float32.
        device: ``"cpu"`` or None.

    Raises:
        ShapeError: ``n`` is less than 1.
        TypeInferenceError: the dtype is not a floating one.

    Example:
        >>> rfftfreq(4)
        Tensor([0.  , 0.25, 0.5 ], dtype=float32)
    """
    size = _count(n, "rfftfreq")
    return _frequencies(iota(half_size(size)), size, d, dtype, device)


def fftshift(x: TensorLike, /, axes: Axes = None) -> Tensor:
    """The halves of axes swapped, so that what belongs to frequency 0 comes to the middle.

    Args:
        x: any shape.
        axes: the axes; all for None.

    Example:
        >>> fftshift(fftfreq(5))
        Tensor([-0.4, -0.2,  0. ,  0.2,  0.4], dtype=float32)
    """
    return _turned(x, axes, lambda size: size - floor_divide(size, 2))


def ifftshift(x: TensorLike, /, axes: Axes = None) -> Tensor:
    """The inverse of :func:`fftshift`; the two differ where the size is odd.

    Args:
        x: any shape.
        axes: the axes; all for None.

    Example:
        >>> from rax.numpy import arange
        >>> ifftshift(fftshift(arange(5)))
        Tensor([0, 1, 2, 3, 4], dtype=int64)
    """
    return _turned(x, axes, lambda size: floor_divide(size, 2))


# What the functions share.


def _complexes(x: TensorLike) -> Value:
    """An operand as complex numbers of its precision; halves and integers as complex64."""
    value = as_value(x)
    return cast(value, value.dtype if value.dtype.kind == "complex" else complex_dtype(_wide(value.dtype)))


def _reals(x: TensorLike, name: str) -> Value:
    value = as_value(x)
    if value.dtype.kind == "complex":
        raise TypeInferenceError(
            f"{name} is for real numbers, not {value.type}", fix="use fft or fftn, or take the real part with real"
        )
    return cast(value, _wide(value.dtype))


def _wide(dtype: DType) -> DType:
    return float64 if dtype is float64 else float32


def _complex(x: Value, n: SizeLike | None, axis: int, norm: str, *, inverse: bool) -> Value:
    place = as_axis(axis, x.ndim)
    size = x.shape[place] if n is None else _count(n, "a Fourier transform")
    _check(x, size)
    return _normalized(FFT(place, inverse)(_sized(x, place, size)), size, norm, inverse)


def _of_reals(x: Value, n: SizeLike | None, axis: int, norm: str, *, inverse: bool) -> Value:
    place = as_axis(axis, x.ndim)
    size = x.shape[place] if n is None else _count(n, "a Fourier transform")
    _check(x, size)
    return _normalized(RFFT(place)(_sized(x, place, size)), size, norm, inverse)


def _to_reals(x: Value, n: SizeLike | None, axis: int, norm: str, *, inverse: bool) -> Value:
    place = as_axis(axis, x.ndim)
    size = 2 * (x.shape[place] - 1) if n is None else _count(n, "a Fourier transform")
    _check(x, size)
    return _normalized(IRFFT(place, size)(_sized(x, place, half_size(size))), size, norm, inverse)


def _several(x: Value, s: Sequence[SizeLike] | None, axes: Sequence[int] | None, norm: str, *, inverse: bool) -> Value:
    sizes, places = _axes_and_sizes(x, s, axes, "")
    return _each(x, sizes, places, norm, inverse=inverse)


def _each(x: Value, sizes: Sequence[SizeLike | None], axes: Sequence[int], norm: str, *, inverse: bool) -> Value:
    for n, axis in zip(reversed(sizes), reversed(axes), strict=True):
        x = _complex(x, n, axis, norm, inverse=inverse)
    return x


def _axes_and_sizes(
    x: Value, s: Sequence[SizeLike] | None, axes: Sequence[int] | None, name: str
) -> tuple[list[SizeLike | None], list[int]]:
    """The axes in order, and for each the size asked for; ``name`` is of a function that needs an axis."""
    if s is not None and axes is None:
        raise TypeInferenceError("s says how much of each axis, so it needs axes", fix="give axes=…")
    places = [as_axis(axis, x.ndim) for axis in as_list(axes)] if axes is not None else list(range(x.ndim))
    if name and not places:
        raise TypeInferenceError(f"{name} needs at least one axis")
    sizes: list[SizeLike | None] = [None] * len(places)
    if s is not None:
        sizes = [None if isinstance(size, int) and size == -1 else size for size in as_list(s)]
    if len(sizes) != len(places):
        raise TypeInferenceError(f"there are {len(sizes)} sizes for {len(places)} axes")
    return sizes, places


def _count(n: SizeLike, name: str) -> Size:
    (size,) = as_shape(n)
    if isinstance(size, int) and size < 1:
        raise ShapeError(f"{name} needs at least one element, not {size}")
    return size


def _check(x: Value, size: Size) -> None:
    if isinstance(size, int) and size < 1:
        raise ShapeError(f"a Fourier transform needs at least one element, not {size} of {x.type}", fix="give n=…")


def _sized(x: Value, axis: int, size: Size) -> Value:
    """The first ``size`` elements of an axis; zeros where it ends before."""
    extra = size - x.shape[axis]
    if isinstance(extra, int) and extra <= 0:
        return slice_axis(x, axis, 0, size)
    low: list[Size] = [0] * x.ndim
    high = [*low]
    high[axis] = extra  # a symbolic one crops where it turns out negative
    return pad(x, tuple(low), tuple(high), (0,) * x.ndim)


def _normalized(y: Value, n: Size, norm: str, inverse: bool) -> Value:
    if norm not in ("backward", "ortho", "forward"):
        raise TypeInferenceError(f"norm is 'backward', 'ortho' or 'forward', not {norm!r}")
    if norm == ("forward" if inverse else "backward"):
        return y
    number = dim_size(n, real_dtype(y.dtype))
    return divide(y, cast(sqrt(number) if norm == "ortho" else number, y.dtype))


def _frequencies(places: Value, n: Size, d: float, dtype: object, device: str | None) -> Tensor:
    check_device(device)
    wanted = float32 if dtype is None else as_dtype(dtype)
    if wanted.kind != "float":
        raise TypeInferenceError(f"frequencies are floating-point numbers, not {wanted}", fix="give dtype=float32")
    length = multiply(dim_size(n, float64), scalar(d, float64))
    return Tensor(cast(divide(cast(places, float64), length), wanted))


def _turned(x: TensorLike, axes: Axes, cut: Callable[[Size], Size]) -> Tensor:
    value = as_value(x)
    for axis in as_axes(axes, value.ndim):
        size = value.shape[axis]
        place = cut(size)
        if isinstance(place, Dim) or 0 < place < size:
            parts = slice_axis(value, axis, place, size), slice_axis(value, axis, 0, place)
            value = Concat(axis)(*parts)
    return Tensor(value)
