"""Inputs from the command line: numbers, lists, .npy and .npz files, by the names of the graph's inputs."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from rax.cli.archive import read_npy, read_npz
from rax.ir.errors import BindingError, RaxError
from rax.ir.graph import Graph
from rax.ir.types import TensorType
from rax.ops.arrays import Array, numpy_dtype
from rax.runtime.binding import as_array

_NOT_FINITE = r"(?i)(?<![\w.])(?:(?P<nan>nan)|inf|infinity)(?!\w)"


def read_inputs(words: Iterable[str], graph: Graph) -> dict[str, Array]:
    """The arrays that words such as ``x=[1,2]``, ``x=@x.npy`` or ``inputs.npz`` name.

    Raises:
        BindingError: a name is unknown or given twice, or a value does not fit.
        RaxError: a file cannot be read.
    """
    reader = _Reader(graph)
    for word in words:
        reader.read(word)
    return reader.found


class _Reader:
    def __init__(self, graph: Graph) -> None:
        self._types = dict(zip(graph.input_names, graph.in_types, strict=True))
        self._outputs = set(graph.output_names)
        self.found: dict[str, Array] = {}

    def read(self, word: str) -> None:
        name, equals, text = word.partition("=")
        if not equals:
            if not word.endswith(".npz"):
                raise RaxError(f"{word!r} is no input", fix="write name=value, name=@file.npy or inputs.npz")
            self._read_all(word)
        elif name in self._types:
            self._add(name, self._value(name, text))
        elif text.startswith("@") and any(known.startswith(f"{name}.") for known in self._types):
            self._read_prefix(name, text[1:])
        else:
            raise BindingError(f"there is no input {name!r}", fix=f"the graph takes {self._names()}")

    def _names(self) -> str:
        names = list(self._types)
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        return (", ".join(names[:8]) + more) or "no inputs"

    def _add(self, name: str, array: Array) -> None:
        if name in self.found:
            raise BindingError(f"the input {name!r} is given twice")
        self.found[name] = array

    def _value(self, name: str, text: str) -> Array:
        if not text.startswith("@"):
            return _parse(text, self._types[name], name)
        path, key = _member(text[1:], name)
        if not path.endswith(".npz"):
            return _typed(read_npy(path), self._types[name], name)
        arrays = read_npz(path)
        if key not in arrays:
            raise RaxError(f"{path} holds no array {key!r}", fix=f"it holds {', '.join(arrays)}")
        return _typed(arrays[key], self._types[name], name)

    def _read_all(self, path: str) -> None:
        for key, array in read_npz(path).items():
            if key in self._types:
                self._add(key, _typed(array, self._types[key], key))
            elif key not in self._outputs:  # what -o wrote holds all outputs, and state among them
                raise BindingError(f"{path} holds {key!r}, which is no input", fix=f"the graph takes {self._names()}")

    def _read_prefix(self, prefix: str, path: str) -> None:
        arrays = read_npz(path)
        for name, type in self._types.items():
            if name.startswith(f"{prefix}."):
                short = name.removeprefix(f"{prefix}.")
                if name not in arrays and short not in arrays:
                    raise RaxError(f"{path} holds neither {name!r} nor {short!r}", fix=f"it holds {', '.join(arrays)}")
                self._add(name, _typed(arrays[name if name in arrays else short], type, name))


def _member(text: str, name: str) -> tuple[str, str]:
    """An archive and the key named behind a colon; of any other file all."""
    path, _, key = text.rpartition(".npz:")
    return (f"{path}.npz", key) if path and key else (text, name)


def _parse(text: str, type: TensorType, name: str) -> Array:
    import json  # noqa: PLC0415  # a run on arrays of files needs none

    try:
        value = json.loads(re.sub(_NOT_FINITE, lambda word: "NaN" if word["nan"] else "Infinity", text))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, (bool, int, float, list)):
        raise BindingError(
            f"{name}={text} is no number or list of numbers", fix=f"write {name}=0.5, {name}=[1,2] or {name}=@file.npy"
        )
    return as_array(value, type, name)


def _typed(array: Array, type: TensorType, name: str) -> Array:
    """The array as the input's dtype; a .npy file holds what ml_dtypes adds as nameless bytes."""
    wanted = numpy_dtype(type.dtype)
    if (type.dtype.name == "bfloat16" or type.dtype.is_float8) and array.dtype == np.dtype(f"V{wanted.itemsize}"):
        array = array.view(wanted)
    return as_array(array, type, name)
