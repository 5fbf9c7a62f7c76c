"""generation_config.json as an object: what is asked of `generate` unless the call says otherwise."""

from __future__ import annotations

import json
from os import PathLike
from typing import Any, Self

from llavacli_core.documented.configs.base import PreTrainedConfig
from llavacli_core.documented.folders import folder_for, folder_of, hub_options, write_json
from llavacli_core.errors import BadOption
from llavacli_core.prompt.files import read_json

# None means unset: the model's own generation_config.json decides, and after it `generate`.
LENGTH = "max_length max_new_tokens min_length min_new_tokens early_stopping max_time stop_strings"
STRATEGY = "do_sample num_beams use_cache cache_implementation"
LOGITS = """temperature top_k top_p min_p typical_p epsilon_cutoff eta_cutoff repetition_penalty length_penalty
    no_repeat_ngram_size bad_words_ids renormalize_logits forced_bos_token_id forced_eos_token_id
    remove_invalid_values suppress_tokens begin_suppress_tokens"""
OUTPUT = """num_return_sequences output_attentions output_hidden_states output_scores output_logits
    return_dict_in_generate"""
TOKENS = "pad_token_id bos_token_id eos_token_id decoder_start_token_id"
FIELDS = tuple(" ".join((LENGTH, STRATEGY, LOGITS, OUTPUT, TOKENS)).split())


class GenerationConfig:
    """How answers are generated. Every documented parameter is an attribute, None where it is left to defaults."""

    def __init__(self, **kwargs: Any) -> None:
        for name in FIELDS:
            setattr(self, name, kwargs.pop(name, None))
        self.transformers_version = kwargs.pop("transformers_version", None)
        for name in kwargs.keys() - {"_from_model_config", "_commit_hash"}:
            setattr(self, name, kwargs[name])

    def __getattr__(self, name: str) -> Any:  # for type checkers: the fields are set by name
        raise AttributeError(f"GenerationConfig has no attribute {name!r}")

    def to_dict(self) -> dict[str, Any]:
        """All parameters, those left to defaults as None."""
        return dict(self.__dict__)

    def to_diff_dict(self) -> dict[str, Any]:
        """The parameters that are set."""
        return {name: value for name, value in self.__dict__.items() if value is not None}

    def to_json_string(self, use_diff: bool = True, **_: Any) -> str:
        """generation_config.json's text; the whole of it without `use_diff`."""
        return json.dumps(self.to_diff_dict() if use_diff else self.to_dict(), indent=2, sort_keys=True) + "\n"

    def save_pretrained(
        self, save_directory: str | PathLike[str], config_file_name: str = "generation_config.json", **_: Any
    ) -> None:
        """Write generation_config.json into a folder."""
        write_json(folder_for(save_directory) / config_file_name, self.to_diff_dict())

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name: str | PathLike[str], config_file_name: str | None = None, **kwargs: Any
    ) -> Self:
        """The generation config of a folder, a Hub id or an alias; keywords replace its values."""
        folder = folder_of(pretrained_model_name, **hub_options(kwargs))
        values = read_json(folder / (config_file_name or "generation_config.json"))
        if not values:
            raise BadOption(f"{folder}: no generation_config.json", hint="GenerationConfig.from_model_config(config)")
        return cls(**{**values, **kwargs})

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Self:
        """From what a generation_config.json holds; keywords replace its values."""
        return cls(**{**config_dict, **kwargs})

    @classmethod
    def from_model_config(cls, model_config: PreTrainedConfig | dict[str, Any]) -> Self:
        """What a config says of generation, its decoder's where the config itself is silent."""
        config = model_config if isinstance(model_config, dict) else model_config.to_dict()
        inner = next((config[name] for name in ("decoder", "generator", "text_config") if config.get(name)), config)
        values = {name: config.get(name) if config.get(name) is not None else inner.get(name) for name in FIELDS}
        return cls(**values)

    def update(self, **kwargs: Any) -> dict[str, Any]:
        """Set the parameters among the keywords, give the rest back."""
        for name in kwargs.keys() & self.__dict__.keys():
            setattr(self, name, kwargs[name])
        return {name: value for name, value in kwargs.items() if name not in self.__dict__}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GenerationConfig) and self.to_diff_dict() == other.to_diff_dict()

    __hash__ = None  # type: ignore[assignment]  # it may change

    def __repr__(self) -> str:
        return f"GenerationConfig {self.to_json_string()}"
