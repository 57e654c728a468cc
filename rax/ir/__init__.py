"""What a program is: types, nodes, graphs, their text, their checks. Standard library only.

Nothing here computes on arrays, names an operation or knows a file; an operation is any
:class:`rax.ir.op.Op`, and array data is an opaque buffer with a key.
"""
