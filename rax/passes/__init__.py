"""Graph → graph rewrites that keep the meaning: each result equals the old one bit for bit, or within rounding.

What is here: rules and the pass that applies them (``rule``), the rules themselves
(``canonical``, ``choosing``, ``hoisting``, ``fold``, ``control``, ``loops``, ``decompose``), and lists of passes
(``pipeline``), with those that every graph goes through before it is planned (``optimise``).

What may not be here: NumPy, and anything that runs a graph. A rewrite that only nearly keeps the meaning,
such as ``x + 0.0`` to ``x``, of which one turns ``-0.0`` into ``0.0``, is no part of ``optimise``; those of
``reassociate`` (``accumulation``, ``products``, ``joining``, ``scaling``) change where sums and products are
rounded, and the sign of zeros.
"""
