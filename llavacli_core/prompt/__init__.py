"""Words: templates, the tokenizer, the layout of ids, and ids back to text. No torch."""
