"""Loading: ``rax.load``."""

from __future__ import annotations

from collections.abc import Sequence

from rax.format.decode import Registry, build_program
from rax.format.header import Segments
from rax.format.limits import bounded_work
from rax.format.opening import PathLike, open_file
from rax.format.tensors import Stored, read_tensor
from rax.format.threads import spread
from rax.ir import services
from rax.ir.collector import paused
from rax.ir.node import Literal
from rax.ir.program import Program

READ_BYTES = 2**26
"""Files up to this size are read whole and every digest checked; larger ones are mapped."""


def load(path: PathLike, *, registry: Registry | None = None, verify: bool | None = None) -> Program:
    """Read a program; nothing in a file is ever run or imported.

    Every operation is rebuilt from its name, every type inferred again and compared. A file up
    to 64 MiB is read whole, so that later changes to it do not show; of a larger one only the
    header is read, and its tensors are mapped: they come into memory when they are touched. So do
    tensors in other files beside it, which are then compared with their digests.

    Args:
        path: the file.
        registry: the operations a file may use; by default rax's own and the user's.
        verify: compare the digest of every tensor now. By default this is done for files that are
            read whole; in a larger one a tensor is compared when its digest is first needed. The
            header is always verified.

    Returns:
        The program. A graph that was saved alone is its entry ``"main"``.

    Raises:
        FormatError: the file is damaged, hostile, newer than this rax, or no rax file.
        OSError: the file cannot be read.

    Example:
        >>> import tempfile
        >>> import rax
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     rax.save(rax.trace(lambda x: x * 2, rax.spec(("n",))), f"{folder}/double.msgpack")
        ...     load(f"{folder}/double.msgpack")["main"]([1.0, 2.0])
        array([2., 4.], dtype=float32)
    """
    return Contents(path).program(registry=registry, verify=verify)


class Contents:
    """A file of which the layout and header are checked, and nothing is built yet.

    Args:
        path: the file.

    Raises:
        FormatError: the file is damaged, hostile, newer than this rax, or no rax file.
        OSError: the file cannot be read.
    """

    def __init__(self, path: PathLike) -> None:
        with paused():
            self._opened = open_file(path, READ_BYTES)
        self._small = len(self._opened.view) <= READ_BYTES
        self._stored: dict[tuple[int | None, Segments], Stored] = {}
        self._keep([self._opened.view], own=True)

    def _keep(self, views: Sequence[memoryview], *, own: bool) -> None:
        for row in self._opened.header.tensors:
            if row.inline is None and (row.file is None) == own and (row.file, row.segments) not in self._stored:
                self._stored[row.file, row.segments] = Stored(views[row.file or 0], row.segments)

    def hash(self) -> None:
        """Compute now the digests that are compared by default when the program is built."""
        for stored in self._stored.values() if self._small else ():
            _ = stored.digest

    def program(self, *, registry: Registry | None = None, verify: bool | None = None) -> Program:
        """The program; see :func:`load`."""
        known = services.get("registry")() if registry is None else registry
        with paused():
            rows = self._opened.header.tensors
            self._keep(self._opened.others(), own=False)

            def read(number: int) -> Literal:
                row = rows[number]
                check = row.file is None and self._small if verify is None else verify
                return read_tensor(row, self._stored.get((row.file, row.segments)), f"tensors[{number}]", check=check)

            def work(number: int) -> int:  # bytes that are only mapped are none
                return sum(nbytes for _, nbytes in rows[number].segments) if verify else 0

            literals = spread(read, range(len(rows)), work)
            with bounded_work(self._opened.header_bytes):
                return build_program(self._opened.header, literals, known)
