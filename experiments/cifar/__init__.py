"""Section 4.5: CIFAR-10."""
