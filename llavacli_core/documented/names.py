"""The names of the model documents that the door opens to, and the files of this room that hold them."""

# ruff: noqa: PLC0414 (only names that are imported under themselves are passed on)

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llavacli_core.documented.batch import BatchEncoding as BatchEncoding
    from llavacli_core.documented.batch import BatchFeature as BatchFeature
    from llavacli_core.documented.configs.auto import AutoConfig as AutoConfig
    from llavacli_core.documented.configs.base import PreTrainedConfig as PreTrainedConfig
    from llavacli_core.documented.configs.generation import GenerationConfig as GenerationConfig
    from llavacli_core.documented.configs.multimodal import LlavaConfig as LlavaConfig
    from llavacli_core.documented.configs.multimodal import LlavaNextConfig as LlavaNextConfig
    from llavacli_core.documented.configs.multimodal import LlavaNextVideoConfig as LlavaNextVideoConfig
    from llavacli_core.documented.configs.multimodal import VipLlavaConfig as VipLlavaConfig
    from llavacli_core.documented.configs.multimodal import VisionEncoderDecoderConfig as VisionEncoderDecoderConfig
    from llavacli_core.documented.configs.quantization import BitsAndBytesConfig as BitsAndBytesConfig
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
    from llavacli_core.documented.images.classes import AutoImageProcessor as AutoImageProcessor
    from llavacli_core.documented.images.classes import BeitImageProcessor as BeitImageProcessor
    from llavacli_core.documented.images.classes import BeitImageProcessorFast as BeitImageProcessorFast
    from llavacli_core.documented.images.classes import BeitImageProcessorPil as BeitImageProcessorPil
    from llavacli_core.documented.images.classes import CLIPImageProcessor as CLIPImageProcessor
    from llavacli_core.documented.images.classes import CLIPImageProcessorFast as CLIPImageProcessorFast
    from llavacli_core.documented.images.classes import CLIPImageProcessorPil as CLIPImageProcessorPil
    from llavacli_core.documented.images.classes import DeiTImageProcessor as DeiTImageProcessor
    from llavacli_core.documented.images.classes import DeiTImageProcessorFast as DeiTImageProcessorFast
    from llavacli_core.documented.images.classes import DeiTImageProcessorPil as DeiTImageProcessorPil
    from llavacli_core.documented.images.classes import LlavaImageProcessor as LlavaImageProcessor
    from llavacli_core.documented.images.classes import LlavaImageProcessorFast as LlavaImageProcessorFast
    from llavacli_core.documented.images.classes import LlavaImageProcessorPil as LlavaImageProcessorPil
    from llavacli_core.documented.images.classes import LlavaNextImageProcessor as LlavaNextImageProcessor
    from llavacli_core.documented.images.classes import LlavaNextImageProcessorFast as LlavaNextImageProcessorFast
    from llavacli_core.documented.images.classes import LlavaNextImageProcessorPil as LlavaNextImageProcessorPil
    from llavacli_core.documented.images.classes import SiglipImageProcessor as SiglipImageProcessor
    from llavacli_core.documented.images.classes import SiglipImageProcessorFast as SiglipImageProcessorFast
    from llavacli_core.documented.images.classes import SiglipImageProcessorPil as SiglipImageProcessorPil
    from llavacli_core.documented.images.classes import ViTImageProcessor as ViTImageProcessor
    from llavacli_core.documented.images.classes import ViTImageProcessorFast as ViTImageProcessorFast
    from llavacli_core.documented.images.classes import ViTImageProcessorPil as ViTImageProcessorPil
    from llavacli_core.documented.images.video import AutoVideoProcessor as AutoVideoProcessor
    from llavacli_core.documented.images.video import LlavaNextVideoImageProcessor as LlavaNextVideoImageProcessor
    from llavacli_core.documented.images.video import LlavaNextVideoVideoProcessor as LlavaNextVideoVideoProcessor
    from llavacli_core.documented.models.auto import AutoModelForImageTextToText as AutoModelForImageTextToText
    from llavacli_core.documented.models.auto import AutoModelForVision2Seq as AutoModelForVision2Seq
    from llavacli_core.documented.models.captioner import VisionEncoderDecoderModel as VisionEncoderDecoderModel
    from llavacli_core.documented.models.encoders import BeitModel as BeitModel
    from llavacli_core.documented.models.encoders import DeiTModel as DeiTModel
    from llavacli_core.documented.models.encoders import SwinModel as SwinModel
    from llavacli_core.documented.models.encoders import ViTModel as ViTModel
    from llavacli_core.documented.models.llava import LlavaForConditionalGeneration as LlavaForConditionalGeneration
    from llavacli_core.documented.models.llava import LlavaModel as LlavaModel
    from llavacli_core.documented.models.llava import LlavaPreTrainedModel as LlavaPreTrainedModel
    from llavacli_core.documented.models.llava_next import (
        LlavaNextForConditionalGeneration as LlavaNextForConditionalGeneration,
    )
    from llavacli_core.documented.models.llava_next import LlavaNextModel as LlavaNextModel
    from llavacli_core.documented.models.llava_next import LlavaNextPreTrainedModel as LlavaNextPreTrainedModel
    from llavacli_core.documented.models.llava_next_video import (
        LlavaNextVideoForConditionalGeneration as LlavaNextVideoForConditionalGeneration,
    )
    from llavacli_core.documented.models.llava_next_video import LlavaNextVideoModel as LlavaNextVideoModel
    from llavacli_core.documented.models.llava_next_video import (
        LlavaNextVideoPreTrainedModel as LlavaNextVideoPreTrainedModel,
    )
    from llavacli_core.documented.models.pretrained import PreTrainedModel as PreTrainedModel
    from llavacli_core.documented.models.text_decoders import BertLMHeadModel as BertLMHeadModel
    from llavacli_core.documented.models.text_decoders import GPT2LMHeadModel as GPT2LMHeadModel
    from llavacli_core.documented.models.text_decoders import RobertaForCausalLM as RobertaForCausalLM
    from llavacli_core.documented.models.text_decoders import TrOCRForCausalLM as TrOCRForCausalLM
    from llavacli_core.documented.models.vipllava import (
        VipLlavaForConditionalGeneration as VipLlavaForConditionalGeneration,
    )
    from llavacli_core.documented.models.vipllava import VipLlavaModel as VipLlavaModel
    from llavacli_core.documented.models.vipllava import VipLlavaPreTrainedModel as VipLlavaPreTrainedModel
    from llavacli_core.documented.pipeline import pipeline as pipeline
    from llavacli_core.documented.text.auto import AutoProcessor as AutoProcessor
    from llavacli_core.documented.text.llava import LlavaProcessor as LlavaProcessor
    from llavacli_core.documented.text.llava_next import LlavaNextProcessor as LlavaNextProcessor
    from llavacli_core.documented.text.llava_next import LlavaNextVideoProcessor as LlavaNextVideoProcessor
    from llavacli_core.documented.text.tokenizers import AutoTokenizer as AutoTokenizer
    from llavacli_core.documented.text.tokenizers import BertTokenizer as BertTokenizer
    from llavacli_core.documented.text.tokenizers import BertTokenizerFast as BertTokenizerFast
    from llavacli_core.documented.text.tokenizers import GPT2Tokenizer as GPT2Tokenizer
    from llavacli_core.documented.text.tokenizers import GPT2TokenizerFast as GPT2TokenizerFast
    from llavacli_core.documented.text.tokenizers import LlamaTokenizer as LlamaTokenizer
    from llavacli_core.documented.text.tokenizers import LlamaTokenizerFast as LlamaTokenizerFast
    from llavacli_core.documented.text.tokenizers import PreTrainedTokenizerFast as PreTrainedTokenizerFast
    from llavacli_core.documented.text.tokenizers import Qwen2Tokenizer as Qwen2Tokenizer
    from llavacli_core.documented.text.tokenizers import Qwen2TokenizerFast as Qwen2TokenizerFast
    from llavacli_core.documented.text.tokenizers import RobertaTokenizer as RobertaTokenizer
    from llavacli_core.documented.text.tokenizers import RobertaTokenizerFast as RobertaTokenizerFast
    from llavacli_core.documented.text.tokenizers import XLMRobertaTokenizer as XLMRobertaTokenizer
    from llavacli_core.documented.text.tokenizers import XLMRobertaTokenizerFast as XLMRobertaTokenizerFast
    from llavacli_core.documented.text.trocr import TrOCRProcessor as TrOCRProcessor

