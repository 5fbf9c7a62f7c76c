"""Conversations that are kept: what one is, the database they are in, and their forms as files."""
