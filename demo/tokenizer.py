"""The demo's tokenizer and prompt: byte-level BPE whose merges come from the training conversations alone.

Every word in use ends up as one token, and any other text still encodes, byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from demo.conversations import WEIGHTS, Turn, conversation, turn
from demo.palette import COLOURS
from demo.scenes import KINDS, canvas, scene
from demo.wordings import AMERICAN, IMAGE, OTHER_COLOURS, SHAPES, STRANGERS, WORDINGS

SPECIAL = ("<pad>", "<s>", "</s>", "<image>")
PAD, BOS, EOS, IMAGE_TOKEN = range(4)
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}{% endif %}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{# Pictures first, whatever their place in the message. #}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ part['text'] }}{% endfor %}"
    "{% endif %}"
    "{{ '</s>' if message['role'] == 'assistant' else ' ' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def build(seed: int = 0, scenes: int = 3000) -> Tokenizer:
    """The tokenizer: four special tokens, 256 bytes, then merges until every word of the corpus is one token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    # As Llama's does: the space that follows "ASSISTANT:" is no part of an answer.
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=4096,
        min_frequency=1,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=[AddedToken(token, normalized=False, special=True) for token in SPECIAL],
    )
    tokenizer.train_from_iterator(_corpus(seed, scenes), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", BOS)]
    )
    return tokenizer


def segments(turns: list[Turn]) -> tuple[list[str], list[str]]:
    """What is asked and what is answered, in the prompt's exact text after "<s>USER: <image>"."""
    asked = [f"USER: {question} ASSISTANT:" for _, question, _ in turns]
    asked[0] = asked[0].replace("USER: ", "\n", 1)
    return asked, [f" {answer}</s>" for _, _, answer in turns]


def _corpus(seed: int, scenes: int) -> Iterator[str]:
    """Training conversations, and every word of the wordings at a line's start, after a space, and in lower case."""
    rng = np.random.default_rng(seed)
    for _ in range(scenes):
        width, height = canvas(rng)
        drawn = scene(width, height, rng)
        asked, answered = segments(conversation(drawn, 5, rng))
        for question, answer in zip(asked, answered, strict=True):
            yield question
            yield answer.removesuffix("</s>")
        yield "\n" + turn(drawn, next(iter(WEIGHTS)), rng)[1]
    slots = (*KINDS, *(f"{kind}s" for kind in KINDS), *COLOURS, *IMAGE, *SHAPES, *STRANGERS, *OTHER_COLOURS)
    for slot in slots:
        yield from (f" {slot}", f"\n{slot.capitalize()}", f"\n{slot}")
    for template in (template for wordings in WORDINGS.values() for template in wordings):
        for spelling in (template, _american(template)):
            words = "".join(character for character in spelling if character not in "{}")
            yield from ("\n" + words, " " + words, "\n" + words.lower(), " " + words.lower())


def _american(text: str) -> str:
    """The text in American spelling."""
    for british, american in AMERICAN.items():
        text = text.replace(british, american)
    return text
