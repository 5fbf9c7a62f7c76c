"""Ids to ids to text: sampling, the generate loop, sessions, and the engine that a program holds."""
