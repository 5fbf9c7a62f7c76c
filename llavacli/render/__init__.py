"""What the core's events look like: text on a terminal or in a pipe, and JSON records."""
