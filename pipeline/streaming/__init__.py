"""Perceive, decide, respond: the released Audio-Interaction model in constant time per chunk.

Read in this order: `logmel` (samples to mel), `encoder` and `decoder` (the two networks), `checkpoint` (their files),
`session` (`step(chunk, state) -> (decision, state)`), `files` (recordings as one session), `fifo` (listening while
speaking), `server` (the same over WebSockets).
"""
