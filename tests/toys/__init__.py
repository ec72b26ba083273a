"""Small experiments for tests of the harness: units that take as long as they are told to."""
