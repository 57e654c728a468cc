"""A small saved program that the tests of the command line run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rax.format.saving import save
from rax.ir.graph import Graph
from rax.ir.node import new_input
from rax.ir.program import Example, Program
from rax.ir.types import tensor_type
from rax.ops.algebra import add
from rax.ops.arrays import literal
from rax.ops.broadcasting import Sum
from rax.ops.contraction import matmul
from rax.ops.elementwise import multiply, subtract
from rax.ops.reduction import ArgMax, Mean

IMAGES = np.array([[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]], np.float32)
WEIGHTS = np.array([[1, 0], [0, 1], [0, 2], [3, 0]], np.float32)


def program(*, wrong: bool = False) -> Program:
    """``predict`` classifies images of 2 × 2; ``train`` has state; ``wrong`` makes the check fail."""
    images, labels = new_input("images", tensor_type(("batch", 4))), new_input("labels", tensor_type("batch", "int64"))
    w, b = new_input("params.w", tensor_type((4, 2))), new_input("params.b", tensor_type((2,)))
    scores = add(matmul(images, w), b)
    predict = Graph(
        [images, labels, w, b], [ArgMax(1)(scores), scores, Mean((0, 1))(scores)],
        output_names=["digit", "scores", "mean"],
    )  # fmt: skip
    state, rate = new_input("params.b", tensor_type((2,))), new_input("rate", tensor_type(()))
    train = Graph(
        [state, rate], [subtract(state, multiply(state, rate)), Sum((0,))(multiply(state, state))],
        output_names=["params.b", "loss"],
    )  # fmt: skip
    due = IMAGES @ WEIGHTS + np.float32(1)
    outputs = {
        "digit": literal(due.argmax(axis=1) + wrong), "scores": literal(due), "mean": literal(due.mean()),
    }  # fmt: skip
    example = Example(
        {"images": literal(IMAGES), "labels": literal(np.array([1, 0, 0]))},
        outputs,
        {"images": "image", "labels": "label", "digit": "label", "scores": "score"},
    )
    defaults = {"params.w": WEIGHTS, "params.b": np.ones(2, np.float32), "rate": np.float32(0.5)}
    return Program(
        {"predict": predict, "train": train},
        defaults={name: literal(array) for name, array in defaults.items()},
        examples={"predict": example},
        main="predict",
    )


def saved(folder: Path, *, wrong: bool = False) -> Path:
    """The program in a file."""
    path = folder / "model.msgpack"
    save(program(wrong=wrong), path)
    return path
