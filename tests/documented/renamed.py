"""Names of outputs that transformers has changed since the documents were written; ours are the documents'."""

import torch

SINCE_5_24 = {
    "cache": "past_key_values",
    "image_outputs": "image_hidden_states",
    "video_outputs": "video_hidden_states",
}


def names(output) -> list[str]:
    """What an output of transformers holds, as the documents call it."""
    return [SINCE_5_24.get(name, name) for name in output.keys()]  # noqa: SIM118 - iterating would give values


def features(output, kind: str) -> torch.Tensor | None:
    """What took the place of an output's tokens of a kind, image or video, of all pictures together."""
    if (since := output.get(f"{kind}_outputs")) is not None:
        return torch.cat([each.flatten(0, -2) for each in since.pooler_output])
    return output.get(f"{kind}_hidden_states")
