"""Which: one registry row per family, readers of config.json, weight-name tables. Data, no torch."""
