"""Random numbers as pure functions of a key.

There is no hidden state. A key is a tensor ``uint32[2]``; the same key gives the same numbers on every
machine and backend, so split it and use each part once::

    key, drop_key = random.split(key)

Bits come from Threefry-2x32. ``key``, ``split``, ``fold_in``, ``bits``, ``uniform``, ``randint``,
``bernoulli`` and ``exponential`` give the numbers of JAX's functions of that name (its default,
"partitionable" Threefry, with 64-bit types enabled); the others have distributions of their own making.

Draws move with their parameters where these are continuous, and have derivatives by them.
"""

from typing import TYPE_CHECKING

from rax.frontend.names import missing
from rax.random.choosing import categorical, choice, permutation
from rax.random.continuous import (
    cauchy,
    exponential,
    gumbel,
    laplace,
    logistic,
    maxwell,
    normal,
    pareto,
    rayleigh,
    truncated_normal,
    weibull_min,
)
from rax.random.discrete import binomial, geometric, poisson
from rax.random.gamma_family import beta, chisquare, dirichlet, gamma, loggamma, t
from rax.random.keys import bits, fold_in, key, split
from rax.random.multivariate import multivariate_normal
from rax.random.uniform import bernoulli, rademacher, randint, uniform

__all__ = [
    "bernoulli",
    "beta",
    "binomial",
    "bits",
    "categorical",
    "cauchy",
    "chisquare",
    "choice",
    "dirichlet",
    "exponential",
    "fold_in",
    "gamma",
    "geometric",
    "gumbel",
    "key",
    "laplace",
    "loggamma",
    "logistic",
    "maxwell",
    "multivariate_normal",
    "normal",
    "pareto",
    "permutation",
    "poisson",
    "rademacher",
    "randint",
    "rayleigh",
    "split",
    "t",
    "truncated_normal",
    "uniform",
    "weibull_min",
]


if not TYPE_CHECKING:  # a type checker would take every name for one of the module's

    def __getattr__(name: str) -> object:
        raise missing(__name__, name)
