"""Loading: ``rax.load``."""

from __future__ import annotations

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
    known = services.get("registry")() if registry is None else registry
    with paused():
        opened = open_file(path, READ_BYTES)
        others = opened.others()
        rows = opened.header.tensors
        stored: dict[tuple[int | None, Segments], Stored] = {}
        for row in rows:
            if row.inline is None and (row.file, row.segments) not in stored:
                view = opened.view if row.file is None else others[row.file]
                stored[row.file, row.segments] = Stored(view, row.segments)
        small = len(opened.view) <= READ_BYTES

        def read(number: int) -> Literal:
            row = rows[number]
            check = row.file is None and small if verify is None else verify
            return read_tensor(row, stored.get((row.file, row.segments)), f"tensors[{number}]", check=check)

        def work(number: int) -> int:  # bytes that are only mapped are none
            return sum(nbytes for _, nbytes in rows[number].segments) if verify else 0

        literals = spread(read, range(len(rows)), work)
        with bounded_work(opened.header_bytes):
            return build_program(opened.header, literals, known)
