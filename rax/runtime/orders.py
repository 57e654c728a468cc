"""Orders of steps that were found once are kept on disk: to look for one is the longest part of planning.

What is kept is data: the places of the steps, and nothing that a plan is taken from. An order that is recalled
must be one in which the steps can run, or it is not taken; all else of the plan, its peak among it, is made
as ever. So no entry, whoever wrote it, can change a result.
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from rax.ir.late import late
from rax.ir.record import Record
from rax.runtime.plan import Skeleton, Step

if TYPE_CHECKING:
    from rax.runtime.store import Store

LEAST_STEPS = 200
"""Plans of fewer steps are neither looked up nor kept: they are made faster than a file is read."""
LEAST_SECONDS = 0.005
"""What took less time to find is not kept."""
_HEAD = struct.Struct("<d")
_open_store = late("rax.runtime.store", "Store")  # for large plans


class Lookup(Record):
    """What happened to one plan.

    Attributes:
        steps: how many it has.
        key: of the entry; empty if none was looked for.
        path: of the entry; empty if none was looked for.
        hit: whether its order was recalled.
        why: a few words.
        seconds: what it took to find the order, now or when the entry was written.
    """

    steps: int
    key: str = ""
    path: str = ""
    hit: bool = False
    why: str = ""
    seconds: float = 0.0


class Orders:
    """The orders kept for one backend.

    Args:
        backend: its name, which is part of each key.
        folder: where they lie; empty to keep none.

    Attributes:
        folder: see above.
        lookups: what happened to each plan, the last ones.
    """

    def __init__(self, backend: str, folder: str) -> None:
        self._backend = backend
        self.folder = folder
        self.lookups: list[Lookup] = []

    def order(
        self, skeleton: Skeleton, dim_values: Mapping[str, int], steps: Sequence[Step], find: Callable[[], list[int]]
    ) -> list[int]:
        """The order in which steps run, by their places: recalled, or found and kept.

        Args:
            skeleton: what the steps are of.
            dim_values: the sizes of named dims.
            steps: in an order in which they can run.
            find: looks for a better order.
        """
        if not self.folder or len(steps) < LEAST_STEPS:
            why = "few steps are planned faster than an entry is read" if self.folder else "keeping plans is turned off"
            self._tell(Lookup(len(steps), why=why))
            return find()
        store = _open_store(self.folder)
        sizes = " ".join(f"{name}={size}" for name, size in sorted(dim_values.items()))
        how = f"{self._backend} {skeleton.nested} {sorted(skeleton.donated)} {len(steps)}"
        text = f"{skeleton.graph.digest}\n{sizes}\n{how}"
        key = hashlib.sha256(text.encode()).hexdigest()
        lookup = Lookup(len(steps), key, store.path(key))
        self._tell(lookup)
        found = store.read(key)
        lookup.why = found.why
        if found.data is not None:
            order = _decoded(found.data)
            if order is not None and can_run(steps, order):
                lookup.hit = True
                (lookup.seconds,) = _HEAD.unpack_from(found.data)
                return order
            store.remove(key)
            lookup.why = "the entry holds no order in which these steps can run"
        return _found(store, lookup, find)

    def _tell(self, lookup: Lookup) -> None:
        self.lookups.append(lookup)
        del self.lookups[:-64]


def _found(store: Store, lookup: Lookup, find: Callable[[], list[int]]) -> list[int]:
    start = time.perf_counter()
    order = find()
    lookup.seconds = time.perf_counter() - start
    if lookup.seconds < LEAST_SECONDS:
        lookup.why += "; not kept, as it is found fast"
    else:
        refused = store.write(lookup.key, _HEAD.pack(lookup.seconds) + struct.pack(f"<{len(order)}I", *order))
        lookup.why += f"; not kept: {refused}" if refused else "; kept now"
    return order


def can_run(steps: Sequence[Step], order: Sequence[int]) -> bool:
    """Whether an order has each step once, and after the steps whose results it reads."""
    if sorted(order) != list(range(len(steps))):
        return False
    waiting = {value for step in steps for value in step.results}
    for place in order:
        if not waiting.isdisjoint(steps[place].operands):
            return False
        waiting.difference_update(steps[place].results)
    return True


def _decoded(data: bytes) -> list[int] | None:
    body = data[_HEAD.size :]
    return list(struct.unpack(f"<{len(body) // 4}I", body)) if len(data) >= _HEAD.size and len(body) % 4 == 0 else None


_default = ""
_orders: dict[tuple[str, str], Orders] = {}


def user_folder() -> str:
    """Where entries lie if ``RAX_CACHE_DIR`` says nothing: ``rax`` in the user's folder for caches.

    It is ``XDG_CACHE_HOME`` or ``~/.cache``, on macOS ``~/Library/Caches``, on Windows ``LOCALAPPDATA``.
    """
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        return os.path.join(os.environ.get("LOCALAPPDATA") or home, "rax", "cache")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Caches", "rax")
    base = os.environ.get("XDG_CACHE_HOME", "")
    return os.path.join(base if os.path.isabs(base) else os.path.join(home, ".cache"), "rax")


def keep_by_default() -> None:
    """Keep orders in the user's folder for caches where ``RAX_CACHE_DIR`` names none, as ``rax-run`` does."""
    global _default  # noqa: PLW0603  # of the process, as the environment is
    _default = user_folder()


def orders_of(backend: str) -> Orders:
    """Those of a backend: in ``RAX_CACHE_DIR``, if that names a folder; empty, it turns the keeping off."""
    folder = os.environ.get("RAX_CACHE_DIR", _default)
    if (backend, folder) not in _orders:
        _orders[backend, folder] = Orders(backend, os.path.abspath(folder) if folder else "")
    return _orders[backend, folder]
