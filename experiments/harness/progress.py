"""How far a piece of work is, on stderr."""

import sys
import time

from tqdm import tqdm

PLAIN_SECONDS = 5.0


class Progress:
    """A bar with rate and time left on a terminal; elsewhere a plain line now and then, and one at the end.

    Args:
        total: Pieces of work.
        what: What is worked on.
    """

    def __init__(self, total: int, what: str) -> None:
        self._total, self._what, self._done = total, what, 0
        self._start = self._last = time.monotonic()
        bar = sys.stderr.isatty()
        self._bar = tqdm(total=total, desc=what, file=sys.stderr, dynamic_ncols=True) if bar else None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif kind is None:
            self._line()

    def advance(self, k: int = 1) -> None:
        """Note that ``k`` more pieces are done."""
        self._done += k
        if self._bar is not None:
            self._bar.update(k)
        elif time.monotonic() - self._last >= PLAIN_SECONDS:
            self._line()

    def _line(self) -> None:
        self._last = time.monotonic()
        seconds = self._last - self._start
        line = f"{self._what}: {self._done}/{self._total} in {tqdm.format_interval(seconds)}"
        if self._done and seconds > 0:
            rate = self._done / seconds
            line += f", {rate:.3g}/s, {tqdm.format_interval((self._total - self._done) / rate)} left"
        print(line, file=sys.stderr, flush=True)
