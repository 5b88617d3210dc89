"""The probe's school: what it is trained on, how, how well it does, and what it says about a corpus' labels.

Read in this order: `examples`, `scenes` (its own rendered corpus), `training`, `scores`, then `audit`.
"""
