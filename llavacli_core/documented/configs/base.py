"""What all documented config classes share: a signature made of annotated defaults, aliases, dictionaries and files."""

from __future__ import annotations

import inspect
import json
from copy import deepcopy
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, dataclass_transform

from llavacli_core.documented.folders import folder_for, folder_of, hub_options, write_json
from llavacli_core.errors import BadOption
from llavacli_core.prompt.files import read_json

if TYPE_CHECKING:
    import torch

# Asked of `generate`, not of the network: transformers 5 drops them from a config.json that still has them.
GENERATION_KEYS = {
    "max_length", "min_length", "do_sample", "early_stopping", "num_beams", "temperature", "top_k", "top_p",
    "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size",
    "bad_words_ids", "num_return_sequences", "output_scores", "return_dict_in_generate", "forced_bos_token_id",
    "forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens",
    "begin_suppress_tokens", "epsilon_cutoff", "eta_cutoff", "encoder_repetition_penalty", "num_beam_groups",
    "diversity_penalty",
}  # fmt: skip


@dataclass_transform()
class PreTrainedConfig:
    """A checkpoint's config.json as an object. Attributes may be set at will; unknown keywords become attributes.

    Its fields are the class attributes that subclasses annotate, in order; their values are the defaults. Those of
    this class are keywords of every config.
    """

    model_type: ClassVar[str] = ""
    attribute_map: ClassVar[dict[str, str]] = {}  # the standard name -> the model's own
    fields: ClassVar[dict[str, Any]] = {}

    architectures: list[str] | None = None
    output_hidden_states: bool = False
    output_attentions: bool = False
    return_dict: bool = True
    chunk_size_feed_forward: int = 0
    is_encoder_decoder: bool = False
    id2label: dict[int, str] | None = None
    label2id: dict[str, int] | None = None
    problem_type: str | None = None

    def __init_subclass__(cls) -> None:
        own, shared = _annotated(cls), PreTrainedConfig.fields
        inherited = {name: default for name, default in cls.fields.items() if name not in own}
        apart = {name: default for name, default in inherited.items() if name not in shared}
        cls.fields = own | apart | inherited
        optional, keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
        parameters = [
            inspect.Parameter(name, keyword if name in shared else optional, default=default)
            for name, default in sorted(cls.fields.items(), key=lambda item: item[0] in shared)
        ]
        rest = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)
        cls.__signature__ = inspect.Signature([*parameters, rest])  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        aliased = {self.attribute_map[name]: kwargs.pop(name) for name in self.attribute_map.keys() & kwargs.keys()}
        given = inspect.signature(type(self)).bind(*args, **(kwargs | aliased))
        rest = given.arguments.pop("kwargs", {})
        for name, default in self.fields.items():
            setattr(self, name, given.arguments[name] if name in given.arguments else deepcopy(default))
        self._dtype: str | None = _name_of(rest.pop("torch_dtype", None))
        self._name_or_path = str(rest.pop("name_or_path", rest.pop("_name_or_path", "")))
        self.transformers_version = rest.pop("transformers_version", None)
        self._label(rest.pop("num_labels", None))
        self.settle(rest)
        for name in rest.keys() - GENERATION_KEYS - {"model_type", "_commit_hash"}:
            setattr(self, name, rest[name])

    def settle(self, rest: dict[str, Any]) -> None:
        """Fill in the fields whose defaults depend on others; `rest` are the keywords that are no fields."""

    def _label(self, count: int | None) -> None:
        """`num_labels` labels called LABEL_0 and so on, unless the file names them."""
        if self.id2label is None:
            self.id2label = {place: f"LABEL_{place}" for place in range(2 if count is None else count)}
            self.label2id = {label: place for place, label in self.id2label.items()}
        self.id2label = {int(place): label for place, label in self.id2label.items()}

    @property
    def num_labels(self) -> int:
        """How many labels `id2label` has."""
        return len(self.id2label or {})

    @num_labels.setter
    def num_labels(self, count: int) -> None:
        self.id2label = None
        self._label(count)

    @property
    def dtype(self) -> torch.dtype | None:
        """The number format of the weights; set by name or as torch has it."""
        import torch

        found = None if self._dtype is None else getattr(torch, self._dtype)
        assert found is None or isinstance(found, torch.dtype)
        return found

    @dtype.setter
    def dtype(self, value: torch.dtype | str | None) -> None:
        self._dtype = _name_of(value)

    torch_dtype = dtype

    @property
    def name_or_path(self) -> str:
        """What `from_pretrained` was asked for."""
        return self._name_or_path

    @property
    def use_return_dict(self) -> bool:
        """Whether models give outputs with names."""
        return self.return_dict

    def __getattr__(self, name: str) -> Any:
        target = type(self).attribute_map.get(name)
        if target is None:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self, target)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(self.attribute_map.get(name, name), value)

    def get_text_config(self, *, decoder: bool | None = None, encoder: bool | None = None) -> PreTrainedConfig:
        """The config of the language model: `text_config` or `decoder` where there is one, else this one itself."""
        inner = self.__dict__.get("text_config") or self.__dict__.get("decoder")
        return inner if isinstance(inner, PreTrainedConfig) else self

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON has it: sections as dictionaries, tuples as lists."""
        values = {name: _plain(value) for name, value in self.__dict__.items() if name != "_dtype"}
        return {**values, "dtype": self._dtype, "model_type": self.model_type}

    def to_diff_dict(self) -> dict[str, Any]:
        """What config.json holds: everything but the shared fields that nobody changed."""
        return _without_defaults(self.to_dict(), PreTrainedConfig().to_dict())

    def to_json_string(self, use_diff: bool = True) -> str:
        """config.json's text; the whole of it without `use_diff`."""
        values = self.to_diff_dict() if use_diff else self.to_dict()
        return json.dumps(values, indent=2, sort_keys=True) + "\n"

    def to_json_file(self, json_file_path: str | PathLike[str], use_diff: bool = True) -> None:
        """`to_json_string` in a file."""
        Path(json_file_path).write_text(self.to_json_string(use_diff), encoding="utf-8")

    def save_pretrained(self, save_directory: str | PathLike[str], **_: Any) -> None:
        """Write config.json into a folder."""
        write_json(folder_for(save_directory) / "config.json", self.to_diff_dict())

    def update(self, config_dict: dict[str, Any]) -> None:
        """Set several attributes."""
        for name, value in config_dict.items():
            setattr(self, name, value)

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """A config from what a config.json holds; keywords replace its values.

        With `return_unused_kwargs`, also the keywords that no value had the name of.
        """
        wants_unused = kwargs.pop("return_unused_kwargs", False)
        config = cls(**config_dict)
        used = {name for name in kwargs if name in ("dtype", "torch_dtype") or hasattr(config, name)}
        config.update({name: kwargs[name] for name in used})
        unused = {name: value for name, value in kwargs.items() if name not in used}
        return (config, unused) if wants_unused else config

    @classmethod
    def from_json_file(cls, json_file: str | PathLike[str]) -> Self:
        """A config from a JSON file."""
        return cls(**read_json(Path(json_file)))

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | PathLike[str], **kwargs: Any) -> Any:
        """The config of a folder, a Hub id or an alias; keywords as of `from_dict`."""
        folder = folder_of(pretrained_model_name_or_path, **hub_options(kwargs))
        values = read_json(folder / "config.json")
        if not values:
            raise BadOption(f"{folder}: no config.json, or an empty one", hint="give a checkpoint's folder or Hub id")
        return cls.from_dict({**values, "name_or_path": str(pretrained_model_name_or_path)}, **kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PreTrainedConfig) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # it may change

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string()}"


def _annotated(cls: type) -> dict[str, Any]:
    """The defaults of the fields that a class itself annotates."""
    annotations = inspect.get_annotations(cls)
    return {name: vars(cls)[name] for name in annotations if name in vars(cls) and "ClassVar" not in annotations[name]}


def _name_of(dtype: torch.dtype | str | None) -> str | None:
    """`torch.float16` and "torch.float16" as "float16"."""
    return None if dtype is None else str(dtype).removeprefix("torch.")


def _plain(value: Any) -> Any:
    """A value as JSON has it, and apart from the one given."""
    if isinstance(value, PreTrainedConfig):
        inner = value.to_dict()
        del inner["transformers_version"]
        return inner
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _without_defaults(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """`values`, in all their sections, without those that equal `defaults`; a section keeps its model_type."""
    kept = {
        name: _without_defaults(value, defaults) if isinstance(value, dict) and "model_type" in value else value
        for name, value in values.items()
        if name not in defaults or value != defaults[name]
    }
    kept.pop("_name_or_path", None)
    return kept


PreTrainedConfig.fields = _annotated(PreTrainedConfig)
