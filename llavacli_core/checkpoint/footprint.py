"""How much memory a run takes on its device, told from the config before anything is loaded.

Counted from a baseline: a process that has imported everything and loaded nothing. The run goes through four stages
(load, encode, prefill, decode), and what it takes is the most that is alive in any of them. Nothing here needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from llavacli_core.checkpoint.activations import batches, connecting, encoding, prefilling, widening
from llavacli_core.checkpoint.host import has_amx, reorders, widens
from llavacli_core.checkpoint.parts import ITEMSIZES, Part, cache_bytes, parts_of
from llavacli_core.config import CaptionerConfig, EncoderConfig, ModelConfig
from llavacli_core.portions import CACHE_BLOCK, FIRST_WORDS, REMAP_BYTES
from llavacli_core.schemes import Scheme, quantizes

MIB = 2**20
FAULT_AROUND = 64 * 2**10  # Linux maps so much of a file around a page that is touched
# glibc gives the top of its heap back once this much of it is free (M_TRIM_THRESHOLD follows M_MMAP_THRESHOLD up to
# twice 32 MiB), and a hole further down not at all: so much may be held beside what is alive, if it was alive once.
HEAP_KEPT = 64 * MIB
OPENED = 24 * MIB  # the tokenizer (10 to 45 MiB measured, by its vocabulary) and what preparing a picture leaves
COMPUTED = 40 * MIB  # code of torch's libraries that computing touches first, and their buffers (26 to 60 MiB measured)
WORKSPACE = 64 * MIB  # what cuBLAS and the kernels take on a GPU beside tensors


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a network is laid out in memory: where, in which number format, quantized or not, by which kernel."""

    device: str  # cpu, cuda or mps
    dtype: str
    scheme: Scheme | None = None
    attention: str = "sdpa"
    widened: bool = False  # prompts in a 16-bit format are multiplied in float32, as `nn.product` has it
    reordered: bool = False  # weights are put into oneDNN's order, one matrix after the other, as `nn.settling` has it
    amx: bool = False  # products are of tiles, and feed-forward parts go by slices, as `nn.slices` has it


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a network is asked: the prompt's positions, the longest answer, and what the tower sees."""

    prompt: int = 0  # tokens
    image_tokens: int = 0  # of the prompt's
    answer: int = 0  # tokens
    tiles: int = 0  # of all pictures, which go through the tower together
    frames: tuple[int, ...] = ()  # of each video
    rows: int = 1  # answers, or beams, at a time


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Bytes beyond the baseline."""

    weights: int
    mapped: int  # of the weights: pages of their files, which the system may take back and read again
    cache: int  # keys and values at their longest
    activations: int  # what else is alive at the widest moment
    overhead: int  # what libraries and the allocator hold beside what is alive

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.cache + self.activations + self.overhead

    @property
    def pinned(self) -> int:
        """What cannot be read again from disk."""
        return self.total - self.mapped

    @property
    def least(self) -> int:
        """What it takes under any circumstances: the weights that are copied, and the cache."""
        return self.weights - self.mapped + self.cache


def footprint(config: ModelConfig | CaptionerConfig, form: Form, work: Work) -> Footprint:
    """What a config's network takes in a `form`, for some `work`."""
    parts = {part.name: weigh(part, form) for part in parts_of(config)}
    mapped = {part.name: parts[part.name] for part in parts_of(config) if _is_mapped(part, config, form)}
    if not config.decoder.tie_word_embeddings and "decoder.embedding" in mapped:  # of it, rows alone are read
        touched = (work.prompt - work.image_tokens + work.answer) * FAULT_AROUND
        parts["decoder.embedding"] = mapped["decoder.embedding"] = min(mapped["decoder.embedding"], touched)
    weights, from_disk = sum(parts.values()), sum(mapped.values())
    unread = sum(size for name, size in mapped.items() if name.startswith("decoder."))  # until the prompt's turn
    itemsize = ITEMSIZES[form.dtype]
    pixels, encoding_bytes, features = _seen(config, form, work)
    cache = _positions(form, work) * cache_bytes(config, itemsize) * config.decoder.num_hidden_layers
    prefill, asked = _prefilling(config, form, work), 0
    if isinstance(config, ModelConfig):
        asked = work.prompt * work.rows * cache_bytes(config, itemsize) * config.decoder.num_hidden_layers
    held, kept = pixels + features, _kept(form, max(encoding_bytes, prefill))
    peak, overhead = max(
        (weights + cache + held + (_settling(config, form) if work.answer > FIRST_WORDS else 0), kept),
        (weights - from_disk + _loading(config, form), min(kept, OPENED)),
        (weights - unread + pixels + encoding_bytes, kept),
        (weights - mapped.get("decoder.head", 0) + asked + held + (prefill if work.prompt else 0), kept),
        key=sum,
    )
    return Footprint(
        weights=weights, mapped=from_disk, cache=cache, activations=peak - weights - cache, overhead=overhead
    )


def working(config: ModelConfig | CaptionerConfig, form: Form, work: Work) -> int:
    """Bytes of the widest moment beside weights, keys and values: in the tower, or when the prompt is read."""
    pixels, encoding_bytes, features = _seen(config, form, work)
    return pixels + max(encoding_bytes, features + _prefilling(config, form, work))


