"""How an experiment is configured, tuned, stored, resumed, drawn and judged."""
