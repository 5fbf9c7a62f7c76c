"""The names of the model documents that the door opens to, and the files of this room that hold them."""

# ruff: noqa: PLC0414 (only names that are imported under themselves are passed on)

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llavacli_core.documented.configs.auto import AutoConfig as AutoConfig
    from llavacli_core.documented.configs.base import PreTrainedConfig as PreTrainedConfig
    from llavacli_core.documented.configs.generation import GenerationConfig as GenerationConfig
    from llavacli_core.documented.configs.multimodal import LlavaConfig as LlavaConfig
    from llavacli_core.documented.configs.multimodal import LlavaNextConfig as LlavaNextConfig
    from llavacli_core.documented.configs.multimodal import LlavaNextVideoConfig as LlavaNextVideoConfig
    from llavacli_core.documented.configs.multimodal import VipLlavaConfig as VipLlavaConfig
    from llavacli_core.documented.configs.multimodal import VisionEncoderDecoderConfig as VisionEncoderDecoderConfig
    from llavacli_core.documented.configs.text import BertConfig as BertConfig
    from llavacli_core.documented.configs.text import GPT2Config as GPT2Config
    from llavacli_core.documented.configs.text import LlamaConfig as LlamaConfig
    from llavacli_core.documented.configs.text import MistralConfig as MistralConfig
    from llavacli_core.documented.configs.text import Qwen2Config as Qwen2Config
    from llavacli_core.documented.configs.text import RobertaConfig as RobertaConfig
    from llavacli_core.documented.configs.text import TrOCRConfig as TrOCRConfig
    from llavacli_core.documented.configs.vision import BeitConfig as BeitConfig
    from llavacli_core.documented.configs.vision import CLIPVisionConfig as CLIPVisionConfig
    from llavacli_core.documented.configs.vision import DeiTConfig as DeiTConfig
    from llavacli_core.documented.configs.vision import SiglipVisionConfig as SiglipVisionConfig
    from llavacli_core.documented.configs.vision import SwinConfig as SwinConfig
    from llavacli_core.documented.configs.vision import ViTConfig as ViTConfig

FILES = {
    "configs.auto": "AutoConfig",
    "configs.base": "PreTrainedConfig",
    "configs.generation": "GenerationConfig",
    "configs.multimodal": """LlavaConfig LlavaNextConfig LlavaNextVideoConfig VipLlavaConfig
        VisionEncoderDecoderConfig""",
    "configs.text": "BertConfig GPT2Config LlamaConfig MistralConfig Qwen2Config RobertaConfig TrOCRConfig",
    "configs.vision": "BeitConfig CLIPVisionConfig DeiTConfig SiglipVisionConfig SwinConfig ViTConfig",
}
DOCUMENTED = {name: f"documented.{file}" for file, names in FILES.items() for name in names.split()}
