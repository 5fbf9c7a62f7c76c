"""Disk to network: locate a checkpoint, read its files, check and map its weights, place them."""
