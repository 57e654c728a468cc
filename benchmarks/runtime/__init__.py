"""rax beside NumPy by hand, JAX, PyTorch, ONNX Runtime and autograd: ``python -m benchmarks.runtime``.

One file a family of rows, each with the same mathematics written for every library, the way its users
write it. ``peers`` has what the training steps share, ``timing`` the clock, ``report`` the table.
"""
