"""The paper's experiments: settings, tables, figures and verdicts; the physics is in :mod:`bbi`."""
