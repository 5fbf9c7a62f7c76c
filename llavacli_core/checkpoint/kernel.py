"""Which attention kernel computes, and what to say, before any weight is read, where the one asked for cannot."""

from __future__ import annotations

import torch

from llavacli_core.config import CaptionerConfig, ModelConfig, VisionConfig
from llavacli_core.errors import BadOption

WIDEST_HEAD = 256  # that flash-attn has kernels for
OLDEST = (8, 0)  # the compute capability of Ampere
INSTEAD = "--attention sdpa"


def choose_kernel(name: str, device: torch.device, dtype: torch.dtype, config: ModelConfig | CaptionerConfig) -> str:
    """auto, sdpa, flash or eager, as the kernel to be used; flash only where it can be."""
    if name == "flash":
        _check_flash(device, dtype, max(head_dims(config)))
    return "sdpa" if name == "auto" else name


def head_dims(config: ModelConfig | CaptionerConfig) -> set[int]:
    """The sizes of the heads that flash would get. Swin's it would not: they all add a bias to the scores."""
    vision = config.encoder if isinstance(config, CaptionerConfig) else config.vision
    sizes = {config.decoder.head_dim}
    if isinstance(vision, VisionConfig) and not (vision.relative_position_bias or vision.shared_relative_position_bias):
        sizes.add(vision.hidden_size // vision.num_attention_heads)
    return sizes


def _check_flash(device: torch.device, dtype: torch.dtype, head_dim: int) -> None:
    """BadOption with the first thing that stands in the way."""
    if device.type != "cuda":
        raise BadOption(f"flash attention runs on CUDA devices only, not on {device.type}", hint=INSTEAD)
    if dtype not in (torch.float16, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        raise BadOption(
            f"flash attention computes in float16 and bfloat16, not in {name}", hint=f"--dtype, or {INSTEAD}"
        )
    if head_dim > WIDEST_HEAD:
        raise BadOption(
            f"flash attention takes heads of up to {WIDEST_HEAD}, and this model's have {head_dim}", hint=INSTEAD
        )
    if torch.cuda.get_device_capability(device) < OLDEST:
        raise BadOption(f"flash attention needs an Ampere GPU or a newer one, which {device} is not", hint=INSTEAD)
    try:
        import flash_attn  # noqa: F401
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "flash_attn"
        what = "is not installed" if missing else f"does not load: {' '.join(str(error).split())}"
        raise BadOption(
            f"flash attention: flash-attn {what}", hint=f"pip install 'llavacli[flash]', or {INSTEAD}"
        ) from error
