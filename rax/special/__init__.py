"""Special functions under SciPy's names: of errors, gamma and beta, Bessel's, and careful logarithms.

Each takes anything that reads as a tensor; integers become float32. They are computed in float64 and
rounded to the dtype, and have derivatives in both modes and of every order. Where a function is infinite or has
no derivative, its documentation says what the derivative counts as.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from rax.frontend.names import missing
from rax.special.bessel import i0, i0e, i1, i1e
from rax.special.error_functions import erf, erfc, erfcinv, erfcx, erfinv, log_ndtr, ndtr, ndtri
from rax.special.gamma_functions import (
    beta,
    betainc,
    betaln,
    binom,
    comb,
    digamma,
    factorial,
    gamma,
    gammainc,
    gammaincc,
    gammaln,
    gammasgn,
    multigammaln,
    polygamma,
    psi,
    zeta,
)
from rax.special.logarithms import (
    entr,
    expit,
    exprel,
    kl_div,
    log_expit,
    logit,
    logsumexp,
    rel_entr,
    xlog1py,
    xlogy,
)

__all__ = [
    "beta",
    "betainc",
    "betaln",
    "binom",
    "comb",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcinv",
    "erfcx",
    "erfinv",
    "expit",
    "exprel",
    "factorial",
    "gamma",
    "gammainc",
    "gammaincc",
    "gammaln",
    "gammasgn",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "kl_div",
    "log_expit",
    "log_ndtr",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "rel_entr",
    "xlog1py",
    "xlogy",
    "zeta",
]


if not TYPE_CHECKING:  # a type checker would take every name for one of the module's

    def __getattr__(name: str) -> object:
        raise missing(__name__, name)


def namespace() -> ModuleType:
    """This module, as the ``special`` of an array's namespace."""
    return sys.modules[__name__]
