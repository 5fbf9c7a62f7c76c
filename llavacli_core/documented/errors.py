"""The error of this room alone."""

from llavacli_core.errors import BadOption


class WrongType(BadOption, TypeError):
    """A value of a kind that is not taken: transformers raises TypeError for one of them and ValueError for another."""
