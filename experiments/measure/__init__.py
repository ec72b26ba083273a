"""Beyond the paper: the volume law in the dynamics, and the time to pass a barrier."""
