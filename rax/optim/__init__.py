"""Optimisers, gradient clipping and learning-rate schedules, as pure functions that build graph.

An optimiser is a pair of functions::

    opt = optim.adam(1e-3)
    state = opt.init(params)
    params, state = opt.update(params, grads, state)

``params`` and ``grads`` are the same nest; the state is a dict that holds the number of updates made,
``step``, and nests like ``params``. A learning rate is a number, or a schedule: a function of ``step``.
"""

from typing import TYPE_CHECKING

from rax.frontend.names import missing
from rax.optim.clipping import clip_by_global_norm, clip_by_value, global_norm
from rax.optim.optimizers import Optimizer, adagrad, adam, adamw, chain, rmsprop, sgd
from rax.optim.schedules import constant, cosine_decay, exponential_decay, piecewise_constant, warmup_cosine

__all__ = [
    "Optimizer",
    "adagrad",
    "adam",
    "adamw",
    "chain",
    "clip_by_global_norm",
    "clip_by_value",
    "constant",
    "cosine_decay",
    "exponential_decay",
    "global_norm",
    "piecewise_constant",
    "rmsprop",
    "sgd",
    "warmup_cosine",
]


if not TYPE_CHECKING:  # a type checker would take every name for one of the module's

    def __getattr__(name: str) -> object:
        raise missing(__name__, name)
