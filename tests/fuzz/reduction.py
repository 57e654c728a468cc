"""A file that shows a defect made small: parts of its header go for as long as the defect stays."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from tests.format.build import joined, pack
from tests.fuzz.campaign import PLACE, STUCK, attempt
from tests.fuzz.examine import limits
from tests.fuzz.mutation import Seed, follow

TRIES = 400
SIMPLE: tuple[Any, ...] = (None, 0, 1, "", [], {})


def outcome(data: bytes) -> str:
    """What examining bytes comes to, in a process of its own: a code, or the signature of a defect."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_examine, args=(data, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        said = ours.recv() if ours.poll(STUCK) else "stuck"
    except EOFError:
        process.join()
        said = f"died of {process.exitcode}"
    process.kill()
    process.join()
    return said


def _examine(data: bytes, pipe: Any) -> None:
    with tempfile.TemporaryDirectory(dir=PLACE) as folder, limits():
        code, what, _ = attempt(data, Path(folder) / "file")
    pipe.send(code or what)


def reduced(data: bytes, shows: Callable[[bytes], bool]) -> bytes:
    """A smaller file that still shows what it did.

    Args:
        data: the file.
        shows: whether a file shows the defect.
    """
    left = TRIES
    better = True
    while better and left > 0:
        better = False
        for candidate in _smaller(data):
            left -= 1
            if left <= 0:
                break
            if shows(candidate):
                data, better = candidate, True
                break
    return data


def _smaller(data: bytes) -> Iterator[bytes]:
    """Files with less in them, the largest cuts first; none of a file that cannot be taken apart."""
    seed = Seed("", data)
    if seed.parts is None:
        for length in (len(data) // 2, len(data) * 3 // 4, len(data) - 1):
            yield data[:length]
        return
    payloads = seed.parts[1]
    header = seed.header()
    weigh = {path: len(pack(follow(header, path))) for path in seed.paths}
    for path in sorted(weigh, key=lambda path: -weigh[path]):
        for value in (_GONE, *SIMPLE):
            if value is not _GONE and len(pack(value)) >= weigh[path]:
                continue
            changed = seed.header()
            box = follow(changed, path[:-1])
            if value is _GONE and isinstance(box, list) and len(cast("list[Any]", box)) > 8:
                del box[len(cast("list[Any]", box)) // 2 :]
            elif value is _GONE:
                del box[path[-1]]
            else:
                box[path[-1]] = value
            smaller = joined(pack(changed), payloads)[0]
            if len(smaller) < len(data):
                yield smaller


_GONE = object()
