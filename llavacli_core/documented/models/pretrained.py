"""What all documented models share: made from a config or from a checkpoint, saved, moved, asked about themselves."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from llavacli_core.checkpoint.load import load_weights, make_network
from llavacli_core.checkpoint.quantize import quantization
from llavacli_core.checkpoint.stored import open_weights, stored_tensors
from llavacli_core.documented.configs.base import PreTrainedConfig
from llavacli_core.documented.configs.generation import GenerationConfig
from llavacli_core.documented.configs.quantization import BitsAndBytesConfig
from llavacli_core.documented.errors import WrongType
from llavacli_core.documented.folders import folder_for, hub_options
from llavacli_core.documented.models.embeddings import WordEmbeddings
from llavacli_core.documented.models.naming import IncompatibleKeys, named, published, take_in
from llavacli_core.documented.models.saving import save_weights, size_in_bytes
from llavacli_core.errors import BadOption
from llavacli_core.families.names import Table, rename
from llavacli_core.families.registry import family_of
from llavacli_core.hub.locate import locate
from llavacli_core.options import Placement
from llavacli_core.prompt.files import read_json
from llavacli_core.schemes import Scheme

ATTENTION = {None: "auto", "sdpa": "sdpa", "eager": "eager", "flash_attention_2": "flash"}
# What says how to load, not what; here every way of loading is the frugal one.
LOADING = (
    "low_cpu_mem_usage",
    "use_safetensors",
    "max_memory",
    "offload_folder",
    "weights_only",
)
DROPOUT = ("dropout", "_pdrop", "_dropout_prob", "drop_path_rate")  # how names of its probabilities end
# Of the tensors that are known and not built, those that are weights and no buffers.
BESIDE = ("post_layernorm.", "pooler.", ".head.", "mask_token", "seq_relationship")


class PreTrainedModel(WordEmbeddings, nn.Module):
    """A network with its config. `network` is the module of `nn` that computes."""

    config_class: ClassVar[type[PreTrainedConfig]]
    base_model_prefix: ClassVar[str] = "model"
    main_input_name: ClassVar[str] = "input_ids"
    words: ClassVar[bool] = True  # whether a checkpoint of it must bring a tokenizer
    is_gradient_checkpointing: ClassVar[bool] = False

    config: Any
    network: Any
    generation_config: GenerationConfig
    names: Table  # of the weights, in the Hub's files

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__()
        if not isinstance(config, self.config_class):
            raise TypeError(f"{type(self).__name__} takes a {self.config_class.__name__}, not {type(config).__name__}")
        self.adopt(config, self.made(config), GenerationConfig.from_model_config(config))

    def adopt(self, config: PreTrainedConfig, network: nn.Module, generation_config: GenerationConfig) -> None:
        """Become the model of this config and this network."""
        self.config, self.network, self.generation_config = config, network, generation_config
        self.names = self.table(config)
        self.unused: dict[str, Tensor] = {}  # what the checkpoint holds beside the network, to be saved with it

    @classmethod
    def table(cls, config: PreTrainedConfig) -> Table:
        """The names of the weights, in the Hub's files."""
        return family_of(config.to_dict()).names(config.to_dict())

    @classmethod
    def blank(cls, config: PreTrainedConfig) -> nn.Module:
        """The network, uninitialised."""
        return make_network(family_of(config.to_dict()).read(config.to_dict()), "sdpa", whole=True)

    @classmethod
    def made(cls, config: PreTrainedConfig) -> nn.Module:
        """A network of random weights."""
        with torch.device("meta"):
            network = cls.blank(config)
        network.to_empty(device=torch.get_default_device()).to(torch.get_default_dtype())
        cls.initialise(network, config)
        return network

    @staticmethod
    def initialise(network: nn.Module, config: Any) -> None:
        """Random weights."""
        raise NotImplementedError

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | PathLike[str],
        *,
        config: PreTrainedConfig | None = None,
        **kwargs: Any,
    ) -> Self:
        """The model of a folder, a Hub id or an alias, in evaluation mode.

        Keywords: `dtype` (or `torch_dtype`; the stored one by default), `device_map` ("auto" or one device; the CPU by
        default), `quantization_config`, `attn_implementation`, `revision`, `local_files_only`; any other sets a value
        of the config.
        """
        where = hub_options(kwargs)
        placement, dtype = _placement(kwargs), kwargs.pop("dtype", kwargs.pop("torch_dtype", "auto"))
        name = pretrained_model_name_or_path
        located = locate(
            name,
            revision=where.get("revision"),
            offline=bool(where.get("local_files_only")),
            weights=True,
            words=cls.words,
        )
        if config is None:
            config, kwargs = cls.config_class.from_pretrained(located.folder, return_unused_kwargs=True, **kwargs)
        unknown = sorted(name for name, value in kwargs.items() if value not in (None, False))
        if unknown:
            raise WrongType(f"from_pretrained has no option {', '.join(unknown)}")
        return cls.load(located.folder, config, placement, dtype)

    @classmethod
    def load(cls, folder: Path, config: PreTrainedConfig, placement: Placement, dtype: Any) -> Self:
        """The folder's weights in a model of this config."""
        values = config.to_dict()
        family = family_of(values)
        parsed = family.read(values)
        stored = parsed.dtype if dtype in (None, "auto") else str(dtype).removeprefix("torch.")
        network = load_weights(folder, parsed, family.names(values), replace(placement, dtype=stored), whole=True)
        config.dtype = getattr(torch, stored)
        if quantization(network) != "none":  # for answers alone: whole numbers have no gradients
            return cls.around(config, network, _generation(folder)).eval()
        model = cls.around(config, network.requires_grad_(), _generation(folder)).eval()
        model.unused = _unused(folder, model.names)
        return model

    @classmethod
    def around(cls, config: PreTrainedConfig, network: nn.Module, generation_config: GenerationConfig) -> Self:
        """A model of a network that is there."""
        model = cls.__new__(cls)
        nn.Module.__init__(model)
        model.adopt(config, network, generation_config)
        model.training = network.training
        return model

    def save_pretrained(
        self,
        save_directory: str | PathLike[str],
        *,
        max_shard_size: int | str = "5GB",
        state_dict: None = None,
        **_: Any,
    ) -> None:
        """Write config.json, generation_config.json and safetensors under the Hub's names."""
        if state_dict is not None:
            raise BadOption("save_pretrained saves the model's own weights", hint="model.load_state_dict(...) first")
        if (held := quantization(self.network)) != "none":
            raise BadOption(f"a model quantized here ({held}) cannot be saved", hint="save it without quantization")
        folder = folder_for(save_directory)
        self.config.architectures = [type(self).__name__]
        self.config.dtype = self.dtype
        self.config.save_pretrained(folder)
        self.generation_config.save_pretrained(folder)
        save_weights(self.unused | published(self.network, self.names), folder, size_in_bytes(max_shard_size))

    def state_dict(self, *_: Any, **__: Any) -> dict[str, Tensor]:  # type: ignore[override]
        """The weights under their published names."""
        return {name: weight.detach() for name, weight in published(self.network, self.names).items()}

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy weights under published names into the model; which names are missing, and which are strange."""
        return take_in(self.network, self.names, state_dict, strict=strict)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """The weights that are trained, under published names: some are stacked, and named after all they hold."""
        for name, parameter in named(self.network, self.names) if recurse else ():
            yield f"{prefix}.{name}" if prefix else name, parameter

    def get_parameter(self, target: str) -> nn.Parameter:
        """One of them by its name."""
        found = dict(self.named_parameters()).get(target)
        return super().get_parameter(target) if found is None else found

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """The same without names."""
        return self.network.parameters() if recurse else iter(())

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the weights."""
        return next(self.parameters()).dtype

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        """How many numbers the weights are."""
        embedding = self.get_input_embeddings().weight if exclude_embeddings else None
        counted = (each for each in self.parameters() if each is not embedding)
        return sum(each.numel() for each in counted if each.requires_grad or not only_trainable)

    def train(self, mode: bool = True) -> Self:
        """Let it be trained, without dropout: there is none in these networks."""
        if mode and _drops(self.config.to_dict()):
            warnings.warn("the config has dropout, and there is none here: training goes on without", stacklevel=2)
        return super().train(mode)

    @classmethod
    def can_generate(cls) -> bool:
        """Whether it answers."""
        return hasattr(cls, "generate")

    def get_memory_footprint(self, return_buffers: bool = True) -> int:
        """Bytes of its weights."""
        tensors = [*self.parameters(), *(self.buffers() if return_buffers else ())]
        return sum(tensor.nbytes for tensor in tensors)

    def gradient_checkpointing_enable(self, *_: Any, **__: Any) -> None:
        """Accepted, and without effect: activations are kept for the backward pass all the same."""

    def gradient_checkpointing_disable(self) -> None:
        """As it is."""


