"""What every test runs under: the same random examples each time, no clock, SciPy on the array API."""

from __future__ import annotations

import os

from hypothesis import settings

# A failing example must fail again on the next run; a slow machine is no failure.
settings.register_profile("rax", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("rax")

# There is a process for each processor; if each had a thread of OpenBLAS for each, they would hold each other up.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# SciPy reads this when it is imported; without it, it makes everything a NumPy array.
os.environ["SCIPY_ARRAY_API"] = "1"

# rax-run keeps plans in the folder of whoever runs the tests, unless this says where, or nothing.
os.environ["RAX_CACHE_DIR"] = ""
