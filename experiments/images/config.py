"""Settings of the trainings of section 4.5: which images, how settings are chosen, how long."""

from typing import Any, Literal, Self

from pydantic import model_validator

from experiments.competitors import Competitors
from experiments.harness.settings import Count, Experiment, Seed, Settings, Whole
from experiments.images.training import Engine

PAPER = "paper"
"""The protocol that Table 2 is about."""
Criterion = Literal["test_accuracy", "validation_accuracy", "train_loss"]


class Trial(Settings):
    """How settings are tried: for how many epochs, and as in :class:`Protocol`.

    ``seed`` is that of the initial network, the batches and the optimizer.
    """

    epochs: Count
    criterion: Criterion
    validation_images: Whole
    seed: Seed


class Protocol(Settings):
    """How settings are chosen.

    Attributes:
        label: How the report names it.
        criterion: What the best trial is best at.
        validation_images: Training images, the last ones, that the trials do not train on.
        runs: Training runs with the settings chosen.
        stream: A label from which the random numbers of its searches follow.
    """

    label: str
    criterion: Criterion
    validation_images: Whole
    runs: Count
    stream: str = ""

    @model_validator(mode="after")
    def _can_be_measured(self) -> Self:
        if self.criterion == "validation_accuracy" and not self.validation_images:
            raise ValueError("validation_images=0: must be 1 or more for criterion=validation_accuracy")
        return self

    def trial(self, epochs: int, seed: int) -> Trial:
        """How this protocol tries settings."""
        return Trial(
            epochs=epochs, criterion=self.criterion, validation_images=self.validation_images, seed=seed
        )


class Recipe(Settings):
    """What is trained on: how many images, in which batches, with which augmentation.

    Attributes:
        train: Training images used, the first ones.
        test: Test images used, the first ones.
        batch: Images a step.
        crop_padding: Zeros around an image of which a random crop is taken; 0 for none.
        flip: Mirror half of the images.
        normalise: Shift and scale the pixels, from [0, 1], by the data set's mean and spread: those of MNIST,
            and for CIFAR-10 the released code's.
    """

    train: Count
    test: Count
    batch: Count
    crop_padding: Whole
    flip: bool
    normalise: bool


class Task(Settings):
    """A network to train and the images to train it on, as units of work need them.

    Attributes:
        dataset: Name of the data set.
        checksum: Of its images.
        recipe: The images and batches.
        network: ``_target_`` and arguments of a function that makes the untrained network; its random
            numbers come from torch's global generator.
        engine: How the arithmetic is done.
    """

    dataset: str
    checksum: str
    recipe: Recipe
    network: dict[str, Any]
    engine: Engine


class ClassificationConfig(Experiment):
    """What the experiments on MNIST and CIFAR-10 have in common.

    Attributes:
        dataset: As in :class:`Task`; so are ``recipe``, ``network`` and ``engine``.
        competitors: The optimizers, by name.
        protocols: How settings are chosen, by name.
        epochs: Length of a training run.
        checked_steps: Steps over which energy and speed limit are checked.
    """

    dataset: str
    recipe: Recipe
    network: dict[str, Any]
    engine: Engine
    competitors: Competitors
    protocols: dict[str, Protocol]
    epochs: Count
    checked_steps: Count

    def searched(self, name: str) -> list[str]:
        """The settings of a competitor that its trials differ by; without any it keeps its own settings."""
        return list(self.competitors[name].space)
