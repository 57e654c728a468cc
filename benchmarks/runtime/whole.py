"""A saved network's prediction as a whole process: ``rax-run`` beside a script of ONNX Runtime and one of NumPy."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import rax
from benchmarks.runtime import mlp
from benchmarks.runtime.peers import library
from benchmarks.runtime.timing import Pace, Spread, spread
from benchmarks.runtime.work import Contestant, Work, check_agreement
from rax.ops.arrays import Array

ROOT = Path(__file__).parent.parent.parent
WIDTHS = (784, 512, 512, 10)

NUMPY = """\
import sys
import numpy as np
held = np.load("weights.npz")
x = np.load("x.npy")
for n in range(3):
    x = x @ held[f"weight{n}"] + held[f"bias{n}"]
    x = np.maximum(x, 0) if n < 2 else x
print(x)
if len(sys.argv) > 1:
    np.savez(sys.argv[1], y=x)
"""

ONNX = """\
import sys
import numpy as np
import onnxruntime
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
(y,) = session.run(None, {"x": np.load("x.npy")})
print(y)
if len(sys.argv) > 1:
    np.savez(sys.argv[1], y=y)
"""


def work(batch: int) -> Work:
    """The prediction for a batch."""
    params = mlp.parameters(WIDTHS)
    x = np.random.default_rng(0).standard_normal((batch, WIDTHS[0]), np.float32)

    def by_hand() -> Contestant:
        def run() -> Array:
            y = x
            *hidden, (weight, bias) = mlp.layers(params)
            for each, shift in hidden:
                y = y @ each
                np.maximum(np.add(y, shift, out=y), np.float32(0), out=y)
            return y @ weight + bias

        return Contestant(run, lambda y: [y])

    return Work(lambda: rax.trace(mlp.logits, params, x), (params, x), [0.0], {"numpy": by_hand})


def seconds(work: Work, pace: Pace) -> dict[str, Spread]:
    """From the start of each process to its end, taking turns; their results are compared first."""
    params, x = work.arguments
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "x.npy", x)
        np.savez(folder / "weights.npz", **params)
        graph = rax.trace(_predict, params, rax.spec(("batch", WIDTHS[0])))
        defaults = {f"params.{key}": array for key, array in params.items()}
        rax.save(rax.Program(predict=graph, defaults=defaults), folder / "model.msgpack")
        (folder / "by_numpy.py").write_text(NUMPY)
        beside = Path(sys.executable).parent / "rax-run"
        rax_run = [str(beside)] if beside.exists() else [sys.executable, "-m", "rax.cli.run"]
        commands = {
            "rax": ([*rax_run, "model.msgpack", "x=@x.npy"], ["-o", "rax.npz"]),
            "numpy": ([sys.executable, "by_numpy.py"], ["numpy.npz"]),
        }
        if library("onnx") is not None and library("onnxruntime") is not None:
            (folder / "model.onnx").write_bytes(_onnx_model(params))
            (folder / "by_onnx.py").write_text(ONNX)
            commands["onnxruntime"] = ([sys.executable, "by_onnx.py"], ["onnxruntime.npz"])
        for command, more in commands.values():
            _run([*command, *more], folder)
        check_agreement({key: [np.load(folder / f"{key}.npz")["y"]] for key in commands}, work.before)
        samples: dict[str, list[float]] = {key: [] for key in commands}
        for _ in range(3 * pace.processes):
            for key, (command, _) in commands.items():
                samples[key].append(_run(command, folder, cpu=pace.cpu))
    return {key: spread(each) for key, each in samples.items()}


def _predict(params: Any, x: rax.Tensor) -> dict[str, rax.Tensor]:
    return {"y": mlp.logits(params, x)}


def _run(command: Sequence[str], folder: Path, *, cpu: bool = False) -> float:
    """The seconds a process takes."""
    paths = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    # Every process finds what it imports compiled, as what is installed is: the first, which is not timed, does it.
    own = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"} | own
    start, before = time.perf_counter(), os.times()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # ours
    seconds, after = time.perf_counter() - start, os.times()
    worked = after.children_user + after.children_system - before.children_user - before.children_system
    return worked if cpu else seconds


def _onnx_model(params: dict[str, Array]) -> bytes:
    onnx = library("onnx")
    helper: Any = onnx.helper
    nodes: list[Any] = []
    below = "x"
    count = len(WIDTHS) - 1
    for n in range(count):
        out = "y" if n == count - 1 else f"sum{n}"
        nodes.append(helper.make_node("Gemm", [below, f"weight{n}", f"bias{n}"], [out]))
        if n < count - 1:
            nodes.append(helper.make_node("Relu", [out], [f"relu{n}"]))
            below = f"relu{n}"
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", size])
        for name, size in (("x", WIDTHS[0]), ("y", WIDTHS[-1]))
    ]
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in params.items()]
    graph = helper.make_graph(nodes, "predict", ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()
