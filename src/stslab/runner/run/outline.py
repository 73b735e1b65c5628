"""What a lab claims, as the journal remembers it: a report tells it long after. Pure."""

import hashlib

from msgspec.json import Encoder

from stslab.lab.model import Check, Lab
from stslab.runner.journal.records import ClaimOutline, StageOutline

_ENCODE = Encoder(enc_hook=str, order="deterministic").encode
_LENGTH = 16  # characters: enough to tell a lab's claims apart


def outline(lab: Lab) -> tuple[StageOutline, ...]:
    """The lab's stages and their claims."""
    return tuple(
        StageOutline(stage.id, stage.title, stage.cleanup, tuple(map(claim, stage.checkpoint)))
        for stage in lab.stages
    )


def claim(check: Check) -> ClaimOutline:
    """The claim of a check. What is only said to people about it does not change it."""
    asked = (check.identity, check.call, check.params, check.profiles_gone)
    wanted = (check.expect, check.fails, check.by, check.key)
    proves = hashlib.sha256(_ENCODE((check.says, asked, wanted))).hexdigest()[:_LENGTH]
    return ClaimOutline(check.says, check.identity, check.call or "", proves, check.by)
