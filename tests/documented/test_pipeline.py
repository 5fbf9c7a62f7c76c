"""`pipeline("image-text-to-text")` answers as the reference's does."""

from io import BytesIO

import pytest
import torch
import transformers
from PIL import Image

import llavacli_core as core
from llavacli_core.errors import BadOption
from tests.reference import pictures

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module", params=["llava-1.5", "next-mistral"])
def both(request, checkpoint):
    """Our pipeline and the reference's."""
    folder = str(checkpoint(request.param))
    theirs = transformers.pipeline(
        "image-text-to-text",
        model=transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32),
        processor=transformers.AutoProcessor.from_pretrained(folder, backend="pil"),
    )
    return core.pipeline(task="image-text-to-text", model=folder), theirs


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    path = tmp_path_factory.mktemp("pipeline") / "picture.png"
    path.write_bytes(pictures.sized(61, 43))
    Image.open(BytesIO(path.read_bytes())).convert("RGB").save(path)
    content = [{"type": "image", "url": str(path)}, {"type": "text", "text": "Describe this image."}]
    return [{"role": "user", "content": content}]


@pytest.mark.parametrize("full", [False, True])
def test_a_conversation(both, messages, full):
    kwargs = {"text": messages, "max_new_tokens": 20, "return_full_text": full}
    ours, theirs = both[0](**kwargs), both[1](**kwargs)
    assert ours[0]["generated_text"] == theirs[0]["generated_text"]
    assert ours[0]["input_text"] == messages


def test_several_conversations(both, messages):
    ours, theirs = (each(text=[messages, messages], max_new_tokens=5, return_full_text=False) for each in both)
    assert [[each["generated_text"] for each in row] for row in ours] == [
        [each["generated_text"] for each in row] for row in theirs
    ]


def test_a_prompt_and_its_picture(both, messages):
    picture = Image.open(messages[0]["content"][0]["url"])
    kwargs = {"images": picture, "text": "USER: <image>\nWhat? ASSISTANT:", "max_new_tokens": 8}
    assert both[0](**kwargs) == both[1](**kwargs)


def test_what_it_refuses(both, messages):
    ours, _ = both
    with pytest.raises(BadOption, match="ends with an answer"):
        ours(text=[*messages, {"role": "assistant", "content": "A cat"}])
    with pytest.raises(BadOption, match="takes a conversation"):
        ours(text=3)
    with pytest.raises(BadOption, match="text-generation"):
        core.pipeline("text-generation", model="demo")
    with pytest.raises(BadOption, match="needs a model"):
        core.pipeline("image-text-to-text")
    with pytest.raises(BadOption, match="processor"):
        core.pipeline("image-text-to-text", model=ours.model)


@pytest.mark.parametrize("device", ["cpu", -1, torch.device("cpu")])
def test_a_device(device, checkpoint):
    pipe = core.pipeline("image-text-to-text", model=str(checkpoint("llava-1.5")), device=device)
    assert pipe.model.device == torch.device("cpu")
    with pytest.raises(BadOption, match="device_map"):
        core.pipeline(model=str(checkpoint("llava-1.5")), device="cpu", device_map="auto")
