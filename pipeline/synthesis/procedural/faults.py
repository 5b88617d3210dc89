"""Faults: machines, pipes and wires that fail, their alarms, and what is mistaken for them."""
