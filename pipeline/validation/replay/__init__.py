"""A listener hears stored streams; what it decides is kept beside the corpus and compared with the labels.

Read in this order: `listener` (the interface), `streams` (what is heard, and what should be answered), the listeners
(`probe`, `session`, `command`, `realtime`, `chat`), `store` (results on disk), `run` (one job after the other).
"""
