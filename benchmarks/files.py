"""Times files, and weighs them: ``python -m benchmarks.files [--gib 1] [--nodes 10000] [--runs 3]``.

Two parts. Large weights: how long saving and loading take and how much memory, in a fresh process for each format and
run, the formats by turns. Many nodes: bytes a node, and the time to save and to load with all checks. It is compared
with what is installed of NumPy's ``savez``, safetensors, plain MessagePack, ONNX and ``jax.export`` (with flatbuffers).
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgpack
import numpy as np

import rax
from benchmarks.stages import links
from rax.ir import services

Arrays = Mapping[str, np.ndarray[Any, Any]]
ROOT = Path(__file__).parent.parent
TENSORS = 16
MIB = 2**20


def peer(name: str) -> Any:
    """A library to compare with."""
    return importlib.import_module(name)


@dataclass(frozen=True)
class Format:
    """A way to keep weights.

    Attributes:
        save: write arrays to a file.
        load: open a file; what it returns is good for ``arrays``.
        arrays: what a loaded file holds.
        needs: the library it takes.
    """

    save: Callable[[Arrays, Path], None]
    load: Callable[[Path], Any]
    arrays: Callable[[Any], Arrays]
    needs: str = "rax"


def save_rax(arrays: Arrays, path: Path, **options: Any) -> None:
    """The whole way from arrays to a file, but for the graph, which is the model's."""
    rax.save(rax.Program({"main": GRAPHS[len(arrays)]}, defaults=arrays), path, **options)


def rax_arrays(program: rax.Program) -> Arrays:
    """The defaults of a program."""
    return {name: literal.array for name, literal in program.defaults.items()}


def save_onnx(arrays: Arrays, path: Path) -> None:
    """A model with nothing but initializers."""
    onnx = peer("onnx")
    tensors = [peer("onnx.numpy_helper").from_array(array, name) for name, array in arrays.items()]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "weights", [], [], tensors)), os.fspath(path))


def onnx_arrays(model: Any) -> Arrays:
    """The initializers as arrays."""
    return {each.name: peer("onnx.numpy_helper").to_array(each) for each in model.graph.initializer}


def save_safetensors(arrays: Arrays, path: Path) -> None:
    """As the library writes a file."""
    peer("safetensors.numpy").save_file(dict(arrays), os.fspath(path))


def save_msgpack(arrays: Arrays, path: Path) -> None:
    """A map from names to bytes."""
    path.write_bytes(cast("Any", msgpack).packb({name: array.tobytes() for name, array in arrays.items()}))


def msgpack_arrays(held: Mapping[str, bytes]) -> Arrays:
    """Arrays over the bytes."""
    return {name: np.frombuffer(data, "float32") for name, data in held.items()}


def save_npz(arrays: Arrays, path: Path) -> None:
    """An archive that is not compressed."""
    with path.open("wb") as file:
        np.savez(file, **cast("Any", arrays))


GRAPHS: dict[int, rax.Graph] = {}
FORMATS = {
    "rax": Format(save_rax, rax.load, rax_arrays),
    "rax, verify=True": Format(save_rax, lambda path: rax.load(path, verify=True), rax_arrays),
    "rax, external=": Format(
        lambda arrays, path: save_rax(arrays, path, external="weights.safetensors"), rax.load, rax_arrays
    ),
    "np.savez": Format(save_npz, np.load, lambda held: {name: held[name] for name in held.files}, "numpy"),
    "safetensors": Format(
        save_safetensors,
        lambda path: peer("safetensors").safe_open(os.fspath(path), framework="numpy"),
        lambda held: {name: held.get_tensor(name) for name in held.keys()},  # noqa: SIM118  # it is no mapping
        "safetensors",
    ),
    "msgpack": Format(
        save_msgpack, lambda path: cast("Any", msgpack).unpackb(path.read_bytes()), msgpack_arrays, "msgpack"
    ),
    "ONNX": Format(save_onnx, lambda path: peer("onnx").load(os.fspath(path)), onnx_arrays, "onnx"),
}


