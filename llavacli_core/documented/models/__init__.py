"""The documented model classes: the networks of `nn`, loaded by `checkpoint`, under their published names."""
