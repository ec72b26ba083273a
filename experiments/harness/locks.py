"""Who works on what: locks that several processes hold on the units of one store."""

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class Locks:
    """Locks by name in one file, each a byte of it; the system lets go of those of a process that dies.

    Args:
        file: The file, made with the first lock; its folder is there by then.
    """

    def __init__(self, file: Path) -> None:
        self._path = file
        self._file: IO[bytes] | None = None

    def take(self, digest: str, wait: bool) -> bool:
        """Take a lock; false if another process holds it and ``wait`` is false.

        Args:
            digest: What is locked, as hexadecimal digits.
            wait: Wait while another process holds it.

        Raises:
            OSError: The file cannot be written.
        """
        if self._file is None:
            self._file = self._path.open("ab")
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, _byte(digest))
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            return False
        return True

    def release(self, digest: str) -> None:
        """Let go of a lock that was taken."""
        assert self._file is not None
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _byte(digest))

    def close(self) -> None:
        """Let go of everything."""
        if self._file is not None:
            self._file.close()
            self._file = None


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process is in a context with the same path.

    Args:
        path: A file or a folder, there or not; ``.<name>.lock`` beside it is made and locked.

    Raises:
        OSError: The lock's file cannot be written.
    """
    with path.with_name(f".{path.name}.lock").open("ab") as handle:
        fcntl.lockf(handle, fcntl.LOCK_EX)
        yield


def _byte(digest: str) -> int:
    """The byte that stands for a digest: far beyond the end of the file, which takes no space."""
    return int(digest[:15], 16)
