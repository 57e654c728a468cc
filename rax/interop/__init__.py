"""Bridges to other libraries: one module a library, and only that module imports it.

Each library is an optional extra, ``pip install 'rax[name]'``; a module says so where its library is absent.
"""
