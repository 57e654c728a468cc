"""Arrays in .npy and .npz files: read without running anything, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import cast

import numpy as np

from rax.ir.errors import RaxError
from rax.ir.late import late
from rax.ops.arrays import Array

_replacing = late("rax.format.atomic", "replacing")  # for what writes alone


def read_npy(path: str | os.PathLike[str]) -> Array:
    """The array of a .npy file.

    Raises:
        RaxError: it cannot be read.
    """
    loaded = _load(path)
    if isinstance(loaded, dict):
        raise RaxError(f"{path} is an archive", fix=f"write @{path}:KEY, with one of {', '.join(loaded)}")
    return loaded


def read_npz(path: str | os.PathLike[str]) -> dict[str, Array]:
    """The arrays of a .npz file by name.

    Raises:
        RaxError: it cannot be read.
    """
    loaded = _load(path)
    if not isinstance(loaded, dict):
        raise RaxError(f"{path} is no .npz archive", fix="write name=@file for a single array")
    return loaded


def _load(path: str | os.PathLike[str]) -> Array | dict[str, Array]:
    try:
        with open(path, "rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.lib.npyio.NpzFile):
                return {name: cast("Array", loaded[name]) for name in loaded.files}
            return cast("Array", loaded)
    except OSError as error:
        raise RaxError(f"cannot read {path}: {error.strerror or error}") from None
    except _damages() as error:
        raise RaxError(f"cannot read {path}: {_reason(error)}", fix="give a .npy or .npz file of numbers") from None


def _damages() -> tuple[type[Exception], ...]:
    """What is raised for a damaged file."""
    import zipfile  # noqa: PLC0415  # for archives alone: it imports every compression there is
    import zlib  # noqa: PLC0415

    return ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError


def _reason(error: Exception) -> str:
    text = str(error)
    return "it holds Python objects or is no such file" if "pickle" in text else text or "it ends too early"


def write_npz(path: str | os.PathLike[str], arrays: Mapping[str, Array]) -> None:
    """Write arrays to a .npz file; an older file stays until the new one is whole.

    Raises:
        RaxError: it cannot be written.
    """
    import zipfile  # noqa: PLC0415  # for archives alone

    try:
        with _replacing(path) as file, zipfile.ZipFile(file, "w", allowZip64=True) as archive:
            for key, array in arrays.items():
                with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, _storable(np.asarray(array)), allow_pickle=False)
    except OSError as error:
        raise RaxError(f"cannot write {path}: {error.strerror or error}") from None


def _storable(array: Array) -> Array:
    """The array as NumPy reads it again: it would give float8_e5m2 a name that it does not know."""
    return array.view("V1") if array.dtype.name == "float8_e5m2" else array
