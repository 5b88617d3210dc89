"""Events to waveform: places, levels, joins, noise, ceiling. Read timeline.py, then mix.py."""
