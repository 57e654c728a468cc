"""The passes for graphs without loops and choices."""

from __future__ import annotations

from rax.ir.late import late
from rax.passes.canonical import CANONICAL, commutes
from rax.passes.fold import folded
from rax.passes.hoisting import HOISTING
from rax.passes.joining import JOINING
from rax.passes.rule import Elsewhere, Rewrite

CHOOSING = Elsewhere(
    frozenset(("logical_not", "bitwise_invert", "conj", "cast", "where")), late("rax.passes.choosing", "choosing")
)
PARTS = Elsewhere(frozenset(("slice", "pad", "concat")), late("rax.passes.parts", "parts"))
PLACES = Elsewhere(frozenset(("gather", "scatter", "equal")), late("rax.passes.places", "places"))
# One sweep for all rules, since each makes room for the others.
STRAIGHT = Rewrite("simplify", (*CANONICAL, CHOOSING, PARTS, PLACES, *HOISTING, folded), commutes)
JOIN = Rewrite("join", (*JOINING, PARTS))
