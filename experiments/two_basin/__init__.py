"""Section 4.3: two basins."""
