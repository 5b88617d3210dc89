"""The recipe's captioner, opened: who listens to sounds that nobody annotated, and the names they choose from."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pipeline.errors import BadInput
from pipeline.grounding.captions import Captioner, ChatCaptioner, ClapCaptioner, no_captioner
from pipeline.library import encoders
from pipeline.library.library import Library
from pipeline.planning.settings import grammar
from pipeline.synthesis.kinds import KINDS
from pipeline.synthesis.made import MadeCache
from schemas.language import EndpointConfig
from schemas.recipe import Recipe
from schemas.sound_services import ChatCaptions, ClapTags


@cache
def ontology() -> tuple[str, ...]:
    """The AudioSet names that scenes, the auditor and the synthesizer know, in alphabetical order."""
    tags = {tag for sound in grammar().sounds.values() for tag in sound.tags}
    return tuple(sorted(tags | {tag for kind in KINDS.values() for tag in kind.tags}))


def open_captioner(recipe: Recipe, library: Library, made: MadeCache, ledger: Path) -> Captioner:
    """Who captions generated sounds; nobody where the recipe's captions are the annotations.

    Args:
        recipe: `captions` says who.
        library: its CLAP index lends the encoder where the recipe names no checkpoint.
        made: keeps the captions.
        ledger: the sqlite file of a build's requests.

    Raises:
        BadInput: no CLAP encoder can be had.
    """
    params = recipe.captions
    if isinstance(params, ClapTags):
        if params.checkpoint is not None:
            return ClapCaptioner(
                params, encoders.fit("clap", [], params.checkpoint, params.tokenizer), ontology(), made
            )
        if "clap" not in library.info()["indexes"]:
            raise BadInput(
                f"captions of kind 'clap' need an encoder, and library {str(library.path)!r} has no CLAP index; "
                "name captions.checkpoint or run `streamaudio library index LIB --encoder clap`"
            )
        return ClapCaptioner(params, library.index("clap").encoder, ontology(), made)
    if isinstance(params, ChatCaptions):
        # The openai package takes a second to import, and most builds need none of it.
        from pipeline.language.bridge import Bridge
        from pipeline.language.budget import Ledger
        from pipeline.language.crew import default_replies

        config = EndpointConfig(
            base_url=params.base_url,
            model=params.model,
            api_key_env=params.api_key_env,
            timeout_s=params.timeout_s,
            max_retries=params.max_retries,
            max_tokens=params.max_tokens,
            temperature=0,
            audio_input=True,
        )
        bridge = Bridge(config, default_replies(), Ledger(ledger, budget=None, currency=config.currency))
        return ChatCaptioner(params, bridge, ontology(), made)
    return no_captioner
