"""The examples of the model documents, with `{library}` for what they import from and local files for what they fetch.

Each leaves what it made in `result`. `folder`, `image`, `image1`, `image2` (pictures), `picture_path` and `video_path`
are given to it.
"""

LLAVA_PROMPT = """
from {library} import AutoProcessor

processor = AutoProcessor.from_pretrained(folder)
conversation = [
    {{"role": "user", "content": [{{"type": "image"}}, {{"type": "text", "text": "What’s shown in this image?"}}]}},
    {{"role": "assistant", "content": [{{"type": "text", "text": "This image shows a red stop sign."}}]}},
    {{"role": "user", "content": [{{"type": "text", "text": "Describe the image in more details."}}]}},
]
result = processor.apply_chat_template(conversation, add_generation_prompt=True)
"""

LLAVA_SINGLE = """
import torch
from {library} import AutoProcessor, LlavaForConditionalGeneration

model = LlavaForConditionalGeneration.from_pretrained(folder, torch_dtype=torch.float32)
processor = AutoProcessor.from_pretrained(folder)
conversation = [
    {{
        "role": "user",
        "content": [
            {{"type": "image", "url": picture_path}},
            {{"type": "text", "text": "What is shown in this image?"}},
        ],
    }},
]
inputs = processor.apply_chat_template(
    conversation, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
).to(model.device, torch.float32)
generate_ids = model.generate(**inputs, max_new_tokens=30)
result = processor.batch_decode(generate_ids, skip_special_tokens=True)
"""

LLAVA_BATCH = """
import torch
from {library} import AutoProcessor, LlavaForConditionalGeneration

model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
processor = AutoProcessor.from_pretrained(folder)
conversation_1 = [
    {{
        "role": "user",
        "content": [
            {{"type": "image", "url": picture_path}},
            {{"type": "image", "image": image1}},
            {{"type": "text", "text": "What is shown in these images?"}},
        ],
    }},
]
conversation_2 = [
    {{
        "role": "user",
        "content": [
            {{"type": "image", "image": image2}},
            {{"type": "text", "text": "What is shown in this image?"}},
        ],
    }},
]
inputs = processor.apply_chat_template(
    [conversation_1, conversation_2],
    add_generation_prompt=True,
    tokenize=True,
    return_dict=True,
    padding=True,
    padding_side="left",
    return_tensors="pt",
).to(model.device, torch.float32)
generate_ids = model.generate(**inputs, max_new_tokens=30)
result = processor.batch_decode(generate_ids, skip_special_tokens=True)
"""

NEXT_SINGLE = """
from {library} import AutoProcessor, LlavaNextForConditionalGeneration

processor = AutoProcessor.from_pretrained(folder)
model = LlavaNextForConditionalGeneration.from_pretrained(folder)
conversation = [
    {{
        "role": "user",
        "content": [{{"type": "image"}}, {{"type": "text", "text": "What is shown in this image?"}}],
    }},
]
prompt = processor.apply_chat_template(conversation, add_generation_prompt=True)
inputs = processor(image, prompt, return_tensors="pt").to(model.device)
output = model.generate(**inputs, max_new_tokens=40)
result = processor.decode(output[0], skip_special_tokens=True)
"""

NEXT_SEVERAL = """
from {library} import LlavaNextProcessor, LlavaNextForConditionalGeneration

processor = LlavaNextProcessor.from_pretrained(folder)
model = LlavaNextForConditionalGeneration.from_pretrained(folder)
conversation = [
    {{
        "role": "user",
        "content": [
            {{"type": "image"}},
            {{"type": "image"}},
            {{"type": "text", "text": "Compare these two images and describe the differences."}},
        ],
    }}
]
prompt = processor.apply_chat_template(conversation, add_generation_prompt=True)
inputs = processor([image1, image2], prompt, return_tensors="pt").to(model.device)
output = model.generate(**inputs, max_new_tokens=40)
result = processor.decode(output[0], skip_special_tokens=True)
"""

NEXT_FORWARD = """
from {library} import AutoProcessor, LlavaNextForConditionalGeneration

model = LlavaNextForConditionalGeneration.from_pretrained(folder)
processor = AutoProcessor.from_pretrained(folder)
prompt = "[INST] <image>\\nWhat is shown in this image? [/INST]"
inputs = processor(images=image, text=prompt, return_tensors="pt")
generate_ids = model.generate(**inputs, max_length=inputs["input_ids"].shape[1] + 30)
result = processor.batch_decode(generate_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)[0]
"""

