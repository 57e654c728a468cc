"""The steps of a run in the trace event format, which Perfetto and chrome://tracing show.

Every step is a complete event (``"ph": "X"``) with its start and duration in microseconds; events on one
thread that lie within each other are shown as nested. Scopes are events around runs of steps that share them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rax.runtime.recorder import Event

_WHERE: dict[str, Any] = {"pid": 1, "tid": 1}


def trace_events(events: Sequence[Event], left_out: int) -> dict[str, Any]:
    """The whole file, before it is made JSON.

    Args:
        events: what one run did, in the order in which it ended.
        left_out: how many events are missing.
    """
    rows: list[dict[str, Any]] = [
        {"name": "process_name", "ph": "M", **_WHERE, "args": {"name": "rax"}},
        {"name": "thread_name", "ph": "M", **_WHERE, "args": {"name": "steps"}},
    ]
    frames: dict[int, list[Event]] = {}
    for event in events:
        frames.setdefault(event.frame, []).append(event)
    for frame in frames.values():
        rows += _scopes(sorted(frame, key=lambda event: event.start))
    rows += [_step(event) for event in events]
    rows += [
        {
            "name": "planned bytes",
            "ph": "C",
            "ts": _micro(event.start),
            **_WHERE,
            "args": {"held": event.tally.step.held},
        }
        for event in events
    ]
    # Of two that start at once the longer is around the other.
    rows.sort(key=lambda row: (row.get("ts", -1.0), -row.get("dur", 0.0)))
    return {"traceEvents": rows, "displayTimeUnit": "ms", "otherData": {"steps left out": left_out}}


def _step(event: Event) -> dict[str, Any]:
    tally, step = event.tally, event.tally.step
    args = {
        "step": ".".join(map(str, step.place)),
        "how": step.how,
        "operands": [str(type) for type in step.operands],
        "results": [str(type) for type in step.results],
        "bytes": tally.bytes,
        "flops": tally.flops,
        "held": step.held,
        "scope": "/".join(step.origin.scope),
        "source": step.origin.source,
    }
    if step.members:
        args["members"] = list(step.members)
    name = f"group of {len(step.members)}" if step.members else step.name
    return _complete(name, "step", event.start, event.stop, args)


def _scopes(events: Sequence[Event]) -> list[dict[str, Any]]:
    """The scopes of the steps of one run of a plan: each stretches over steps in a row that are in it."""
    found: list[dict[str, Any]] = []
    opened: list[tuple[str, float]] = []
    stop = 0.0
    for event in [*events, None]:
        scope = _scope(event) if event is not None else ()
        kept = 0
        while kept < min(len(opened), len(scope)) and opened[kept][0] == scope[kept]:
            kept += 1
        while len(opened) > kept:
            name, start = opened.pop()
            found.append(_complete(name, "scope", start, stop, {}))
        if event is not None:
            opened += [(name, event.start) for name in scope[kept:]]
            stop = event.stop
    return found


def _scope(event: Event) -> tuple[str, ...]:
    """The scopes of a step within those of the loop it is in, which are open already."""
    scope, outer = event.tally.step.origin.scope, event.tally.outer
    return scope[len(outer) :] if scope[: len(outer)] == outer else scope


def _complete(name: str, category: str, start: float, stop: float, args: dict[str, Any]) -> dict[str, Any]:
    begin = _micro(start)
    span = {"ph": "X", "ts": begin, "dur": round(_micro(stop) - begin, 3)}
    return {"name": name, "cat": category, **span, **_WHERE, "args": args}


def _micro(seconds: float) -> float:
    return round(seconds * 1e6, 3)
