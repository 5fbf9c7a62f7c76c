"""Networks, forward only: they know tensors and config values, no files and no families."""
