"""Settings of the trainings of section 4.5: which images, how settings are chosen, how long."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from experiments.competitors import Competitors
from experiments.harness.devices import torch_device
from experiments.harness.settings import Count, Device, Experiment, Seed, Settings, Whole

if TYPE_CHECKING:
    import torch

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
    """How settings are chosen: by the trial that is best at ``criterion``; ``runs`` are made with them.

    The trials do not train on the last ``validation_images`` of the training set. The random numbers of
    searches follow from ``stream``. ``label`` is for the report.
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
    """The first images used to ``train`` and to ``test``, ``batch`` of them a step, and their augmentation.

    Of an image with ``crop_padding`` zeros around it a random crop is taken, and half of them are mirrored
    (``flip``). ``normalise`` shifts and scales the pixels, from [0, 1], by the data set's mean and spread:
    those of MNIST, and for CIFAR-10 the released code's.
    """

    train: Count
    test: Count
    batch: Count
    crop_padding: Annotated[int, Field(ge=0, le=64)]
    flip: bool
    normalise: bool


class Engine(Settings):
    """How the arithmetic is done.

    With ``bf16`` forward and backward pass are under bfloat16 autocast, with 8 significant bits, where the
    paper has float32; parameters, their updates and the loss stay float32. ``channels_last`` is the memory
    layout of images and convolutions.
    """

    device: Device
    bf16: bool
    channels_last: bool
    compile: bool

    @property
    def where(self) -> "torch.device":
        """The device itself."""
        return torch_device(self.device)


class Task(Settings):
    """A network to train and the images to train it on, as units of work need them.

    ``network`` has the ``_target_`` and arguments of a function that makes the untrained network; its random
    numbers come from torch's global generator.
    """

    dataset: str
    checksum: str
    recipe: Recipe
    network: dict[str, Any]
    engine: Engine


class ClassificationConfig(Experiment):
    """What the experiments on MNIST and CIFAR-10 have in common."""

    dataset: str
    recipe: Recipe
    network: dict[str, Any]
    engine: Engine
    competitors: Competitors
    protocols: dict[str, Protocol]
    epochs: Count
    checked_steps: Count

    @model_validator(mode="after")
    def _protocols_differ(self) -> Self:
        if not self.protocols:
            raise ValueError("protocols: must have one or more, which choose the settings")
        if len({protocol.label for protocol in self.protocols.values()}) < len(self.protocols):
            raise ValueError("protocols: two have the same label, by which the tables tell them apart")
        return self

    def searched(self, name: str) -> list[str]:
        """The settings of a competitor that its trials differ by; without any it keeps its own settings."""
        return list(self.competitors[name].space)
