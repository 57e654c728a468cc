"""A bounded table of what is costly to make and safe to share between threads."""

from __future__ import annotations

import os
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import RLock
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")

_every = weakref.WeakSet["Cache[Any, Any]"]()


def _renew() -> None:
    for cache in _every:
        cache.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


class Cache(Generic[Key, Item]):
    """The most recently used items by key, each made once however many threads ask.

    Args:
        limit: how many items are kept.

    Example:
        >>> cache = Cache[str, int](limit=2)
        >>> cache.get("a", lambda: 1), cache.get("a", lambda: 2), len(cache)
        (1, 1, 1)
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._items: OrderedDict[Key, Item] = OrderedDict()
        self.renew()
        _every.add(self)

    def renew(self) -> None:
        """A forked process must not wait for a lock that a thread of its parent's holds."""
        self._lock = RLock()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: Key, make: Callable[[], Item]) -> Item:
        """The item of a key, made and kept if it is not there."""
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
                return self._items[key]
            item = make()
            self._items[key] = item
            while len(self._items) > self.limit:
                self._items.popitem(last=False)
            return item