def _drops(config: Mapping[str, Any]) -> bool:
    """Whether a config, or one of its parts, asks for dropout."""
    return any(
        _drops(value) if isinstance(value, Mapping) else str(name).endswith(DROPOUT) and bool(value)
        for name, value in config.items()
    )


def _placement(options: dict[str, Any]) -> Placement:
    """Takes out of the options what says where and how to compute."""
    for name in LOADING:
        options.pop(name, None)
    if options.pop("use_flash_attention_2", False):
        options["attn_implementation"] = "flash_attention_2"
    attention = options.pop("attn_implementation", None)
    if not isinstance(attention, str | None) or attention not in ATTENTION:
        raise BadOption(f"attn_implementation is eager, sdpa or flash_attention_2, not {attention!r}")
    return Placement(
        device=_device(options.pop("device_map", None)), quantize=_scheme(options), attention=ATTENTION[attention]
    )


def _scheme(options: dict[str, Any]) -> Scheme | None:
    """Takes out of the options how weights are to be quantized: a config, its values, or one of the two old flags."""
    given = options.pop("quantization_config", None)
    flags: dict[str, Any] = {
        name: bool(options.pop(name)) for name in ("load_in_8bit", "load_in_4bit") if name in options
    }
    if given is None:
        return BitsAndBytesConfig(**flags).scheme()
    if isinstance(given, Mapping):
        given = BitsAndBytesConfig.from_dict(given)
    if not isinstance(given, BitsAndBytesConfig):
        raise BadOption(f"quantization_config is a BitsAndBytesConfig, not a {type(given).__name__}")
    return given.scheme()


def _device(device_map: Any) -> str:
    """`device_map` as one device: "auto", a device, its number, or {"": device}."""
    if isinstance(device_map, dict) and list(device_map) == [""]:
        device_map = device_map[""]
    if device_map is None:
        return "cpu"
    if isinstance(device_map, dict) or device_map in ("balanced", "balanced_low_0", "sequential"):
        raise BadOption(f"device_map {device_map!r}: a model lies on one device here", hint='"auto", or one device')
    return f"cuda:{device_map}" if isinstance(device_map, int) else str(device_map)


def _unused(folder: Path, names: Table) -> dict[str, Tensor]:
    """Weights that no answer depends on, mapped from disk: poolers, norms behind the last layer that is looked at."""
    unused = [stored for stored in stored_tensors(folder) if rename(stored.name, names) is None]
    kept = [stored for stored in unused if any(part in stored.name for part in BESIDE)]
    return {stored.name: open_weights(stored.file).tensor(stored.name) for stored in kept}


def _generation(folder: Path) -> GenerationConfig:
    """generation_config.json; where there is none, what an older config.json says of generation."""
    values = read_json(folder / "generation_config.json")
    return (
        GenerationConfig(**values) if values else GenerationConfig.from_model_config(read_json(folder / "config.json"))
    )
