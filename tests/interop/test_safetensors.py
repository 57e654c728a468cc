"""Safetensors files as the library itself writes and reads them, and programs filled from them."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy as library
from safetensors import deserialize

import rax
from rax.interop import safetensors as interop
from rax.interop.safetensors import DTYPES, load_tensors, save_tensors, with_defaults_from
from rax.ir.errors import BindingError, RaxError
from rax.ir.types import as_dtype
from rax.ops.arrays import Array, literal, numpy_dtype

NUMPY = {code: numpy_dtype(as_dtype(name)) for code, name in DTYPES.items()}


def numbers(dtype: np.dtype[Any], *shape: int) -> Array:
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("code", DTYPES)
def test_what_the_library_writes_is_read(code: str, tmp_path: Path) -> None:
    arrays = {"b.w": numbers(NUMPY[code], 2, 3), "a": numbers(NUMPY[code]), "none": numbers(NUMPY[code], 0, 2)}
    library.save_file(arrays, tmp_path / "w.safetensors")
    found = load_tensors(tmp_path / "w.safetensors")
    assert list(found) == ["a", "b.w", "none"]
    for name, array in arrays.items():
        assert found[name].type.dtype.name == DTYPES[code]
        assert found[name].array.dtype == array.dtype
        assert found[name].array.shape == array.shape
        assert found[name].raw == literal(array).raw
        assert not found[name].array.flags.writeable


@pytest.mark.parametrize("code", DTYPES)
def test_what_is_written_the_library_reads(code: str, tmp_path: Path) -> None:
    array = numbers(NUMPY[code], 2, 3)
    save_tensors({"x": array, "literal": literal(array)}, tmp_path / "w.safetensors")
    # Not load_file, which makes no NumPy arrays of float8.
    for _, read in deserialize((tmp_path / "w.safetensors").read_bytes()):
        assert read["dtype"] == code
        assert read["shape"] == [2, 3]
        assert read["data"] == array.tobytes()


def test_the_bytes_are_those_of_the_format(tmp_path: Path) -> None:
    save_tensors({"w": np.array([1.5], ml_dtypes.bfloat16)}, tmp_path / "w.safetensors")
    data = (tmp_path / "w.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    assert json.loads(data[8 : 8 + length]) == {"w": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}
    assert data[8 + length :] == b"\xc0\x3f"


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3).T,
        np.arange(12.0).reshape(3, 4)[:, ::2],
        np.arange(3, dtype=">f4"),
        np.broadcast_to(np.float32(1), (2, 2)),
    ],
    ids=["transposed", "strided", "big-endian", "broadcast"],
)
def test_any_layout_is_written_in_order(array: Array, tmp_path: Path) -> None:
    save_tensors({"x": array}, tmp_path / "w.safetensors")
    np.testing.assert_array_equal(load_tensors(tmp_path / "w.safetensors")["x"].array, array)


def test_nothing_is_a_file_too(tmp_path: Path) -> None:
    save_tensors({}, tmp_path / "w.safetensors")
    assert load_tensors(str(tmp_path / "w.safetensors")) == {}


def test_a_dtype_the_format_has_not_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(RaxError) as error:
        save_tensors({"z": np.ones(2, np.complex128)}, path)
    assert str(error.value) == (
        "'z' is complex128[2], and a safetensors file cannot hold complex128\n  fix: save its real and imaginary parts"
    )
    assert not path.exists()


def test_a_dtype_rax_has_not_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    library.save_file({"q": np.ones(2, ml_dtypes.float8_e8m0fnu)}, path)
    with pytest.raises(RaxError, match=rf"the tensor 'q' of {path} is F8_E8M0, a dtype that rax has not"):
        load_tensors(path)


@pytest.mark.parametrize("data", [b"", b"12345678", b"\x02" + bytes(7) + b"{]", b"rax" * 100])
def test_a_damaged_file_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(data)
    with pytest.raises(RaxError, match=f"{path} is no safetensors file, or a damaged one: "):
        load_tensors(path)


def test_an_absent_file_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_tensors(tmp_path / "w.safetensors")


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_tensors({"x": np.ones(2)}, path)
    before = path.read_bytes()
    with pytest.raises(RaxError, match="an array of object cannot be a constant"):
        save_tensors({"x": np.ones(2), "y": [None]}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def program() -> rax.Program:
    def predict(params: dict[str, Any], x: Any) -> Any:
        return x @ params["w"] + params["b"]

    graph = rax.trace(predict, {"w": rax.spec((2, 3)), "b": rax.spec((3,))}, rax.spec(("n", 2)))
    return rax.Program(predict=graph)


W = np.arange(6, dtype=np.float32).reshape(2, 3)
B = np.ones(3, np.float32)


def file(folder: Path, **arrays: Array) -> Path:
    path = folder / "w.safetensors"
    library.save_file({name.replace("_", "."): array for name, array in arrays.items()}, path)
    return path


def test_a_program_runs_on_the_weights_of_a_file(tmp_path: Path) -> None:
    filled = with_defaults_from(program(), file(tmp_path, params_w=W, params_b=B))
    assert {name: each.type for name, each in filled.defaults.items()} == {
        "params.b": literal(B).type, "params.w": literal(W).type,
    }  # fmt: skip
    rax.save(filled, tmp_path / "m.msgpack")
    loaded = rax.load(tmp_path / "m.msgpack")
    x = np.ones((4, 2), np.float32)
    params = {name.removeprefix("params."): each.array for name, each in loaded.defaults.items()}
    np.testing.assert_array_equal(loaded["predict"](params, x), x @ W + B)


def test_names_may_be_mapped(tmp_path: Path) -> None:
    path = file(tmp_path, layer_weight=W, layer_bias=B, extra=B)
    names = {"layer.weight": "params.w", "layer.bias": "params.b"}
    for rename in (names, names.get):
        assert list(with_defaults_from(program(), path, rename).defaults) == ["params.b", "params.w"]


def test_other_defaults_stay(tmp_path: Path) -> None:
    before = program().replace(defaults={"x": literal(np.ones((1, 2), np.float32)), "params.b": literal(B)})
    filled = with_defaults_from(before, file(tmp_path, params_w=W, params_b=2 * B))
    assert list(filled.defaults) == ["params.b", "params.w", "x"]
    np.testing.assert_array_equal(filled.defaults["params.b"].array, 2 * B)


def refusal(path: Path, rename: interop.Rename | None = None) -> str:
    with pytest.raises(BindingError) as error:
        with_defaults_from(program(), path, rename)
    return str(error.value).replace(str(path), "FILE")


def test_a_tensor_without_input_is_refused(tmp_path: Path) -> None:
    path = file(tmp_path, params_w=W, params_bias=B)
    assert refusal(path) == (
        "the tensor 'params.bias' of FILE belongs to no input\n"
        "  fix: the program takes 'params.b', 'params.w', 'x'; say with rename which tensor is which, None for none"
    )
    assert refusal(path, {"params.bias": "b"}).startswith(
        "the tensor 'params.bias', renamed to 'b', of FILE belongs to no input\n"
    )


def test_an_argument_filled_in_part_is_refused(tmp_path: Path) -> None:
    assert refusal(file(tmp_path, params_w=W)) == (
        "FILE has no tensor for 'params.b'\n  fix: it has 'params.w'; say with rename which tensor is which"
    )


def test_two_tensors_for_one_input_are_refused(tmp_path: Path) -> None:
    path = file(tmp_path, first=W, second=W)
    assert refusal(path, lambda name: "params.w") == (
        "the tensors 'first' and 'second' are both for the input 'params.w'"
    )


@pytest.mark.parametrize(
    ("array", "shown", "fix"),
    [
        (np.ones((2, 3), np.float64), "float64[2, 3]", "convert it: load_tensors, then .array.astype('float32')"),
        (
            np.ones((3, 2), np.float32),
            "float32[3, 2]",
            "the axes are in reverse, as PyTorch stores weights: load_tensors, then .array.T",
        ),
        (np.ones((2, 4), np.float32), "float32[2, 4]", "use the weights of a model of this shape"),
        (np.ones(6, np.float32), "float32[6]", "use the weights of a model of this shape"),
    ],
)
def test_another_type_is_refused(array: Array, shown: str, fix: str, tmp_path: Path) -> None:
    assert refusal(file(tmp_path, params_w=array, params_b=B)) == (
        f"the tensor 'params.w' is {shown}, the input 'params.w' takes float32[2, 3]\n  fix: {fix}"
    )


WITHOUT = """
import sys
sys.modules["safetensors"] = None
from rax.interop.safetensors import load_tensors, save_tensors
save_tensors({"w": 1.0}, sys.argv[1])
try:
    load_tensors(sys.argv[1])
except Exception as error:
    print(type(error).__name__, error)
"""


def test_only_reading_needs_the_library_and_the_error_says_how_to_install_it(tmp_path: Path) -> None:
    path = tmp_path / "w"
    done = subprocess.run([sys.executable, "-c", WITHOUT, str(path)], capture_output=True, text=True, check=True)
    said = "RaxError the library safetensors is not installed\n  fix: pip install 'rax[safetensors]'\n"
    assert done.stdout == said
    assert load_tensors(path)["w"].array == 1.0
