"""The only source of randomness: generators derived from (seed, scene, stage)."""

import hashlib

import numpy as np


def derive(seed: int, scene: str | int, stage: str) -> int:
    """A 63-bit seed that depends on all three and on nothing else."""
    digest = hashlib.sha256(f"{seed}\x1f{scene}\x1f{stage}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def rng(seed: int, scene: str | int, stage: str) -> np.random.Generator:
    """A generator for one stage of one scene; equal arguments give equal draws on every machine."""
    return np.random.default_rng(derive(seed, scene, stage))
