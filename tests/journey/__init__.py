"""The whole story in an empty instance, through the public doors only: ``python -m tests.journey``."""
