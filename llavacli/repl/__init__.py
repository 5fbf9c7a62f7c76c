"""The conversation: its state, its slash commands, and the loops that drive it."""
