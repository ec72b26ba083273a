"""Section 4.5: MNIST."""
