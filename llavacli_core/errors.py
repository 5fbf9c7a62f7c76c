"""Everything that can go wrong, as a tree; each message says what happened, each hint what to do.

CoreError                                       code in records
├── InputError
│   ├── MissingInput                            input_missing
│   ├── UnreadableInput                         input_unreadable
│   ├── InputTooLarge                           input_too_large
│   ├── UrlError                                url
│   └── UnsuitableOption                        option
├── CheckpointError
│   ├── ModelMissing                            model_missing
│   │   └── Unreachable
│   ├── UnsupportedModel                        model_unsupported
│   ├── CannotWrite                             cannot_write
│   │   └── DiskFull
│   └── BrokenModel                             model_broken
│       └── UnknownWeight · MissingWeight · MisshapenWeight
├── PromptError
│   ├── TemplateError                           template
│   └── TooLong                                 too_long
├── OutOfMemory                                 out_of_memory
└── BadOption                                   option

PromptError, UnsupportedModel and BadOption are ValueErrors besides, and ModelMissing is an OSError: so programs written
for transformers, which raises these, catch them.
"""


class CoreError(Exception):
    """The root: `str(error)` is the message, `hint` the next step (or None), `code` its name in records."""

    code = "internal"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class InputError(CoreError):
    """A picture or video could not be taken in."""

    code = "input_unreadable"


class MissingInput(InputError):
    """No such file."""

    code = "input_missing"


class UnreadableInput(InputError):
    """It is there, but it is empty, truncated, or no picture."""


class InputTooLarge(InputError):
    """More bytes or pixels than the limits allow."""

    code = "input_too_large"


class UrlError(InputError):
    """A URL that may not be, or could not be, fetched."""

    code = "url"


class UnsuitableOption(InputError):
    """An option that is well in itself, and of no use on this picture or video; another may take it."""

    code = "option"


class CheckpointError(CoreError):
    """A model could not be had or is not as it should be."""

    code = "model_broken"


class ModelMissing(CheckpointError, OSError):
    """Neither a checkpoint folder nor in the cache nor on the Hub."""

    code = "model_missing"


class Unreachable(ModelMissing):
    """The Hub could not be asked: no network, a server in trouble, or an offline run."""


class UnsupportedModel(CheckpointError, ValueError):
    """A checkpoint of a family, decoder or tower that is not known here."""

    code = "model_unsupported"


class CannotWrite(CheckpointError):
    """What is fetched cannot be put where it shall be."""

    code = "cannot_write"


class DiskFull(CannotWrite):
    """The disk has no room for it."""


class BrokenModel(CheckpointError):
    """Files of the checkpoint are absent, damaged or contradict each other."""


class UnknownWeight(BrokenModel):
    """A tensor that no row of the names table covers."""


class MissingWeight(BrokenModel):
    """A tensor that the config asks for and no file holds."""


class MisshapenWeight(BrokenModel):
    """A tensor whose shape is not the one the config gives it."""


class PromptError(CoreError, ValueError):
    """The messages could not be written as a prompt."""

    code = "template"


class TemplateError(PromptError):
    """No template, or one that fails on these messages."""


class TooLong(PromptError):
    """The prompt does not fit the model's positions."""

    code = "too_long"


class OutOfMemory(CoreError):
    """The device's memory does not suffice."""

    code = "out_of_memory"


class BadOption(CoreError, ValueError):
    """A parameter out of its range; `option` is its name, where it has a flag of that name."""

    code = "option"

    def __init__(self, message: str, *, hint: str | None = None, option: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.option = option
