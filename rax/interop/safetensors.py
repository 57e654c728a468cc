"""Weights in the safetensors format, as PyTorch and JAX models are shared: read, written, put into a program.

Reading needs the ``safetensors`` extra: ``pip install 'rax[safetensors]'``.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from rax.format.atomic import replacing
from rax.format.safetensors import DTYPES as NAMES
from rax.format.safetensors import SafetensorsLayout
from rax.ir.errors import BindingError, RaxError
from rax.ir.node import Literal
from rax.ir.program import Program
from rax.ir.types import TensorType, as_dtype
from rax.ops.arrays import Array, literal, literal_from_bytes, mapped_literal

try:
    import safetensors as library
except ImportError:
    library = None

PathLike = str | os.PathLike[str]
Rename = Mapping[str, str] | Callable[[str], str | None]

# The format's names of the dtypes rax has too; it has no complex128.
DTYPES = {theirs: ours for ours, theirs in NAMES.items()}


def _check_installed() -> None:
    if library is None:
        raise RaxError("the library safetensors is not installed", fix="pip install 'rax[safetensors]'")


def load_tensors(path: PathLike) -> dict[str, Literal]:
    """The tensors of a safetensors file, by name in alphabetical order.

    Args:
        path: the file.

    Returns:
        Literals, as :class:`rax.Program` takes them for defaults; ``.array`` is a read-only NumPy
        array, of a dtype of ml_dtypes where the file has BF16, F8_E4M3 or F8_E5M2.

    Raises:
        RaxError: the library is not installed, the file is damaged, or it holds a dtype that rax has not.
        OSError: the file cannot be read.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_tensors({"w": np.ones((2, 3), "float32")}, f"{folder}/weights.safetensors")
        ...     tensors = load_tensors(f"{folder}/weights.safetensors")
        >>> tensors["w"].type, tensors["w"].array.sum()
        (float32[2, 3], np.float32(6.0))
    """
    _check_installed()
    module = cast("Any", library)
    try:
        with module.safe_open(os.fspath(path), framework="numpy") as file:
            return {name: _tensor(file, name, path) for name in sorted(file.keys())}
    except module.SafetensorError as error:
        raise RaxError(f"{os.fspath(path)} is no safetensors file, or a damaged one: {error}") from None


def _tensor(file: Any, name: str, path: PathLike) -> Literal:
    dtype = file.get_slice(name).get_dtype()
    if dtype not in DTYPES:
        raise RaxError(
            f"the tensor {name!r} of {os.fspath(path)} is {dtype}, a dtype that rax has not",
            fix=f"convert it to one of {', '.join(DTYPES)}",
        )
    if dtype.startswith("F8"):  # the library knows them, but gives no NumPy array of them
        return _read_float8(path, name, TensorType(as_dtype(DTYPES[dtype]), tuple(file.get_slice(name).get_shape())))
    array = cast("Array", file.get_tensor(name))
    array.flags.writeable = False
    return mapped_literal(array)


def _read_float8(path: PathLike, name: str, type: TensorType) -> Literal:
    """A tensor from its place in a file that the library has checked."""
    with Path(path).open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        start, stop = json.loads(file.read(length))[name]["data_offsets"]
        file.seek(8 + length + start)
        return literal_from_bytes(type, file.read(stop - start))


def save_tensors(tensors: Mapping[str, Any], path: PathLike) -> None:
    """Write tensors to a safetensors file, which replaces an older one whole or not at all.

    Args:
        tensors: literals, such as a program's defaults, or anything NumPy reads as an array, by name.
        path: the file.

    Raises:
        RaxError: the format has no such dtype.
        OSError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_tensors({"steps": 3}, f"{folder}/state.safetensors")
        ...     load_tensors(f"{folder}/state.safetensors")["steps"].type
        int64[]
    """
    literals = {name: value if isinstance(value, Literal) else literal(value) for name, value in tensors.items()}
    for name, each in literals.items():
        if each.type.dtype.name not in NAMES:
            raise RaxError(
                f"{name!r} is {each.type}, and a safetensors file cannot hold {each.type.dtype}",
                fix="save its real and imaginary parts",
            )
    with replacing(Path(path)) as file:
        SafetensorsLayout(literals).write(file)


def with_defaults_from(program: Program, path: PathLike, rename: Rename | None = None) -> Program:
    """A program whose inputs take their defaults from a safetensors file.

    An argument is filled whole: with ``params.w1`` the file must hold every ``params.…`` that any entry
    takes. Defaults of other arguments stay.

    Args:
        program: whose entries take the tensors.
        path: the file.
        rename: the input of each tensor of the file, as a mapping or a function of its name; by
            default they are called alike. A tensor renamed to None, or not in the mapping, is left out.

    Raises:
        RaxError: the library is not installed, or the file cannot be used.
        BindingError: a tensor belongs to no input, or to one of another type; an input of an
            argument has no tensor, or two.
        OSError: the file cannot be read.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> import rax
        >>> graph = rax.trace(lambda p, x: x @ p["w"], {"w": rax.spec((2, 3))}, rax.spec(("n", 2)))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_tensors({"linear.weight": np.ones((2, 3), "float32")}, f"{folder}/w.safetensors")
        ...     filled = with_defaults_from(
        ...         rax.Program(predict=graph), f"{folder}/w.safetensors", {"linear.weight": "p.w"}
        ...     )
        >>> list(filled.defaults)
        ['p.w']
    """
    types = {
        name: type for graph in program.values() for name, type in zip(graph.input_names, graph.in_types, strict=True)
    }
    given: dict[str, Literal] = {}
    sources: dict[str, str] = {}
    for source, tensor in load_tensors(path).items():
        name = _renamed(source, rename)
        if name is None:
            continue
        if name in given:
            raise BindingError(f"the tensors {sources[name]!r} and {source!r} are both for the input {name!r}")
        if name not in types:
            shown = f"{source!r}" if source == name else f"{source!r}, renamed to {name!r},"
            raise BindingError(
                f"the tensor {shown} of {os.fspath(path)} belongs to no input",
                fix=f"the program takes {_listed(list(types))}; say with rename which tensor is which, None for none",
            )
        _check_type(source, tensor.type, name, types[name])
        given[name], sources[name] = tensor, source
    arguments = {_argument(name) for name in given}
    missing = [name for name in types if name not in given and _argument(name) in arguments]
    if missing:
        raise BindingError(
            f"{os.fspath(path)} has no tensor for {_listed(missing)}",
            fix=f"it has {_listed(list(sources.values()))}; say with rename which tensor is which",
        )
    return program.replace(defaults={**program.defaults, **given})


def _renamed(source: str, rename: Rename | None) -> str | None:
    if rename is None:
        return source
    return rename(source) if callable(rename) else rename.get(source)


def _argument(name: str) -> str:
    return name.partition(".")[0]


def _check_type(source: str, have: TensorType, name: str, want: TensorType) -> None:
    same_rank = have.ndim == want.ndim
    sizes = zip(want.shape, have.shape, strict=True) if same_rank else ()
    if same_rank and all(size == got or not isinstance(size, int) for size, got in sizes):
        if have.dtype is want.dtype:
            return
        fix = f"convert it: load_tensors, then .array.astype({want.dtype.name!r})"
    elif have.ndim > 1 and have.shape[::-1] == want.shape:
        fix = "the axes are in reverse, as PyTorch stores weights: load_tensors, then .array.T"
    else:
        fix = "use the weights of a model of this shape"
    raise BindingError(f"the tensor {source!r} is {have}, the input {name!r} takes {want}", fix=fix)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:8]))
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown or "nothing"
