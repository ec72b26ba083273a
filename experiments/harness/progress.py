"""How many units are done, at which rate, and how long the rest will take, on stderr."""

import sys
import time

from tqdm import tqdm

PLAIN_SECONDS = 5.0
"""Between two lines where there is no terminal."""
QUIET_SECONDS = 30.0
"""After which there is one even if no unit was done."""


class Progress:
    """A bar on a terminal; elsewhere a plain line now and then, and one at the end.

    The time left follows from the rate since the first units were done: compilers and the start of workers
    delay those only.

    Args:
        total: Number of units.
        what: What is computed.
    """

    def __init__(self, total: int, what: str) -> None:
        self._total, self._what, self._done, self._first = total, what, 0, 0
        self._shown = 0  # how many were done when a line was last printed
        self._start = self._last = self._since = time.monotonic()
        self._bar = None
        if sys.stderr.isatty():
            form = "{desc}: {n_fmt}/{total_fmt} |{bar}| {elapsed}{postfix}"
            self._bar = tqdm(total=total, desc=what, file=sys.stderr, dynamic_ncols=True, bar_format=form)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif kind is None and self._shown < self._total:
            self._line()

    def advance(self, k: int = 1) -> None:
        """Note that ``k`` more units are done."""
        self._done += k
        if not self._first:
            self._first, self._since = self._done, time.monotonic()
        if self._bar is not None:
            self._bar.set_postfix_str(self.outlook(), refresh=False)
            self._bar.update(k)
        elif time.monotonic() - self._last >= PLAIN_SECONDS:
            self._line()

    def tick(self) -> None:
        """Note that time has passed."""
        if self._bar is not None:
            self._bar.refresh()
        elif time.monotonic() - self._last >= QUIET_SECONDS and self._done < self._total:
            self._line()

    def outlook(self) -> str:
        """Rate and time left, from the second unit on."""
        later, seconds = self._done - self._first, time.monotonic() - self._since
        if not later or seconds <= 0:
            return ""
        rate = later / seconds
        return f"{rate:.3g}/s, {tqdm.format_interval((self._total - self._done) / rate)} left"

    def _line(self) -> None:
        self._last, self._shown = time.monotonic(), self._done
        elapsed = tqdm.format_interval(self._last - self._start)
        parts = [f"{self._what}: {self._done}/{self._total} in {elapsed}", self.outlook()]
        print(", ".join(filter(None, parts)), file=sys.stderr, flush=True)
