"""One module a data set; to add one, add a module with ``DATASET`` and name it in an experiment's YAML."""