FILES = {
    "batch": "BatchEncoding BatchFeature",
    "configs.auto": "AutoConfig",
    "configs.base": "PreTrainedConfig",
    "configs.generation": "GenerationConfig",
    "configs.multimodal": """LlavaConfig LlavaNextConfig LlavaNextVideoConfig VipLlavaConfig
        VisionEncoderDecoderConfig""",
    "configs.quantization": "BitsAndBytesConfig",
    "configs.text": "BertConfig GPT2Config LlamaConfig MistralConfig Qwen2Config RobertaConfig TrOCRConfig",
    "images.classes": """AutoImageProcessor
        CLIPImageProcessor CLIPImageProcessorFast CLIPImageProcessorPil
        SiglipImageProcessor SiglipImageProcessorFast SiglipImageProcessorPil
        ViTImageProcessor ViTImageProcessorFast ViTImageProcessorPil
        DeiTImageProcessor DeiTImageProcessorFast DeiTImageProcessorPil
        BeitImageProcessor BeitImageProcessorFast BeitImageProcessorPil
        LlavaImageProcessor LlavaImageProcessorFast LlavaImageProcessorPil
        LlavaNextImageProcessor LlavaNextImageProcessorFast LlavaNextImageProcessorPil""",
    "images.video": "AutoVideoProcessor LlavaNextVideoImageProcessor LlavaNextVideoVideoProcessor",
    "models.auto": "AutoModelForImageTextToText AutoModelForVision2Seq",
    "models.captioner": "VisionEncoderDecoderModel",
    "models.encoders": "BeitModel DeiTModel SwinModel ViTModel",
    "models.llava": "LlavaForConditionalGeneration LlavaModel LlavaPreTrainedModel",
    "models.llava_next": "LlavaNextForConditionalGeneration LlavaNextModel LlavaNextPreTrainedModel",
    "models.llava_next_video": """LlavaNextVideoForConditionalGeneration LlavaNextVideoModel
        LlavaNextVideoPreTrainedModel""",
    "models.pretrained": "PreTrainedModel",
    "models.text_decoders": "BertLMHeadModel GPT2LMHeadModel RobertaForCausalLM TrOCRForCausalLM",
    "models.vipllava": "VipLlavaForConditionalGeneration VipLlavaModel VipLlavaPreTrainedModel",
    "configs.vision": "BeitConfig CLIPVisionConfig DeiTConfig SiglipVisionConfig SwinConfig ViTConfig",
    "text.auto": "AutoProcessor",
    "text.llava": "LlavaProcessor",
    "text.llava_next": "LlavaNextProcessor LlavaNextVideoProcessor",
    "text.tokenizers": """PreTrainedTokenizerFast AutoTokenizer BertTokenizer BertTokenizerFast
        GPT2Tokenizer GPT2TokenizerFast LlamaTokenizer LlamaTokenizerFast Qwen2Tokenizer Qwen2TokenizerFast
        RobertaTokenizer RobertaTokenizerFast XLMRobertaTokenizer XLMRobertaTokenizerFast""",
    "text.trocr": "TrOCRProcessor",
    "pipeline": "pipeline",
}
DOCUMENTED = {name: f"documented.{file}" for file, names in FILES.items() for name in names.split()}