NEXT_LEFT = """
from {library} import AutoProcessor, AutoModelForImageTextToText

processor = AutoProcessor.from_pretrained(folder)
model = AutoModelForImageTextToText.from_pretrained(folder)
processor.tokenizer.padding_side = "left"
prompts = ["[INST] <image>\\nWhat? [/INST]", "[INST] <image> and <image>\\nWhich is larger? [/INST]"]
inputs = processor(images=[[image], [image1, image2]], text=prompts, padding=True, return_tensors="pt")
result = processor.batch_decode(model.generate(**inputs, max_new_tokens=20), skip_special_tokens=True)
"""

VIP = """
import torch
from {library} import AutoProcessor, VipLlavaForConditionalGeneration

model = VipLlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
processor = AutoProcessor.from_pretrained(folder)
prompt = (
    "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, detailed, "
    "and polite answers to the human's questions.###Human: <image>\\n{{}}###Assistant:"
)
text = prompt.format("Can you please describe this image?")
inputs = processor(text=text, images=image, return_tensors="pt").to("cpu", torch.float32)
generate_ids = model.generate(**inputs, max_new_tokens=20)
result = processor.decode(generate_ids[0][len(inputs["input_ids"][0]) :], skip_special_tokens=True)
"""

CAPTION = """
from {library} import GPT2TokenizerFast, ViTImageProcessor, VisionEncoderDecoderModel

model = VisionEncoderDecoderModel.from_pretrained(folder)
tokenizer = GPT2TokenizerFast.from_pretrained(folder)
image_processor = ViTImageProcessor.from_pretrained(folder)
pixel_values = image_processor(image, return_tensors="pt").pixel_values
generated_ids = model.generate(pixel_values)
generated_text = tokenizer.batch_decode(generated_ids, skip_special_tokens=True)[0]
result = generated_ids.tolist()
"""

TROCR = """
from {library} import TrOCRProcessor, VisionEncoderDecoderModel

processor = TrOCRProcessor.from_pretrained(folder)
model = VisionEncoderDecoderModel.from_pretrained(folder)
pixel_values = processor(image.convert("RGB"), return_tensors="pt").pixel_values
generated_ids = model.generate(pixel_values)
result = processor.batch_decode(generated_ids, skip_special_tokens=True)[0], generated_ids.tolist()
"""

LOSS = """
from {library} import AutoProcessor, VisionEncoderDecoderModel

processor = AutoProcessor.from_pretrained(folder)
model = VisionEncoderDecoderModel.from_pretrained(folder)
model.config.decoder_start_token_id = processor.tokenizer.eos_token_id
model.config.pad_token_id = processor.tokenizer.pad_token_id
model.config.vocab_size = model.config.decoder.vocab_size
pixel_values = processor(image, return_tensors="pt").pixel_values
labels = processor.tokenizer("hello world", return_tensors="pt").input_ids
outputs = model(pixel_values=pixel_values, labels=labels)
result = round(outputs.loss.item(), 4), tuple(outputs.logits.shape)
"""

RANDOM = """
from {library} import BertConfig, ViTConfig, VisionEncoderDecoderConfig, VisionEncoderDecoderModel

small = {{"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}}
config_encoder = ViTConfig(**small)
config_decoder = BertConfig(vocab_size=50, **small)
config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(config_encoder, config_decoder)
model = VisionEncoderDecoderModel(config=config)
config_encoder = model.config.encoder
config_decoder = model.config.decoder
config_decoder.is_decoder = True
config_decoder.add_cross_attention = True
model.save_pretrained(new_folder)
encoder_decoder_config = VisionEncoderDecoderConfig.from_pretrained(new_folder)
model = VisionEncoderDecoderModel.from_pretrained(new_folder, config=encoder_decoder_config)
result = type(model).__name__, model.config.decoder.vocab_size, model.config.encoder.to_dict()["num_hidden_layers"]
"""

PAIRED = """
from {library} import TrOCRConfig, TrOCRForCausalLM, ViTConfig, ViTModel, VisionEncoderDecoderModel

small = {{"num_hidden_layers": 1, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2}}
encoder = ViTModel(ViTConfig(**small))
decoder = TrOCRForCausalLM(TrOCRConfig(vocab_size=50, decoder_layers=1, decoder_ffn_dim=48, d_model=64))
model = VisionEncoderDecoderModel(encoder=encoder, decoder=decoder)
result = type(model.encoder).__name__, type(model.decoder).__name__, model.config.decoder.to_dict()["is_decoder"]
"""