def memory(what: str) -> float:
    """Memory of this process in MiB: ``VmRSS`` now, ``VmHWM`` at most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))


def child(name: str, action: str, path: Path, gib: float) -> dict[str, float]:
    """Save or load once in this process, and measure it."""
    form = FORMATS[name]
    peer(form.needs)
    if name == "ONNX":
        peer("onnx.numpy_helper")
    services.get("registry")()  # operations are imported when first used
    if action == "save":
        return measure_save(form, path, gib)
    before, start = memory("VmRSS"), time.perf_counter()
    held = form.load(path)
    loaded, resident = time.perf_counter() - start, memory("VmRSS")
    arrays = form.arrays(held)
    total = sum(float(array[:: MIB // 1024].sum()) for array in arrays.values())  # every page
    touched = time.perf_counter() - start
    assert total > 0
    return {"load": loaded, "load_mib": resident - before, "touch": touched, "touch_mib": memory("VmRSS") - before}


def whole(**weights: rax.Tensor) -> dict[str, rax.Tensor]:
    """A model that is nothing but its weights."""
    return weights


def measure_save(form: Format, path: Path, gib: float) -> dict[str, float]:
    """The time to save, and how much more until it is on the disk; the memory above the arrays."""
    count = int(gib * 2**30) // 4 // TENSORS
    arrays = {f"w{n:02}": np.arange(n, n + count, dtype="float32") for n in range(TENSORS)}
    for array in arrays.values():
        array.flags.writeable = False
    specs = {name: rax.spec((count,)) for name in arrays}
    GRAPHS[TENSORS] = rax.trace(whole, **specs)
    before, start = memory("VmHWM"), time.perf_counter()
    form.save(arrays, path)
    saved = time.perf_counter()
    for each in path.parent.iterdir():
        with each.open("rb") as file:
            os.fsync(file.fileno())
    synced = time.perf_counter()
    return {"save": saved - start, "synced": synced - start, "peak_mib": memory("VmHWM") - before}


def in_process(name: str, action: str, path: Path, gib: float) -> dict[str, float]:
    """What a fresh process measures."""
    command = [sys.executable, "-m", "benchmarks.files", "--gib", str(gib), "--child", name, action, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603  # of this file
    return json.loads(done.stdout)


def weights(gib: float, runs: int, folder: Path) -> None:
    """Print the first part."""
    names = [name for name, form in FORMATS.items() if importlib.util.find_spec(form.needs)]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for run in range(runs):
        for name in names[run % len(names) :] + names[: run % len(names)]:  # none is always after the same one
            place = folder / "weights"
            place.mkdir()
            os.sync()
            row = {**in_process(name, "save", place / "file", gib), **in_process(name, "load", place / "file", gib)}
            found[name].append(row)
            print(f"{run}: {name}", {key: round(number, 4) for key, number in row.items()}, file=sys.stderr)
            shutil.rmtree(place)
    print(f"\n{gib:g} GiB in {TENSORS} tensors; seconds, and MiB above the arrays or the empty process; of {runs} runs")
    titles = ("save", "on disk", "/savez", "peak", "open", "memory", "all read", "memory")
    print(f"{'':18}" + "".join(f"{title:>10}" for title in titles))
    for name, rows in found.items():
        row = {key: statistics.median(each[key] for each in rows) for key in rows[0]}
        pairs = zip(rows, found["np.savez"], strict=True)
        ratio = statistics.median(mine["synced"] / theirs["synced"] for mine, theirs in pairs)
        print(
            f"{name:18}{row['save']:10.2f}{row['synced']:10.2f}{ratio:10.2f}{row['peak_mib']:10.0f}"
            f"{row['load']:10.4f}{row['load_mib']:10.1f}{row['touch']:10.2f}{row['touch_mib']:10.0f}"
        )


MODEL = '''"""A model, every line of which is a place of its own."""
import rax.numpy as rnp
from rax import nn


def loss(w, b, x, y):
'''


def model(nodes: int, folder: Path) -> rax.Graph:
    """A loss and its gradients, of about so many nodes: several shapes, constants, as many lines as steps."""
    functions = ("rnp.tanh", "rnp.sin", "nn.silu", "rnp.exp")
    body: list[str] = []
    for step in range(nodes // 27):
        act = functions[step % 4]
        if step % 3:
            body.append(f"    x = x + {act}(x * b[{step % 8}] - {step % 97 / 100}) * {1 + step / nodes:.5f}\n")
        else:
            body.append(f"    x = nn.layer_norm(x @ w[{step % 5}] + {step / 7:.4f})\n")
    path = folder / "model.py"
    path.write_text(MODEL + "".join(body) + "    return rnp.mean((x - y) ** 2)\n", encoding="utf-8")
    spec = importlib.util.spec_from_file_location("model", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    x = rax.spec(("batch", 16))
    return rax.trace(
        rax.value_and_grad(module.loss, argnums=(0, 1)), [rax.spec((16, 16))] * 5, [rax.spec((16,))] * 8, x, x
    )


Timed = tuple[int, int, Callable[[], Any], Callable[[], Any]]
"""How many nodes and bytes there are, and what saves and loads them."""


def rax_file(graph: rax.Graph, path: Path) -> Timed:
    """A graph as a file."""
    rax.save(graph, path)
    return len(graph.nodes), path.stat().st_size, lambda: rax.save(graph, path), lambda: rax.load(path)


def onnx_chain(nodes: int) -> Timed:
    """The chain of ``benchmarks.stages`` as a protobuf, in memory."""
    onnx = peer("onnx")
    helper = onnx.helper
    rows: list[Any] = []
    for step in range(nodes):
        operation, *second = (("Sin",), ("Mul", "scale"), ("Add", f"c{step // 4 % 7}"), ("Tanh",))[step % 4]
        rows.append(helper.make_node(operation, [f"v{step}", *second], [f"v{step + 1}"]))
    value = helper.make_tensor_value_info
    names = ["v0", "scale", *[f"c{n}" for n in range(7)]]
    ins = [value(name, onnx.TensorProto.FLOAT, [16]) for name in names]
    out = [value(f"v{nodes}", onnx.TensorProto.FLOAT, [16])]
    whole = helper.make_model(helper.make_graph(rows, "chain", ins, out))
    data = whole.SerializeToString()
    return nodes, len(data), whole.SerializeToString, lambda: onnx.ModelProto.FromString(data)


def jax_chain(nodes: int) -> Timed:
    """The same chain, exported by JAX."""
    jax, export = peer("jax"), peer("jax.export")
    spec = jax.ShapeDtypeStruct((16,), "float32")
    exported = export.export(jax.jit(links(nodes, peer("jax.numpy"))))(spec)
    data = exported.serialize()
    return nodes, len(data), exported.serialize, lambda: export.deserialize(data)


def both_clocks(work: Callable[[], Any]) -> tuple[float, float]:
    """How long something takes, and how much of it is this process's own."""
    start, own = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - own


