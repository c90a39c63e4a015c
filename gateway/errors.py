"""Errors named for what to do next (device errors: `drivers/errors.py`)."""


class ConfigError(Exception):
    """The configuration cannot be used; each problem says where, what is wrong and what would be right."""


class Unavailable(Exception):
    """The far side cannot take it now: wait, and try again from the cursor."""


class Refused(Exception):
    """The far side will never take this row, or a command may not be carried out; the text says why."""

    code: str | None = None  # of its sentence, where a gateway said it over its socket
