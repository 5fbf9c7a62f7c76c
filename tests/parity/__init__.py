"""Our engine against transformers: prompts, ids and words equal, on tiny random checkpoints of every family."""
