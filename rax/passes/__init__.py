"""Graph → graph rewrites that keep the meaning: each result equals the old one bit for bit.

What is here: rules and the pass that applies them (``rule``), the rules themselves
(``canonical``, ``fold``, ``decompose``), and lists of passes (``pipeline``), with the one that
every graph goes through before it is planned.

What may not be here: NumPy, anything that runs a graph, and a rewrite that only nearly keeps
the meaning, such as ``x + 0.0`` to ``x``, which turns ``0.0`` into ``-0.0``.
"""
