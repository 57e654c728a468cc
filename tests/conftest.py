"""What every test runs under: the same random examples each time, and no clock."""

from __future__ import annotations

from hypothesis import settings

# A failing example must fail again on the next run; a slow machine is no failure.
settings.register_profile("rax", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("rax")
