"""Every error this project raises on purpose.

    StreamAudioError                 exit 2 unless said otherwise
      BadInput                       a recipe, file, argument or clip that breaks a rule
        StaleIdentity                a resume or an index whose recipe, library or encoder changed
        SessionFull                  a streaming session without a free position, under the eviction policy none
      MissingDependency              an optional program or package that is not installed
      ReplyRejected                  a language model's reply that could not be repaired
      ReplyMissing                   a reply that --replay-only needs and the cache does not hold
      EndpointDown                   a service that stopped answering; the run ends resumable   (exit 130)
      BudgetReached                  the recipe's budget would be passed; the run ends resumable (exit 130)
      WorkerLost                     a worker process was killed; the run ends resumable        (exit 130)
      GateFailed                     a validation gate failed                                    (exit 3)
      TooManyQuarantined             finished, with more rejected scenes than the recipe allows  (exit 4)

A message has the value, the rule and the fix, in one line. A scene that cannot be built is no error: it is a
`SceneRejected`, caught by the shard builder, counted and stored in quarantine.parquet.
"""


class StreamAudioError(Exception):
    """Root of the tree; `exit_code` is what the command line returns (DESIGN 4.1)."""

    exit_code = 2


class BadInput(StreamAudioError):
    """A value from outside that breaks a rule."""


class StaleIdentity(BadInput):
    """What is on disk was made from another recipe, library or encoder."""


class SessionFull(BadInput):
    """A streaming session has no position left for what comes next."""


class MissingDependency(StreamAudioError):
    """An optional package or program is needed and absent."""


class ReplyRejected(StreamAudioError):
    """A model's reply stayed invalid after every repair; `raw` is its last text, `role` whose it was."""

    def __init__(self, message: str, *, role: str = "", raw: str = "") -> None:
        super().__init__(message)
        self.role = role
        self.raw = raw


class ReplyMissing(StreamAudioError):
    """The reply cache lacks a reply and no request may be made."""


class EndpointDown(StreamAudioError):
    """A service failed so often that going on is pointless."""

    exit_code = 130


class BudgetReached(StreamAudioError):
    """The next request could pass the recipe's budget."""

    exit_code = 130


class WorkerLost(StreamAudioError):
    """A worker process ended without a word: killed, or out of memory."""

    exit_code = 130


class GateFailed(StreamAudioError):
    """A validation gate of the recipe failed."""

    exit_code = 3


class TooManyQuarantined(StreamAudioError):
    """The build finished, but more scenes were rejected than the recipe allows."""

    exit_code = 4


class SceneRejected(Exception):
    """One scene cannot be built; `stage` and `reason` go to quarantine.parquet, the build goes on."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(f"{stage}: {reason}")
        self.stage = stage
        self.reason = reason
