"""The lazy tensor: a handle on a value of the graph, with the array API's operators and methods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from rax.frontend import indexing
from rax.frontend.application import add, apply_elementwise, matmul, matrix_transpose, power
from rax.frontend.evaluation import RETURN, concrete, unbound_dims, unbound_inputs
from rax.frontend.names import elsewhere
from rax.frontend.numpy_calls import OPERATORS, advice, counterpart, ufunc_counterpart
from rax.frontend.promotion import Handle, as_value, is_operand
from rax.ir import services, trail
from rax.ir.dims import Shape, Size
from rax.ir.errors import TypeInferenceError, UnboundInputError
from rax.ir.node import Constant
from rax.ir.types import DType, as_dtype
from rax.ops import arithmetic, comparison, elementwise, logical
from rax.ops.arrays import Array, constant
from rax.ops.families import TypedOp
from rax.ops.shape import permute_dims

_BRANCH = "use rax.cond or rax.numpy.where for if, rax.while_loop for while, and & | ~ for and, or, not"
_API_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")
_COUNT = "fix the size in the spec, loop with rax.fori_loop or rax.scan, or use Python numbers as sizes and indices"


_ATTRIBUTES: Final = {"at": "x[i] = v", "grad": "what loss.backward(params) returns"}
"""In place of attributes that arrays of other libraries have."""


class Tensor(Handle):
    """A lazy tensor: stands for a value of the graph, of known dtype and shape.

    Operators and functions on tensors build graph. A tensor that depends on no input evaluates
    when its value is asked for (``float(x)``, ``x.numpy()``, ``np.asarray(x)``, ``repr(x)``) and
    keeps the result; one that depends on an input raises :class:`rax.UnboundInputError` then.

    ``x[i] = v`` and ``x += y`` make this handle stand for a new value; nodes never change, and
    what was built from the old value stays as it is.

    Example:
        >>> import rax.numpy as rnp
        >>> x = rnp.asarray([1.0, 2.0, 3.0])
        >>> x[0] = 5
        >>> x * 2
        Tensor([10.,  4.,  6.], dtype=float32)
    """

    __slots__ = ()

    if not TYPE_CHECKING:  # a type checker would take every name for an attribute

        def __getattr__(self, name: str) -> Any:
            # Met only where there is no such attribute: most often one of NumPy's methods.
            path = "" if name.startswith("_") else counterpart(name) or elsewhere(name)
            way = _ATTRIBUTES.get(name) or (f"{path}(x)" if path else "")
            hint = f"\n  fix: use {way}" if way else ""
            raise AttributeError(f"a Tensor has no attribute {name!r}{hint}", name=name, obj=self)

    @property
    def shape(self) -> Shape:
        """The sizes of the axes; symbolic ones are :class:`rax.ir.dims.Dim`."""
        return self.value.shape

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self.value.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.value.ndim

    @property
    def size(self) -> Size:
        """The number of elements; symbolic if the shape is."""
        return self.value.type.size

    @property
    def device(self) -> str:
        """``"cpu"``: where a tensor is when it is evaluated on asking."""
        return "cpu"

    def to_device(self, device: str, /, *, stream: Any = None) -> Tensor:
        """This tensor; ``"cpu"`` is the only device before compilation.

        Raises:
            TypeInferenceError: another device is named.
        """
        if device != "cpu" or stream is not None:
            raise TypeInferenceError(f"a tensor lives on 'cpu', not {device!r}", fix="choose a backend in rax.compile")
        return self

    @property
    def T(self) -> Tensor:  # noqa: N802  (the standard's name)
        """A matrix transposed; for more axes see ``mT``.

        Raises:
            TypeInferenceError: there are not two axes.
        """
        if self.ndim != 2:
            raise TypeInferenceError(
                f"T is for matrices, not {self.value.type}", fix="use mT or rax.numpy.permute_dims"
            )
        return Tensor(permute_dims(self.value, (1, 0)))

    @property
    def mT(self) -> Tensor:  # noqa: N802  (the standard's name)
        """The last two axes swapped."""
        return Tensor(matrix_transpose(self.value))

    def backward(self, params: Any) -> Any:
        """The gradients of this scalar with respect to tensors it was built from.

        Args:
            params: tensors in any nest of dicts, lists, tuples, named tuples and dataclasses.

        Returns:
            The gradients, tensors too, in the structure of ``params``.
        """
        return services.get("backward")(self, params)

    # Values on demand.

    def _array(self, asked: str, fix: str = RETURN) -> Array:
        if not isinstance(self.value.node.op, Constant):
            self.value = constant(concrete(self.value, asked, fix), self.dtype)
        return concrete(self.value, asked)

    def numpy(self) -> Array:
        """The elements as a read-only NumPy array.

        Raises:
            UnboundInputError: the tensor depends on an input.
        """
        return self._array("numpy()")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        array = self._array("np.asarray", RETURN + "; in place of a NumPy function use that of rax.numpy")
        if copy or dtype is None:
            return array.copy() if copy else array
        return array.astype(dtype, copy=False)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Operators between an array and a tensor; any other ufunc computes with known values only."""
        name: str = ufunc.__name__
        if any(isinstance(out, Tensor) for out in options.get("out", ())):
            return NotImplemented
        if method == "__call__" and not options and name in OPERATORS:
            (left, right), (own, reflected) = inputs, OPERATORS[name]
            return getattr(left, own)(right) if isinstance(left, Tensor) else getattr(right, reflected)(left)
        asked = f"numpy.{name}" if method == "__call__" else f"numpy.{name}.{method}"
        fix = advice(ufunc_counterpart(name, method)) if "out" not in options else "write x = x + y in place of x += y"
        arrays = [concrete(x.value, asked, fix) if isinstance(x, Tensor) else x for x in inputs]
        return getattr(ufunc, method)(*arrays, **options)

    def __array_function__(self, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """NumPy's own functions compute with known values; for others they name the one to use."""
        del types
        try:
            return func._implementation(*args, **kwargs)  # noqa: SLF001  (NumPy has no public name for it)
        except UnboundInputError as error:
            _, _, needs = error.what.partition(" needs ")
            module: str = func.__module__
            raise UnboundInputError(
                f"{module}.{func.__name__} needs {needs}",
                source=trail.here().source,
                fix=advice(counterpart(func.__name__, module)),
            ) from None

    def __dlpack__(
        self, *, stream: Any = None, max_version: tuple[int, int] | None = None,
        dl_device: tuple[Any, int] | None = None, copy: bool | None = None,
    ) -> Any:  # fmt: skip
        array = self._array("DLPack")
        if not copy:
            array = array.copy()  # the consumer's own: a tensor has no memory that it could share and change
        exporter: Any = array
        return exporter.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self) -> tuple[Any, Any]:
        return self._array("DLPack").__dlpack_device__()

    def item(self) -> Any:
        """The only element, as a Python number."""
        return self._array("item()").item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self._array("tolist()").tolist()

    def __bool__(self) -> bool:
        return bool(self._one("a condition (if, while, and, or, not, bool)", _BRANCH))

    def __int__(self) -> int:
        return int(self._one("int()"))

    def __float__(self) -> float:
        return float(self._one("float()"))

    def __complex__(self) -> complex:
        return complex(self._one("complex()"))

    def __index__(self) -> int:
        if self.dtype.kind not in ("int", "uint"):
            raise TypeError(f"an index is an integer, not {self.dtype}")
        return int(self._one("a Python index or size", _COUNT))

    def _one(self, asked: str, fix: str = RETURN) -> Any:
        if any(size != 1 for size in self.shape):
            raise TypeInferenceError(
                f"{asked} takes a tensor with one element, not {self.value.type}",
                fix="reduce first, with rax.numpy.any, all, sum, …",
            )
        return self._array(asked, fix).reshape(()).item()

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("a scalar tensor has no len()")
        size = self.shape[0]
        if not isinstance(size, int):
            raise UnboundInputError(
                f"len() needs the symbolic size {size}",
                source=trail.here().source,
                fix="use x.shape[0], or fix the size in the spec",
            )
        return size

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError("a scalar tensor cannot be iterated over")
        return self._rows()

    def _rows(self) -> Iterator[Tensor]:
        """Complains of a symbolic size at the first step only: libraries call iter() just to ask whether they could."""
        size = self.shape[0]
        if not isinstance(size, int):
            raise UnboundInputError(
                f"a loop over a tensor needs its symbolic size {size}", source=trail.here().source, fix=_COUNT
            )
        yield from (self[index] for index in range(size))

    def __repr__(self) -> str:
        waiting = [op.label for op in unbound_inputs(self.value)] or unbound_dims(self.value)
        if waiting:
            names = ", ".join(waiting[:3]) + ", …" * (len(waiting) > 3)
            return f"<Tensor {self.value.type} of {names}>"
        array = self._array("repr()")
        return f"Tensor({np.array2string(array, separator=', ', prefix='Tensor(')}, dtype={self.dtype})"

    def __copy__(self) -> Tensor:
        return Tensor(self.value)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return Tensor(self.value)  # nodes never change, and are compared by identity

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    # Indexing.

    def __getitem__(self, key: Any, /) -> Tensor:
        return Tensor(indexing.get(self.value, key))

    def __setitem__(self, key: Any, item: Any, /) -> None:
        self.value = indexing.set(self.value, key, item)

    # Operators.

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The module ``rax.numpy``."""
        if api_version is not None and api_version not in _API_VERSIONS:
            raise ValueError(f"rax.numpy follows the array API up to {_API_VERSIONS[-1]}, not {api_version!r}")
        return services.get("array_namespace")()

    def __abs__(self) -> Tensor:
        return Tensor(apply_elementwise(arithmetic.abs_, self))

    def __neg__(self) -> Tensor:
        return Tensor(apply_elementwise(elementwise.negative, self))

    def __pos__(self) -> Tensor:
        return Tensor(self.value)

    def __invert__(self) -> Tensor:
        return Tensor(apply_elementwise(logical.bitwise_invert, self))

    def __add__(self, other: Any, /) -> Tensor:
        return _binary(add, self, other)

    def __radd__(self, other: Any, /) -> Tensor:
        return _binary(add, other, self)

    def __iadd__(self, other: Any, /) -> Self:
        return self._rebind("+=", _binary(add, self, other))

    def __sub__(self, other: Any, /) -> Tensor:
        return _binary(elementwise.subtract, self, other)

    def __rsub__(self, other: Any, /) -> Tensor:
        return _binary(elementwise.subtract, other, self)

    def __isub__(self, other: Any, /) -> Self:
        return self._rebind("-=", _binary(elementwise.subtract, self, other))

    def __mul__(self, other: Any, /) -> Tensor:
        return _binary(elementwise.multiply, self, other)

    def __rmul__(self, other: Any, /) -> Tensor:
        return _binary(elementwise.multiply, other, self)

    def __imul__(self, other: Any, /) -> Self:
        return self._rebind("*=", _binary(elementwise.multiply, self, other))

    def __truediv__(self, other: Any, /) -> Tensor:
        return _binary(elementwise.divide, self, other)

    def __rtruediv__(self, other: Any, /) -> Tensor:
        return _binary(elementwise.divide, other, self)

    def __itruediv__(self, other: Any, /) -> Self:
        return self._rebind("/=", _binary(elementwise.divide, self, other))

    def __floordiv__(self, other: Any, /) -> Tensor:
        return _binary(arithmetic.floor_divide, self, other)

    def __rfloordiv__(self, other: Any, /) -> Tensor:
        return _binary(arithmetic.floor_divide, other, self)

    def __ifloordiv__(self, other: Any, /) -> Self:
        return self._rebind("//=", _binary(arithmetic.floor_divide, self, other))

    def __mod__(self, other: Any, /) -> Tensor:
        return _binary(arithmetic.remainder, self, other)

    def __rmod__(self, other: Any, /) -> Tensor:
        return _binary(arithmetic.remainder, other, self)

    def __imod__(self, other: Any, /) -> Self:
        return self._rebind("%=", _binary(arithmetic.remainder, self, other))

    def __pow__(self, other: Any, /) -> Tensor:
        return Tensor(power(self, other)) if is_operand(other) else NotImplemented

    def __rpow__(self, other: Any, /) -> Tensor:
        return _binary(arithmetic.power, other, self)

    def __ipow__(self, other: Any, /) -> Self:
        return self._rebind("**=", self**other)

    def __matmul__(self, other: Any, /) -> Tensor:
        return Tensor(matmul(self, other)) if is_operand(other) else NotImplemented

    def __rmatmul__(self, other: Any, /) -> Tensor:
        return Tensor(matmul(other, self)) if is_operand(other) else NotImplemented

    def __imatmul__(self, other: Any, /) -> Self:
        return self._rebind("@=", self @ other)

    def __and__(self, other: Any, /) -> Tensor:
        return _binary(logical.bitwise_and, self, other)

    def __rand__(self, other: Any, /) -> Tensor:
        return _binary(logical.bitwise_and, other, self)

    def __iand__(self, other: Any, /) -> Self:
        return self._rebind("&=", _binary(logical.bitwise_and, self, other))

    def __or__(self, other: Any, /) -> Tensor:
        return _binary(logical.bitwise_or, self, other)

    def __ror__(self, other: Any, /) -> Tensor:
        return _binary(logical.bitwise_or, other, self)

    def __ior__(self, other: Any, /) -> Self:
        return self._rebind("|=", _binary(logical.bitwise_or, self, other))

    def __xor__(self, other: Any, /) -> Tensor:
        return _binary(logical.bitwise_xor, self, other)

    def __rxor__(self, other: Any, /) -> Tensor:
        return _binary(logical.bitwise_xor, other, self)

    def __ixor__(self, other: Any, /) -> Self:
        return self._rebind("^=", _binary(logical.bitwise_xor, self, other))

    def __lshift__(self, other: Any, /) -> Tensor:
        return _binary(logical.bitwise_left_shift, self, other)

    def __rlshift__(self, other: Any, /) -> Tensor:
        return _binary(logical.bitwise_left_shift, other, self)

    def __ilshift__(self, other: Any, /) -> Self:
        return self._rebind("<<=", _binary(logical.bitwise_left_shift, self, other))

    def __rshift__(self, other: Any, /) -> Tensor:
        return _binary(logical.bitwise_right_shift, self, other)

    def __rrshift__(self, other: Any, /) -> Tensor:
        return _binary(logical.bitwise_right_shift, other, self)

    def __irshift__(self, other: Any, /) -> Self:
        return self._rebind(">>=", _binary(logical.bitwise_right_shift, self, other))

    def __lt__(self, other: Any, /) -> Tensor:
        return _binary(comparison.less, self, other)

    def __le__(self, other: Any, /) -> Tensor:
        return _binary(comparison.less_equal, self, other)

    def __gt__(self, other: Any, /) -> Tensor:
        return _binary(comparison.greater, self, other)

    def __ge__(self, other: Any, /) -> Tensor:
        return _binary(comparison.greater_equal, self, other)

    # Comparison is elementwise, as in every array library; object declares a bool.
    def __eq__(self, other: Any, /) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _binary(comparison.equal, self, other)

    def __ne__(self, other: Any, /) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _binary(comparison.not_equal, self, other)

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # equality is elementwise, so no hash can fit it

    def _rebind(self, operator: str, result: Any) -> Self:
        """Stand for the result of an in-place operator, which keeps dtype and shape."""
        if result is NotImplemented:
            return result
        if result.value.type != self.value.type:
            plain = operator.removesuffix("=")
            raise TypeInferenceError(
                f"x {operator} y would turn {self.value.type} into {result.value.type}", fix=f"write x = x {plain} y"
            )
        self.value = result.value
        return self


def _binary(op: TypedOp, left: Any, right: Any) -> Any:
    if not (is_operand(left) and is_operand(right)):
        return NotImplemented
    return Tensor(apply_elementwise(op, left, right))


def as_tensor(x: Any, dtype: object = None) -> Tensor:
    """A tensor from a tensor, a number, a NumPy array or any array with DLPack.

    Args:
        x: what to read; a tensor that needs no cast is returned itself.
        dtype: the dtype of the result, by default that of ``x``.

    Raises:
        RaxError: ``x`` is nothing of the kind.
    """
    wanted = None if dtype is None else as_dtype(dtype)
    if isinstance(x, Tensor) and wanted in (None, x.dtype):
        return x
    return Tensor(as_value(x, wanted))
