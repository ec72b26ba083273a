"""Progress: the time left follows from the later units, without compilers and starting workers."""

import pytest

from experiments.harness import progress
from experiments.harness.progress import Progress


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def test_the_time_left_excludes_what_delays_the_first_unit(clock: Clock) -> None:
    with Progress(11, "hill: search") as shown:
        clock.now = 70.0  # the first unit compiles a kernel for a minute
        shown.advance()
        assert shown.outlook() == ""
        clock.now = 72.0
        shown.advance()
        assert shown.outlook() == "0.5/s, 00:18 left"


def test_lines_now_and_then_and_at_the_end(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(4, "hill: search") as shown:
        for second in (1.0, 2.0, 6.0, 7.0):
            clock.now = second
            shown.advance()
    assert capsys.readouterr().err.splitlines() == [
        "hill: search: 3/4 in 00:06, 0.4/s, 00:02 left",
        "hill: search: 4/4 in 00:07, 0.5/s, 00:00 left",
    ]


def test_nothing_is_said_of_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(0, "hill: search"):
        pass
    assert capsys.readouterr().err == ""


def test_a_long_unit_is_no_silence(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(2, "hill: search") as shown:
        for second in range(1, 70):
            clock.now = float(second)
            shown.tick()
        shown.advance(2)
    assert capsys.readouterr().err.splitlines() == [
        "hill: search: 0/2 in 00:30",
        "hill: search: 0/2 in 01:00",
        "hill: search: 2/2 in 01:09",
    ]
