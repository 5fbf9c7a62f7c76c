"""The classes of the model documents, under their own names and signatures: a thin room over the functions below it."""
