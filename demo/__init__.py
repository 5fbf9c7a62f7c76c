"""How the embedded demo checkpoint was made: the scene drawer, the training script, its evaluation."""
