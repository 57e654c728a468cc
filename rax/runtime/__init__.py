"""Evaluates a graph: binding arguments, planning memory, the backends, running a file's entry.

Nothing here knows how a graph was built, how it is differentiated or what a file looks like.
"""
