"""Names that a module or a tensor does not have: where rax has what other libraries call so."""

from __future__ import annotations

import importlib
import re
from typing import Final

from rax.frontend.numpy_calls import NAMES

_PLACES: Final = (
    "rax", "rax.numpy", "rax.numpy.linalg", "rax.numpy.fft", "rax.nn", "rax.special", "rax.random", "rax.optim",
)  # fmt: skip
_OTHERS: Final = {
    "bce": "rax.nn.binary_cross_entropy", "bcewithlogits": "rax.nn.binary_cross_entropy", "cat": "rax.numpy.concat",
    "clamp": "rax.numpy.clip", "detach": "rax.stop_gradient", "expand": "rax.numpy.broadcast_to",
    "gather": "rax.numpy.take_along_axis", "indexselect": "rax.numpy.take", "kaimingnormal": "rax.nn.he_normal",
    "kaiminguniform": "rax.nn.he_uniform", "l1": "rax.nn.mae", "lgamma": "rax.special.gammaln",
    "linear": "rax.nn.dense", "permute": "rax.numpy.permute_dims", "prngkey": "rax.random.key",
    "rand": "rax.random.uniform", "randn": "rax.random.normal", "scaleddotproductattention":
    "rax.nn.dot_product_attention", "shuffle": "rax.random.permutation", "sigmoidbinarycrossentropy":
    "rax.nn.binary_cross_entropy", "softmaxcrossentropy": "rax.nn.cross_entropy", "tensor": "rax.numpy.asarray",
    "unsqueeze": "rax.numpy.expand_dims", "view": "rax.numpy.reshape", "xaviernormal": "rax.nn.glorot_normal",
    "xavieruniform": "rax.nn.glorot_uniform",
}  # fmt: skip
"""Names of PyTorch's and JAX's that no spelling of a name here resembles, as :func:`_plain` leaves them."""


def _plain(name: str) -> str:
    """A name without what spellings differ in: ``Conv2d`` and ``conv``, ``LayerNorm`` and ``layer_norm``."""
    return re.sub(r"[123]d$|(?<!^)loss$", "", name.lower().replace("_", ""))


def elsewhere(name: str) -> str:
    """The path of what a name most likely means, such as ``rax.nn.softmax``; ``""`` if there is nothing like it.

    Example:
        >>> elsewhere("softmax"), elsewhere("Conv2d"), elsewhere("cat"), elsewhere("frobnicate")
        ('rax.nn.softmax', 'rax.nn.conv', 'rax.numpy.concat', '')
    """
    if name.startswith("_"):
        return ""
    names = {place: importlib.import_module(place).__all__ for place in _PLACES}  # this file is below them
    for place, ours in names.items():
        if name in ours:
            return f"{place}.{name}"
    plain = _plain(name)
    for place, ours in names.items():
        for each in ours:
            if _plain(each) == plain:
                return f"{place}.{each}"
    return f"rax.numpy.{NAMES[name]}" if name in NAMES else _OTHERS.get(plain, "")


def missing(module: str, name: str) -> AttributeError:
    """The error for a name that a module does not have; it says where rax has such a thing."""
    path = elsewhere(name)
    fix = f"\n  fix: use {path}" if path else ""
    return AttributeError(f"module {module!r} has no attribute {name!r}{fix}")
