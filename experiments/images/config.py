"""Settings of the trainings of section 4.5: which images, how settings are chosen, how long."""

from dataclasses import dataclass

from experiments.competitors import Contender
from experiments.harness.settings import Base, at_least, one_of
from experiments.images.training import Engine

CRITERIA = {"test_accuracy": -1.0, "held_accuracy": -1.0, "train_loss": 1.0}  # times this: what is minimised


@dataclass
class Protocol:
    """How settings are chosen.

    Attributes:
        criterion: What the best trial is best at: ``test_accuracy``, ``held_accuracy`` or ``train_loss``.
        held_out: Training images, the last ones, that the trials do not train on and are judged by.
        runs: Evolutions with the settings chosen.
        label: How the report names it.
    """

    criterion: str
    held_out: int
    runs: int
    label: str

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for an unknown criterion, or one without images to measure it on."""
        one_of(f"{name}.criterion", self.criterion, tuple(CRITERIA))
        at_least(f"{name}.held_out", self.held_out, 1 if self.criterion == "held_accuracy" else 0)
        at_least(f"{name}.runs", self.runs, 1)


@dataclass
class Recipe:
    """What is trained on: how many images, in which batches, with which augmentation.

    Attributes:
        train: Training images used, the first ones.
        test: Test images used, the first ones.
        batch: Images a step.
        crop_padding: Zeros around an image of which a random crop is taken; 0 for none.
        flip: Mirror half of the images.
        normalise: Shift and scale the pixels, from [0, 1], by the mean and spread in ``image_files.py``:
            those of MNIST, and for CIFAR-10 the released code's.
    """

    train: int
    test: int
    batch: int
    crop_padding: int = 0
    flip: bool = False
    normalise: bool = True

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for fewer than one image or negative padding."""
        for key in ("train", "test", "batch"):
            at_least(f"{name}.{key}", getattr(self, key), 1)
        at_least(f"{name}.crop_padding", self.crop_padding, 0)


@dataclass(kw_only=True)
class ClassificationConfig(Base):
    """What the experiments on MNIST and CIFAR-10 have in common.

    Attributes:
        recipe: The images and batches.
        engine: How the arithmetic is done.
        contenders: Who competes, by name; ``sgd`` is the one that the others are compared with.
        protocols: How settings are chosen, by name.
        epochs: Length of an evolution.
        checked_steps: Steps over which energy and speed limit are checked.
    """

    recipe: Recipe
    engine: Engine
    contenders: dict[str, Contender]
    protocols: dict[str, Protocol]
    epochs: int
    checked_steps: int

    def validate(self) -> None:
        """An epoch and a step or more."""
        super().validate()
        at_least("epochs", self.epochs, 1)
        at_least("checked_steps", self.checked_steps, 1)

    @property
    def evolved_epochs(self) -> int:
        """Epochs of all evolutions together, if no two protocols choose the same settings."""
        return sum(by.runs for by in self.protocols.values()) * len(self.contenders) * self.epochs
