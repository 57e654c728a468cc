"""``--explain-cache``: what became of each plan that could have been kept from before."""

from __future__ import annotations

import os

from rax.runtime.orders import Lookup, orders_of


def cache_lines(backend: str) -> list[str]:
    """A line about where plans are kept, and for each plan that was made one or two more."""
    orders = orders_of(backend)
    kept = f"plans are kept in {orders.folder}" if orders.folder else "no plans are kept: RAX_CACHE_DIR is empty"
    return [kept, *[line for lookup in orders.lookups for line in _lines(lookup)]]


def _lines(lookup: Lookup) -> list[str]:
    plan = f"plan of {lookup.steps} step{'s' * (lookup.steps != 1)}"
    if not lookup.key:
        return [f"{plan}: not looked up: {lookup.why}"]
    spent = f"{lookup.seconds * 1e3:.1f} ms"
    size = f"{os.path.getsize(lookup.path):,} bytes" if os.path.exists(lookup.path) else "absent"
    said = f"hit: {lookup.why}; {spent} saved" if lookup.hit else f"miss: {lookup.why}; it took {spent}"
    return [f"{plan}: {said}", f"  {lookup.path} ({size})"]
