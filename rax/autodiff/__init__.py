"""Derivatives and batching as graph → graph; the results are ordinary graphs.

Reverse mode is forward mode, then transposition of the part linear in the tangents. The
drivers here walk graphs and call each operation's own rules; they name no operation but
the ``add`` and ``zeros`` that derivatives are summed with. An operation that holds graphs
is handed the transforms (``rax.autodiff.transforms``) to apply to them.
"""
