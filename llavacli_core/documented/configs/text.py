"""Configs of language models: Llama, Mistral, Qwen2, GPT-2, TrOCR, BERT, RoBERTa, each with its documented defaults."""

from __future__ import annotations

from typing import Any, ClassVar

from llavacli_core.documented.configs.base import PreTrainedConfig

Ids = int | list[int] | None
THETA = 10000.0


class RotaryConfig(PreTrainedConfig):
    """A decoder with rotary positions, whose base and scaling are kept in `rope_parameters`."""

    hidden_size: int = 4096
    num_attention_heads: int = 32
    num_key_value_heads: int | None = None
    rope_parameters: dict[str, Any] | None = None

    def settle(self, rest: dict[str, Any]) -> None:
        """Older files say `rope_theta` and `rope_scaling`; a missing count of key-value heads means one per head."""
        if self.num_key_value_heads is None:
            self.num_key_value_heads = self.num_attention_heads
        rope = dict(rest.pop("rope_scaling", None) or self.rope_parameters or {})
        theta = rest.pop("rope_theta", THETA)
        rope.setdefault("rope_theta", theta)
        rope["rope_type"] = rope.get("rope_type", rope.get("type", "default"))
        self.rope_parameters = rope

    @property
    def rope_scaling(self) -> dict[str, Any] | None:
        """`rope_parameters` under its former name."""
        return self.rope_parameters

    @rope_scaling.setter
    def rope_scaling(self, value: dict[str, Any] | None) -> None:
        self.rope_parameters = {"rope_theta": (self.rope_parameters or {}).get("rope_theta", THETA), **(value or {})}
        self.rope_parameters.setdefault("rope_type", self.rope_parameters.get("type", "default"))


class LlamaConfig(RotaryConfig):
    """Llama."""

    model_type: ClassVar[str] = "llama"

    vocab_size: int = 32000
    hidden_size: int = 4096
    intermediate_size: int = 11008
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int | None = None
    hidden_act: str = "silu"
    max_position_embeddings: int = 2048
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-6
    use_cache: bool = True
    pad_token_id: int | None = None
    bos_token_id: int | None = 1
    eos_token_id: Ids = 2
    pretraining_tp: int = 1
    tie_word_embeddings: bool = False
    rope_parameters: dict[str, Any] | None = None
    attention_bias: bool = False
    attention_dropout: float = 0.0
    mlp_bias: bool = False
    head_dim: int | None = None

    def settle(self, rest: dict[str, Any]) -> None:
        """Heads share the hidden size unless their width is given."""
        super().settle(rest)
        if self.head_dim is None:
            self.head_dim = self.hidden_size // self.num_attention_heads


class MistralConfig(RotaryConfig):
    """Mistral: Llama that looks back `sliding_window` positions."""

    model_type: ClassVar[str] = "mistral"

    vocab_size: int = 32000
    hidden_size: int = 4096
    intermediate_size: int = 14336
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int | None = 8
    head_dim: int | None = None
    hidden_act: str = "silu"
    max_position_embeddings: int = 4096 * 32
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-6
    use_cache: bool = True
    pad_token_id: int | None = None
    bos_token_id: int | None = 1
    eos_token_id: Ids = 2
    tie_word_embeddings: bool = False
    rope_parameters: dict[str, Any] | None = None
    sliding_window: int | None = 4096
    attention_dropout: float = 0.0

    def settle(self, rest: dict[str, Any]) -> None:
        """Heads share the hidden size unless their width is given."""
        super().settle(rest)
        if self.head_dim is None:
            self.head_dim = self.hidden_size // self.num_attention_heads


class Qwen2Config(RotaryConfig):
    """Qwen2: Llama with a bias on query, key and value; its last layers may look through a window."""

    model_type: ClassVar[str] = "qwen2"

    vocab_size: int = 151936
    hidden_size: int = 4096
    intermediate_size: int = 22016
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int | None = 32
    hidden_act: str = "silu"
    max_position_embeddings: int = 32768
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-6
    use_cache: bool = True
    tie_word_embeddings: bool = False
    rope_parameters: dict[str, Any] | None = None
    use_sliding_window: bool = False
    sliding_window: int | None = 4096
    max_window_layers: int = 28
    layer_types: list[str] | None = None
    attention_dropout: float = 0.0
    pad_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: Ids = None

    def settle(self, rest: dict[str, Any]) -> None:
        """The window is off unless asked for; each layer says whether it has one."""
        super().settle(rest)
        if not self.use_sliding_window:
            self.sliding_window = None
        if self.layer_types is None:
            first = self.num_hidden_layers if self.sliding_window is None else self.max_window_layers
            self.layer_types = [
                "full_attention" if layer < first else "sliding_attention" for layer in range(self.num_hidden_layers)
            ]


class GPT2Config(PreTrainedConfig):
    """GPT-2."""

    model_type: ClassVar[str] = "gpt2"
    attribute_map: ClassVar[dict[str, str]] = {
        "hidden_size": "n_embd",
        "max_position_embeddings": "n_positions",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    }

    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None
    activation_function: str = "gelu_new"
    resid_pdrop: float = 0.1
    embd_pdrop: float = 0.1
    attn_pdrop: float = 0.1
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02
    summary_type: str = "cls_index"
    summary_use_proj: bool = True
    summary_activation: str | None = None
    summary_proj_to_labels: bool = True
    summary_first_dropout: float = 0.1
    scale_attn_weights: bool = True
    use_cache: bool = True
    bos_token_id: int | None = 50256
    eos_token_id: Ids = 50256
    pad_token_id: int | None = None
    scale_attn_by_inverse_layer_idx: bool = False
    reorder_and_upcast_attn: bool = False
    add_cross_attention: bool = False
    tie_word_embeddings: bool = True


class TrOCRConfig(PreTrainedConfig):
    """TrOCR's decoder."""

    model_type: ClassVar[str] = "trocr"
    attribute_map: ClassVar[dict[str, str]] = {
        "num_attention_heads": "decoder_attention_heads",
        "hidden_size": "d_model",
        "num_hidden_layers": "decoder_layers",
    }

    vocab_size: int = 50265
    d_model: int = 1024
    decoder_layers: int = 12
    decoder_attention_heads: int = 16
    decoder_ffn_dim: int = 4096
    activation_function: str = "gelu"
    max_position_embeddings: int = 512
    dropout: float = 0.1
    attention_dropout: float = 0.0
    activation_dropout: float = 0.0
    decoder_start_token_id: int = 2
    init_std: float = 0.02
    decoder_layerdrop: float = 0.0
    use_cache: bool = True
    scale_embedding: bool = False
    use_learned_position_embeddings: bool = True
    layernorm_embedding: bool = True
    pad_token_id: int | None = 1
    bos_token_id: int | None = 0
    eos_token_id: Ids = 2
    cross_attention_hidden_size: int | None = None
    is_decoder: bool = False
    tie_word_embeddings: bool = True


class BertConfig(PreTrainedConfig):
    """BERT."""

    model_type: ClassVar[str] = "bert"

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    use_cache: bool = True
    classifier_dropout: float | None = None
    is_decoder: bool = False
    add_cross_attention: bool = False
    bos_token_id: int | None = None
    eos_token_id: Ids = None
    tie_word_embeddings: bool = True


class RobertaConfig(BertConfig):
    """RoBERTa: BERT with its own vocabulary."""

    model_type: ClassVar[str] = "roberta"

    vocab_size: int = 50265
    pad_token_id: int | None = 1
    bos_token_id: int | None = 0
    eos_token_id: Ids = 2
