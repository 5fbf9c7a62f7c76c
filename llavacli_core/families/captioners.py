"""The reader of a captioner's config.json, an encoder's and a decoder's side by side, and the names of its weights."""

from __future__ import annotations

from typing import Any

from llavacli_core.config import CaptionerConfig
from llavacli_core.families.encoders import encoder_type, read_encoder
from llavacli_core.families.keys import Keys
from llavacli_core.families.names import ENCODERS, TEXT_DECODERS, Table
from llavacli_core.families.names.table import affine, under
from llavacli_core.families.readers import DTYPES
from llavacli_core.families.stored_quantization import arithmetic
from llavacli_core.families.text_decoders import read_text_decoder, text_decoder_type, token_id


def vision_encoder_decoder(config: dict[str, Any]) -> CaptionerConfig:
    """A picture's encoder and a text decoder that looks at its states."""
    keys = Keys(config, "config.json")
    text = keys.section("decoder")
    encoder, decoder = read_encoder(keys.section("encoder")), read_text_decoder(text)
    if decoder.cross_attention_hidden_size not in (encoder.hidden_size, decoder.hidden_size):
        raise text.fault(
            "cross_attention_hidden_size",
            f"null or the encoder's hidden size, {encoder.hidden_size}",
            decoder.cross_attention_hidden_size,
        )
    dtype = keys.get("dtype", "torch_dtype", default="float32")
    return CaptionerConfig(
        family="vision-encoder-decoder",
        encoder=encoder,
        decoder=decoder,
        decoder_start_token_id=token_id(keys, "decoder_start_token_id", default=None),
        pad_token_id=token_id(keys, "pad_token_id", default=None),
        bos_token_id=token_id(keys, "bos_token_id", default=None),
        eos_token_ids=keys.integers("eos_token_id") or text.integers("eos_token_id"),
        dtype=dtype if dtype in DTYPES else "float32",
        arithmetic=arithmetic(keys),
    )


def weight_names(config: dict[str, Any]) -> Table:
    """The names table of the encoder and the decoder that config.json speaks of."""
    keys = Keys(config, "config.json")
    return {
        **under(("encoder.",), "encoder.", ENCODERS[encoder_type(keys.section("encoder"))]),
        **under(("decoder.",), "decoder.", TEXT_DECODERS[text_decoder_type(keys.section("decoder"))]),
        **affine("enc_to_dec_proj", "projection"),
    }
