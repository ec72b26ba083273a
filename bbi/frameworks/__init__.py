"""What training frameworks need that call a bare ``step()``, or give it the loss of a part of the batch.

Each module belongs to one framework; ``import bbi`` imports none of them. Most frameworks need a line or
none: see docs/frameworks.md.
"""
