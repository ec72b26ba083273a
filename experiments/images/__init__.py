"""Data sets, networks and trainings on labelled images."""
