"""Disk to network: read a checkpoint's files, check its weights, map, quantize and place them; count the memory."""
