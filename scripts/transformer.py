"""Train a tiny transformer with several optimizers, each at the best lr of a grid, and write a table.

    python scripts/transformer.py --results results

The text is what `help()` knows about Python's language (`pydoc_data.topics`), which every Python has. lr is
chosen by the validation loss of seed 0, in steps of √10, from a grid that grows until its best lr is inside;
the table holds the validation losses of three other seeds. It takes some minutes.
"""

import functools
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from pydoc_data.topics import topics

import measured
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bbi import BBI, ECDq1, ECDSep

CONTEXT, BATCH, STEPS, SEEDS = 32, 16, 250, (1, 2, 3)
Make = Callable[[Iterator[nn.Parameter], float], torch.optim.Optimizer]
OPTIMIZERS: dict[str, tuple[float, Make]] = {
    "AdamW": (0.01, lambda params, lr: torch.optim.AdamW(params, lr)),
    "SGD, momentum 0.9": (0.1, lambda params, lr: torch.optim.SGD(params, lr, momentum=0.9)),
    "BBI": (0.3, lambda params, lr: BBI(params, lr)),
    "BBI, delta_e=1": (0.3, lambda params, lr: BBI(params, lr, delta_e=1.0)),
    "ECDSep": (1.0, lambda params, lr: ECDSep(params, lr)),
    "ECDq1": (0.1, lambda params, lr: ECDq1(params, lr)),
}
"""Where the grid of lr begins, and the optimizer."""


class Transformer(nn.Module):
    """Two blocks of width 32 with two heads, before a layer to the next character; no dropout."""

    def __init__(self, characters: int, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Embedding(characters, width)
        self.place = nn.Parameter(0.02 * torch.randn(CONTEXT, width))
        block = nn.TransformerEncoderLayer(width, 2, 4 * width, 0.0, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, 2, nn.LayerNorm(width), enable_nested_tensor=False)
        self.out = nn.Linear(width, characters)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(CONTEXT))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, T, characters) for the next character after each of ``x`` (B, T)."""
        y: Tensor = self.blocks(self.embed(x) + self.place, mask=self.mask, is_causal=True)
        return self.out(y)


@functools.cache
def texts() -> tuple[Tensor, Tensor, int]:
    """The first nine tenths of the text for training, the rest, and the number of characters."""
    text = "\n".join(topics[name] for name in sorted(topics))
    letters = {letter: i for i, letter in enumerate(sorted(set(text)))}
    codes = torch.tensor([letters[letter] for letter in text])
    cut = len(codes) * 9 // 10
    return codes[:cut], codes[cut:], len(letters)


def validation_loss(name: str, lr: float, seed: int, steps: int = STEPS) -> float:
    """Cross entropy of a character (nats) in 200 passages after a training; inf if it diverged."""
    train, held_out, characters = texts()
    torch.manual_seed(seed)
    model = Transformer(characters)
    optimizer = OPTIMIZERS[name][1](model.parameters(), lr)

    def loss(data: Tensor, rows: Tensor) -> Tensor:
        parts = data[rows[:, None] + torch.arange(CONTEXT + 1)]
        return cross_entropy(model(parts[:, :-1]).flatten(0, 1), parts[:, 1:].flatten())

    for _ in range(steps):
        value = loss(train, torch.randint(len(train) - CONTEXT, (BATCH,)))
        optimizer.zero_grad()
        value.backward()
        optimizer.step(lambda value=value: value)
    with torch.no_grad():
        rows = torch.linspace(0, len(held_out) - CONTEXT - 1, 200).long()
        final = loss(held_out, rows).item()
    return final if math.isfinite(final) else math.inf


def tuned(name: str) -> tuple[float, dict[float, float]]:
    """The best lr of a grid that grows until its best lr is inside, and the losses on the grid."""
    start = OPTIMIZERS[name][0]
    losses: dict[float, float] = {}

    def at(k: int) -> float:
        lr = float(f"{start * 10 ** (k / 2):.2g}")
        losses.setdefault(lr, validation_loss(name, lr, 0))
        return losses[lr]

    k = min((-1, 0, 1), key=at)
    while (better := min((k - 1, k, k + 1), key=at)) != k:
        k = better
    return min(losses, key=lambda lr: losses[lr]), dict(sorted(losses.items()))


def measure(results: Path) -> measured.Rows:
    """The rows of all optimizers."""
    torch.set_num_threads(1)
    rows = []
    for name in OPTIMIZERS:
        lr, grid = tuned(name)
        final = [validation_loss(name, lr, seed) for seed in SEEDS]
        rows.append({
            "optimizer": name,
            "lr": lr,
            "validation_loss": round(sum(final) / len(final), 3),
            "lowest": round(min(final), 3),
            "highest": round(max(final), 3),
            "grid": " ".join(f"{lr:g}:{loss:.3f}" for lr, loss in grid.items()),
        })  # fmt: skip
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(measured.run("transformer", __doc__, measure))
