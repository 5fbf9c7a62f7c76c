"""Names to folders: where a checkpoint lies; the Hub's shared cache listed, filled, checked and emptied."""
