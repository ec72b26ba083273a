"""The Trainer of Hugging Face's transformers, which calls a bare ``step()``."""

from typing import Any


class PassLoss:
    """Passes the loss to the step: ``class MyTrainer(PassLoss, Trainer): pass``.

    ``Trainer.training_step`` returns the loss that it called ``backward`` with: a micro-batch's part of the
    mean over all that are accumulated. The parts are summed in ``optimizer.loss``.
    """

    optimizer: Any
    accelerator: Any
    _complete = True

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Add the loss of a micro-batch; the first one after a step, made or skipped, begins a new sum."""
        loss = super().training_step(*args, **kwargs)  # type: ignore[misc]
        # Accelerate's wrapper has a loss of its own.
        optimizer = getattr(self.optimizer, "optimizer", self.optimizer)
        optimizer.loss = loss if self._complete else optimizer.loss + loss
        self._complete = self.accelerator.sync_gradients
        return loss