def headers(nodes: int, runs: int, folder: Path) -> None:
    """Print the second part."""
    chain = rax.trace(links(nodes, rax.numpy), rax.spec((16,)))
    timed = {"rax, chain": rax_file(chain, folder / "chain")}
    if importlib.util.find_spec("onnx"):
        timed["ONNX, chain"] = onnx_chain(nodes)
    if importlib.util.find_spec("jax") and importlib.util.find_spec("flatbuffers"):
        timed["jax.export, chain"] = jax_chain(nodes)
    timed["rax, model"] = rax_file(model(nodes, folder), folder / "model")
    times: dict[str, list[tuple[float, ...]]] = {name: [] for name in timed}
    for _ in range(runs):
        for name, (_, _, save, load) in timed.items():
            times[name].append((*both_clocks(save), *both_clocks(load)))
    print(f"\nmilliseconds, in all and of the processor; the median of {runs} runs")
    print(f"{'':18}{'nodes':>10}{'B a node':>10}{'save':>10}{'processor':>10}{'load':>10}{'processor':>10}")
    for name, (count, nbytes, _, _) in timed.items():
        columns = [1000 * statistics.median(column) for column in zip(*times[name], strict=True)]
        print(f"{name:18}{count:10,}{nbytes / count:10.1f}" + "".join(f"{column:10.1f}" for column in columns))


def main() -> None:
    """Measure both, in a folder that is removed at the end."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--gib", type=float, default=1.0, help="of weights")
    parser.add_argument("--nodes", type=int, default=10_000, help="of a graph")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; by default where temporary files lie")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, action, path = options.child
        print(json.dumps(child(name, action, Path(path), options.gib)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        headers(options.nodes, 2 * options.runs + 1, Path(folder))
        weights(options.gib, options.runs, Path(folder))


if __name__ == "__main__":
    main()
