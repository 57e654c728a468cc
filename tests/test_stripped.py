"""Python without asserts and docstrings (``-OO``): programs are traced, differentiated, saved, loaded and run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

EVERYTHING = """
import sys, tempfile
from pathlib import Path

import numpy as np

import rax
import rax.numpy as rnp

[getattr(rax, name) for name in rax.__all__]
x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)

def loss(w, x):
    def step(carry, row):
        return rnp.tanh(carry @ w) + row, rnp.sum(carry)
    carry, sums = rax.scan(step, rnp.zeros(3, rnp.float32), x)
    return rnp.sum(rax.nn.softmax(carry)) + rnp.sum(rnp.where(sums > 0, sums, sums * x[:, 0]))

w = np.eye(3, dtype=np.float32)
graph = rax.trace(rax.value_and_grad(loss), w, x)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "model.rax")
    rax.save(rax.Program(train=graph), path)
    loaded = rax.load(path)
if str(loaded["train"]) != str(graph):
    sys.exit("it was loaded wrongly")
value, gradient = rax.compile(loaded["train"])(w, x)
print(sys.flags.optimize, __doc__, repr(float(value)), gradient.tolist())
"""


def stripped(*arguments: str, level: str = "-OO") -> str:
    done = subprocess.run(
        [sys.executable, *level.split(), *arguments], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_program_is_made_saved_loaded_and_run() -> None:
    level, doc, rest = stripped("-c", EVERYTHING).split(" ", 2)
    assert (level, doc) == ("2", "None")
    assert rest == stripped("-c", EVERYTHING, level="-B").split(" ", 2)[2]


def test_the_operations_are_listed_with_their_texts() -> None:
    listed = stripped("-m", "rax.cli.main", "ops", "--json")
    assert listed == Path(ROOT, "schemas", "ops.json").read_text(encoding="utf-8")
