"""The documented tokenizers and processors: calls, padding and chat templates, over the functions in `prompt`."""
