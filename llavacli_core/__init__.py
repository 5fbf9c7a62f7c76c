"""llavacli_core: LLaVA-family checkpoints, from pictures and words to words, as a library."""
