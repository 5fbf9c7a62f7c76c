"""The documented config classes: mutable, with every default of the documents; `families` reads their `to_dict()`."""
