"""Tests of how the demo checkpoint was made, and of the checkpoint itself."""
