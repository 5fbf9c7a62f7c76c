"""Errors that are more to programs written for transformers than their likes in the core are."""

from llavacli_core.errors import BadOption, MissingInput


class WrongType(BadOption, TypeError):
    """A value of a kind that is not taken: transformers raises TypeError for one of them and ValueError for another."""


class NoSuchPicture(MissingInput, ValueError):
    """A path where there is nothing."""
