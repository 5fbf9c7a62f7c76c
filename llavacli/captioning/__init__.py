"""Captions for folders of pictures: what to caption, how answers are kept, and how a run goes on where one ended."""
