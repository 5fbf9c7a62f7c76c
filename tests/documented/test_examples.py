"""The documents' examples run with only the import line changed, and give what they give with transformers."""

from io import BytesIO

import pytest
import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import WordLevel

from tests.documented import examples
from tests.reference import captioners, pictures
from tests.reference.clips import Clip
from tests.reference.video import VideoProcessor

pytestmark = pytest.mark.parity

WORDS = ["<unk>", "<pad>", "<s>", "</s>", *"hello world a red cat dog on the grass two in".split()]  # noqa: SIM905
SEEN = {
    "LLaVA, a prompt": (examples.LLAVA_PROMPT, "llava-1.5"),
    "LLaVA, a picture": (examples.LLAVA_SINGLE, "llava-1.5"),
    "interleave, a picture": (examples.LLAVA_SINGLE, "llava-interleave"),
    "LLaVA, two conversations and three pictures": (examples.LLAVA_BATCH, "llava-1.5"),
    "NeXT, a picture": (examples.NEXT_SINGLE, "next-mistral"),
    "NeXT, two pictures": (examples.NEXT_SEVERAL, "next-vicuna"),
    "NeXT, forward": (examples.NEXT_FORWARD, "next-mistral"),
    "NeXT, a padded batch": (examples.NEXT_LEFT, "next-mistral"),
    "ViP": (examples.VIP, "vip"),
    "LLaVA from configs": (examples.CONFIGURED, None),
    "an encoder-decoder from configs": (examples.RANDOM, None),
    "an encoder-decoder from an encoder and a decoder": (examples.PAIRED, None),
}
CAPTIONED = {
    f"{name}, {pair}": (example, pair)
    for name, example in {"inference": examples.CAPTION, "TrOCR": examples.TROCR, "loss": examples.LOSS}.items()
    for pair in ("vit+gpt2", "deit+trocr", "swin+bert")
}
SHOWN = {"a video": examples.VIDEO_SINGLE, "mixed media": examples.VIDEO_MIXED, "frames": examples.VIDEO_FRAMES}


@pytest.fixture
def given(tmp_path):
    """What the examples would fetch."""

    def picture(width, height):
        return Image.open(BytesIO(pictures.sized(width, height))).convert("RGB")

    clip = Clip(24, encoded=True)
    (tmp_path / "clip.mp4").write_bytes(clip.source)
    picture(97, 61).save(tmp_path / "picture.png")
    return {
        "image": picture(61, 43),
        "image1": picture(30, 90),
        "image2": picture(120, 50),
        "picture_path": str(tmp_path / "picture.png"),
        "video_path": str(tmp_path / "clip.mp4"),
    }


def run(example: str, library: str, names: dict):
    """What the example leaves in `result`."""
    scope = dict(names)
    exec(compile(example.format(library=library), library, "exec"), scope)
    return scope["result"]


@pytest.mark.parametrize(("example", "base"), SEEN.values(), ids=SEEN)
def test_pictures(example, base, checkpoint, given, tmp_path):
    torch.manual_seed(0)
    names = given | {"folder": None if base is None else str(checkpoint(base))}
    ours, theirs = (
        run(example, library, names | {"new_folder": str(tmp_path / library)})
        for library in ("llavacli_core", "transformers")
    )
    assert ours == theirs


@pytest.mark.parametrize(("example", "pair"), CAPTIONED.values(), ids=CAPTIONED)
def test_captioners(example, pair, given, tmp_path):
    folder = tmp_path / "captioner"
    captioners.write(captioners.BY_NAME[pair], folder)
    side = {"height": captioners.SIDE, "width": captioners.SIDE}
    backend = Tokenizer(WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="$A $B", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )
    transformers.TrOCRProcessor(transformers.ViTImageProcessorPil(size=side), tokenizer).save_pretrained(folder)
    ours, theirs = (
        run(example, library, given | {"folder": str(folder)}) for library in ("llavacli_core", "transformers")
    )
    assert ours == theirs


def test_the_prompt_of_a_video(checkpoint):
    prompt = run(examples.VIDEO_PROMPT, "llavacli_core", {"folder": str(checkpoint("video"))})
    assert prompt.count("<image>") == prompt.count("<video>") == 1
    assert prompt.endswith("ASSISTANT:")


@pytest.mark.parametrize("example", SHOWN.values(), ids=SHOWN)
def test_videos(example, checkpoint, reference, given):
    """The reference's video processor needs torchvision: its model gets our inputs, whose pixels are CLIP's."""
    inputs, ids = run(example, "llavacli_core", given | {"folder": str(checkpoint("video"))})
    expected = reference("video").model.generate(**inputs, max_new_tokens=20, do_sample=False)
    assert torch.equal(ids, expected)
    frames = VideoProcessor(checkpoint("video")).pixels(Clip(24, frames=8, encoded=True).seen)
    torch.testing.assert_close(inputs["pixel_values_videos"], frames, rtol=1e-6, atol=1e-6)
