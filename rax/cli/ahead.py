"""A file read and hashed by another thread, while this one imports NumPy.

To read and to hash lets other threads run meanwhile, so that neither is waited for.
"""

from __future__ import annotations

import threading

from rax.format.files import Contents


class Ahead:
    """A file that is being read.

    Args:
        path: the file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._found: Contents | Exception | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the system allows no more threads
            self._read()

    def _read(self) -> None:
        try:
            contents = Contents(self._path)
            contents.hash()
            self._found = contents
        except Exception as error:  # noqa: BLE001  # it is raised where the file is asked for
            self._found = error

    def contents(self) -> Contents:
        """What the file holds.

        Raises:
            FormatError: the file is damaged, hostile, newer than this rax, or no rax file.
            OSError: the file cannot be read.
        """
        if self._found is None:
            self._thread.join()
        assert self._found is not None
        if isinstance(self._found, Exception):
            raise self._found
        return self._found