CONFIGURED = """
from {library} import LlavaForConditionalGeneration, LlavaConfig, CLIPVisionConfig, LlamaConfig

vision_config = CLIPVisionConfig(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2)
text_config = LlamaConfig(
    vocab_size=60, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2
)
configuration = LlavaConfig(vision_config=vision_config, text_config=text_config, image_token_index=59)
model = LlavaForConditionalGeneration(configuration)
configuration = model.config
result = type(configuration).__name__, configuration.text_config.vocab_size, configuration.vision_config.image_size
"""

VIDEO_PROMPT = """
from {library} import LlavaNextVideoProcessor

processor = LlavaNextVideoProcessor.from_pretrained(folder)
conversation = [
    {{"role": "user", "content": [{{"type": "text", "text": "What’s shown?"}}, {{"type": "image"}}]}},
    {{"role": "assistant", "content": [{{"type": "text", "text": "This image shows a red stop sign."}}]}},
    {{"role": "user", "content": [{{"type": "text", "text": "Why is this video funny?"}}, {{"type": "video"}}]}},
]
result = processor.apply_chat_template(conversation, add_generation_prompt=True)
"""

VIDEO_SINGLE = """
from {library} import LlavaNextVideoForConditionalGeneration, LlavaNextVideoProcessor

model = LlavaNextVideoForConditionalGeneration.from_pretrained(folder, device_map="auto")
processor = LlavaNextVideoProcessor.from_pretrained(folder)
conversation = [
    {{
        "role": "user",
        "content": [
            {{"type": "text", "text": "Why is this video funny?"}},
            {{"type": "video", "path": video_path}},
        ],
    }},
]
inputs = processor.apply_chat_template(
    conversation, num_frames=8, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
).to(model.device)
out = model.generate(**inputs, max_new_tokens=20)
text = processor.batch_decode(out, skip_special_tokens=True, clean_up_tokenization_spaces=True)
result = inputs, out
"""

VIDEO_MIXED = """
from {library} import LlavaNextVideoForConditionalGeneration, LlavaNextVideoProcessor

model = LlavaNextVideoForConditionalGeneration.from_pretrained(folder, device_map="auto")
processor = LlavaNextVideoProcessor.from_pretrained(folder)
conversation = [
    {{
        "role": "user",
        "content": [
            {{"type": "text", "text": "How many cats are there in the image?"}},
            {{"type": "image", "url": picture_path}},
        ],
    }},
    {{"role": "assistant", "content": [{{"type": "text", "text": "There are two cats"}}]}},
    {{
        "role": "user",
        "content": [
            {{"type": "text", "text": "Why is this video funny?"}},
            {{"type": "video", "path": video_path}},
        ],
    }},
]
inputs = processor.apply_chat_template(
    conversation,
    num_frames=8,
    add_generation_prompt=True,
    tokenize=True,
    return_dict=True,
    padding=True,
    return_tensors="pt",
).to(model.device)
generate_ids = model.generate(**inputs, max_new_tokens=20)
text = processor.batch_decode(generate_ids, skip_special_tokens=True, clean_up_tokenization_spaces=True)
result = inputs, generate_ids
"""

VIDEO_FRAMES = """
import av
import numpy as np
from {library} import AutoProcessor, LlavaNextVideoForConditionalGeneration


def read_video_pyav(container, indices):
    frames = []
    container.seek(0)
    for i, frame in enumerate(container.decode(video=0)):
        if i > indices[-1]:
            break
        if i >= indices[0] and i in indices:
            frames.append(frame)
    return np.stack([x.to_ndarray(format="rgb24") for x in frames])


model = LlavaNextVideoForConditionalGeneration.from_pretrained(folder, device_map="auto")
processor = AutoProcessor.from_pretrained(folder)
prompt = "USER: <video>\\nWhy is this video funny? ASSISTANT:"
container = av.open(video_path)
total_frames = container.streams.video[0].frames
indices = np.arange(0, total_frames, total_frames / 8).astype(int)
clip = read_video_pyav(container, indices)
inputs = processor(text=prompt, videos=clip, return_tensors="pt").to(model.device)
generate_ids = model.generate(**inputs, max_new_tokens=20)
text = processor.batch_decode(generate_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)[0]
result = inputs, generate_ids
"""
