"""Settings of studies on a landscape."""

from experiments.competitors import Competitors
from experiments.harness.settings import Count, Experiment, NonNegative, Point, Seed, Settings


class Search(Settings):
    """The budget of a search: ``trials`` of ``steps`` steps each, ``batch`` of them suggested at a time."""

    trials: Count
    steps: Count
    batch: Count = 1


class Starts(Settings):
    """Starting points: ``points`` of them, uniform in the cube center ± side, each for ``repeats`` runs.

    With ``side`` 0 all are the center.
    """

    center: Point
    side: NonNegative = 0.0
    points: Count = 1
    repeats: Count = 1
    seed: Seed = 0


class Repeats(Settings):
    """How many searches are made, each with another seed; ``block`` of them are one unit of work."""

    searches: Count = 1
    block: Count = 1


class Study(Experiment):
    """An experiment that searches each competitor's settings on a landscape, from ``start`` (n,)."""

    start: Point
    search: Search
    repeats: Repeats = Repeats()
    competitors: Competitors
    compiled: bool
