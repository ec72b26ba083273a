"""Settings of section 4.5 for CIFAR-10."""

from experiments.harness.settings import Count, Settings
from experiments.images.config import ClassificationConfig


class Search(Settings):
    """The budget of a search: ``trials`` of ``epochs`` epochs each, ``batch`` of them suggested at a time."""

    trials: Count
    epochs: Count
    batch: Count


class Config(ClassificationConfig):
    """Settings of section 4.5 for CIFAR-10; ``released`` competitors have those of the released code."""

    search: Search
    released: list[str]