def form_of(device: str, dtype: str, scheme: Scheme | None, kernel: str) -> Form:
    """The form that a network takes on a kind of device of this computer, by an attention kernel."""
    attention = "eager" if kernel == "eager" else "sdpa"
    on_cpu = device == "cpu"
    return Form(
        device=device,
        dtype=dtype,
        scheme=scheme,
        attention=attention,
        widened=on_cpu and widens(),
        reordered=on_cpu and dtype == "bfloat16" and reorders(),
        amx=on_cpu and dtype == "bfloat16" and has_amx(),
    )


def weigh(part: Part, form: Form) -> int:
    """The bytes of a part's weights in a form."""
    itemsize, scheme = ITEMSIZES[form.dtype], form.scheme
    if scheme is None or not quantizes(f"{part.name}.weight"):
        return part.weights.nbytes(itemsize)
    return part.weights.nbytes(itemsize, lambda out, inputs: scheme.nbytes(out, inputs, itemsize))


def _is_mapped(part: Part, config: ModelConfig | CaptionerConfig, form: Form) -> bool:
    """Whether a part's weights stay where they are on disk: on a CPU, if they are wanted as they are stored."""
    quantized = form.scheme is not None and quantizes(f"{part.name}.weight")
    return form.device == "cpu" and form.dtype == config.dtype and not quantized


def _loading(config: ModelConfig | CaptionerConfig, form: Form) -> int:
    """What loading takes on top, where weights are copied: pages of their files, and the largest matrix."""
    copied = [part for part in parts_of(config) if not _is_mapped(part, config, form)]
    if not copied:
        return 0
    largest = max(max([part.weights.others, *(rows * cols for rows, cols in part.weights.matrices)]) for part in copied)
    stored = largest * ITEMSIZES.get(config.dtype, 4)
    return stored if form.device == "cuda" else stored + REMAP_BYTES


def _settling(config: ModelConfig | CaptionerConfig, form: Form) -> int:
    """The largest matrix that settles, which is there twice meanwhile: all but quantized ones, or those on disk."""
    plain = (part for part in parts_of(config) if form.scheme is None or not quantizes(f"{part.name}.weight"))
    settling = [
        part
        for part in plain
        if form.reordered or (part.name.startswith("decoder.") and _is_mapped(part, config, form))
    ]
    sizes = [rows * cols for part in settling for rows, cols in part.weights.matrices]
    tied = config.decoder.tie_word_embeddings and not form.reordered  # as a head, an embedding settles too
    sizes += [part.weights.others for part in settling if tied and part.name == "decoder.embedding"]
    return max(sizes, default=0) * ITEMSIZES[form.dtype]


def _seen(config: ModelConfig | CaptionerConfig, form: Form, work: Work) -> tuple[int, int, int]:
    """Bytes of the pixels, of the tower's widest moment, and of the features that it gives."""
    itemsize, eager = ITEMSIZES[form.dtype], form.attention == "eager"
    if isinstance(config, CaptionerConfig):
        encoder, tiles = config.encoder, work.tiles
        states = encoder.num_positions * config.decoder.cross_attention_hidden_size * tiles * itemsize
        crossed = encoder.num_positions * cache_bytes(config, itemsize) * config.decoder.num_hidden_layers * tiles
        return (
            _pixels(encoder, tiles, form),
            encoding(encoder, tiles, itemsize, eager=eager, amx=form.amx) + states,
            crossed,
        )
    at_once = batches([work.tiles, *work.frames])
    kept = len(config.connector.vision_feature_layers) - 1
    tower = encoding(config.vision, at_once, itemsize, kept=kept, eager=eager, amx=form.amx)
    features = (work.tiles + sum(work.frames)) * config.vision.num_positions * config.decoder.hidden_size * itemsize
    return (
        _pixels(config.vision, work.tiles + sum(work.frames), form),
        max(tower, connecting(config, at_once, itemsize)) + features,
        work.image_tokens * config.decoder.hidden_size * itemsize,
    )


def _prefilling(config: ModelConfig | CaptionerConfig, form: Form, work: Work) -> int:
    """Bytes of the decoder's widest moment, when it reads the prompt; a captioner has none, and its words' scores."""
    itemsize = ITEMSIZES[form.dtype]
    if isinstance(config, CaptionerConfig):
        return config.decoder.vocab_size * (itemsize + 4)
    plain = prefilling(config.decoder, work.prompt, 0, itemsize, eager=form.attention == "eager", amx=form.amx)
    if form.widened and itemsize == 2:
        return max(plain, widening(config.decoder, work.prompt, itemsize))
    return plain


def _pixels(encoder: EncoderConfig, tiles: int, form: Form) -> int:
    """Tiles as the device gets them; on a CPU also as they were prepared, and put together in float32."""
    height, width = encoder.image_size
    numbers = tiles * encoder.num_channels * height * width
    copies = 8 if form.device == "cpu" else 0
    return numbers * (copies + (0 if copies and form.dtype == "float32" else ITEMSIZES[form.dtype]))


def _kept(form: Form, temporary: int) -> int:
    """What is held beside what is alive, once so many bytes were alive for a moment."""
    return WORKSPACE if form.device == "cuda" else OPENED + COMPUTED + min(HEAP_KEPT, temporary)


def _positions(form: Form, work: Work) -> int:
    """Positions of keys and values at the most: whole blocks, of which a CPU gives memory to what is written alone."""
    needed = work.prompt + work.answer
    return (needed if form.device == "cpu" else _blocks(max(needed, CACHE_BLOCK))) * work.rows


def _blocks(positions: int) -> int:
    """So many positions, in whole blocks."""
    return -(-positions // CACHE_BLOCK) * CACHE_BLOCK
