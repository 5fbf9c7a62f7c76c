"""The reference side: tiny random checkpoints that transformers writes, runs and answers with."""

ANSWER_LENGTH = 40  # new tokens
