"""The memory of runs: arenas that are kept from one call to the next.

A call takes an idle instance, which has an arena of its own, or has another made; so calls may come from
several threads at once, and within each other. How many bytes may lie idle is bounded over the process.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from contextvars import Context

import numpy as np

from rax.ops.arrays import Array
from rax.runtime.arena import ALIGNMENT
from rax.runtime.backends.base import Run

# The arenas that lie idle take no more bytes than this; those that have not been used for longest are freed first.
IDLE_BYTES = 1 << 29
# Smaller arenas are not counted; as many as this are kept of each plan.
_SMALL_BYTES = 1 << 16
_MOST = 16


class _Instance:
    """A plan bound to memory, and the context in which NumPy does not warn."""

    __slots__ = ("__weakref__", "enter", "run")

    def __init__(self, run: Run) -> None:
        context = Context()
        context.run(np.seterr, all="ignore")
        self.enter = context.run
        self.run = run


class _Ledger:
    """The idle instances of all plans but the small ones, in the order of their last use."""

    def __init__(self) -> None:
        self._rows: OrderedDict[int, tuple[weakref.ref[Instances], weakref.ref[_Instance], int]] = OrderedDict()
        self._nbytes = 0
        self.begin()

    def begin(self) -> None:
        """A forked process must not wait for a lock that a thread of its parent's holds."""
        self._lock = threading.RLock()

    @property
    def nbytes(self) -> int:
        """How many bytes they take, when none of them is just being taken or given back."""
        with self._lock:
            return self._nbytes

    def remove(self, instance: _Instance) -> None:
        """It is in use."""
        with self._lock:
            self._drop(id(instance))

    def _drop(self, key: int) -> None:
        row = self._rows.pop(key, None)
        self._nbytes -= row[2] if row is not None else 0

    def add(self, owner: Instances, instance: _Instance) -> None:
        """It is idle; others are freed for it if there are too many bytes."""
        if owner.nbytes > IDLE_BYTES:
            return
        with self._lock:
            self._drop(id(instance))  # of one that died with its plan
            self._rows[id(instance)] = weakref.ref(owner), weakref.ref(instance), owner.nbytes
            self._nbytes += owner.nbytes
            owner.idle.append(instance)
            if self._nbytes > IDLE_BYTES:
                for key in [key for key, (_, each, _) in self._rows.items() if each() is None]:
                    self._drop(key)
            while self._nbytes > IDLE_BYTES:
                self._free(next(iter(self._rows)))

    def _free(self, key: int) -> None:
        plan, oldest = self._rows[key][0](), self._rows[key][1]()
        self._drop(key)
        if plan is not None and oldest is not None:
            with contextlib.suppress(ValueError):  # a call has just taken it
                plan.idle.remove(oldest)


_ledger = _Ledger()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ledger.begin)


class Instances:
    """The instances of one plan.

    Args:
        bind: makes what runs the plan from the memory it is to use.
        nbytes: how much that is.
    """

    def __init__(self, bind: Callable[[Array], Run], nbytes: int) -> None:
        self._bind = bind
        self.nbytes = nbytes
        self.idle: list[_Instance] = []
        _every.add(self)

    def run(self, arrays: list[Array]) -> list[Array]:
        """Run the plan; see :data:`rax.runtime.backends.base.Run`."""
        instance = self.take()
        try:
            results = instance.enter(instance.run, arrays)
        except Exception:
            self._give(instance)
            raise
        # One that was interrupted from outside is dropped: a thread may still be writing into its arena.
        self._give(instance)
        return results

    def take(self) -> _Instance:
        """One for the caller alone."""
        try:
            instance = self.idle.pop()  # which the interpreter does in one go
        except IndexError:
            return self._make()
        if self.nbytes >= _SMALL_BYTES:
            _ledger.remove(instance)
        return instance

    def _make(self) -> _Instance:
        block = np.empty(self.nbytes + ALIGNMENT if self.nbytes else 0, np.uint8)
        begin = -block.__array_interface__["data"][0] % ALIGNMENT if self.nbytes else 0
        with np.errstate(all="ignore"):
            return _Instance(self._bind(block[begin : begin + self.nbytes]))

    def _give(self, instance: _Instance) -> None:
        if self.nbytes >= _SMALL_BYTES:
            _ledger.add(self, instance)
        elif len(self.idle) < _MOST:
            self.idle.append(instance)


_every = weakref.WeakSet[Instances]()


def idle_bytes() -> int:
    """How much lies idle, but in small arenas."""
    return _ledger.nbytes


def free_idle() -> None:
    """Free the arenas of all plans that are not running."""
    for each in [*_every]:
        while each.idle:
            each.take()
