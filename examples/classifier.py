"""
A classifier, with minibatches
==============================

Handwritten digits: python examples/classifier.py (needs scikit-learn).

E and V in the print-out are losses: E that of the first batch, V that of the last one. BBI is fast where V is
near E, and slow where V is near 0.
"""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from bbi import BBI


def main(epochs: int = 12) -> float:
    """Train a network on 1,347 images and return its accuracy on 450 others."""
    torch.manual_seed(0)
    split = train_test_split(*load_digits(return_X_y=True), test_size=450, random_state=0)
    images, held_out = (torch.from_numpy(array).float() / 16 for array in split[:2])
    labels, truth = (torch.from_numpy(array) for array in split[2:])
    network = torch.nn.Sequential(
        torch.nn.Linear(64, 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, 10),
    )
    optimizer = BBI(network.parameters(), lr=0.3, t0=100, n_bounces=3)
    for epoch in range(epochs):
        for x, y in DataLoader(TensorDataset(images, labels), batch_size=64, shuffle=True):
            optimizer.zero_grad()
            loss = cross_entropy(network(x), y)
            loss.backward()
            optimizer.step(loss=loss)
        with torch.no_grad():
            accuracy = (network(held_out).argmax(1) == truth).double().mean().item()
        state = f"V = {optimizer.potential:.4f} of E = {optimizer.energy:.4f}"
        print(f"epoch {epoch + 1:2d}: accuracy {accuracy:.3f}, {state}")
    return accuracy


if __name__ == "__main__":
    main()
