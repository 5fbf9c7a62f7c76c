"""The terminal: streams, signals, exit codes, records and settings."""
