"""The documented image and video processors: their parameters, over the functions in `media` that do the work."""
