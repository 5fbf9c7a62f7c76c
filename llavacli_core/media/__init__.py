"""Pictures: opened upright in RGB, cut into tiles, normalised. Pillow and numpy, no torch."""
