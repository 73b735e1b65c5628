"""What is remembered of a run when it begins: where, with which lab, and what was agreed to."""

import hashlib
from collections.abc import Collection
from datetime import datetime

from msgspec.json import Encoder

from stslab.errors import CredentialsError, UsageError
from stslab.lab.embedded import embedded_only
from stslab.lab.foresight import allowed
from stslab.lab.model import Check, Lab
from stslab.runner.journal.records import ClaimOutline, RunRecord, RunState, StageOutline, person
from stslab.runner.ports import TargetInfo
from stslab.runner.run.scope import basis

_ENCODE = Encoder(enc_hook=str, order="deterministic").encode
_LENGTH = 16  # characters: enough to tell a lab's claims apart


def new_run(
    lab: Lab, target: TargetInfo, run_id: str, now: datetime, services: Collection[str]
) -> RunRecord:
    """A run of the lab that begins now. ``services`` are those that the person allowed.

    Raises:
        CredentialsError: the lab uses others on a real account.
        UsageError: the lab needs what only the embedded account has, and this is another.
    """
    if not target.embedded:
        require_anywhere(lab)
        require_services(lab, services)
    accounts = second_accounts(lab, target)
    return RunRecord(
        id=run_id,
        lab=lab.id,
        title=lab.title,
        path=str(lab.path),
        sha256=lab.sha256,
        target=target.name,
        kind=target.kind,
        account=target.account,
        region=target.region,
        partition=target.partition,
        instance=target.instance,
        state=RunState.ACTIVE,
        started=now.isoformat(timespec="milliseconds"),
        caller=target.caller,
        person=person(),
        allowed=allowed(lab, basis(lab, run_id, target)),
        accounts=accounts,
        profiles=tuple(lab.profiles),
        outline=tuple(
            StageOutline(stage.id, stage.title, stage.cleanup, tuple(map(claim, stage.checkpoint)))
            for stage in lab.stages
        ),
    )


def second_accounts(lab: Lab, target: TargetInfo) -> dict[str, str]:
    """The ids of the lab's further accounts, by the identities that administer them."""
    lacking = [name for name in lab.accounts if name not in target.accounts]
    if lacking:
        raise CredentialsError(
            f"The lab {lab.id} needs a second account ({lacking[0]}). Nothing was made.",
            "Name your AWS profile for it: --partner-profile NAME.",
        )
    return {name: target.accounts[name] for name in lab.accounts}


def require_anywhere(lab: Lab) -> None:
    """Refuse a lab that needs what only the embedded account has."""
    needs = embedded_only(lab)
    if needs:
        raise UsageError(
            f"The lab {lab.id} is for the embedded account only: it {' and '.join(needs)}.",
            "Run it there: leave out --target.",
        )


def require_services(lab: Lab, allowed: Collection[str]) -> None:
    """Refuse a lab that uses a service besides the four that the person did not allow."""
    lacking = sorted({*lab.services} - {*allowed})
    if lacking:
        raise CredentialsError(
            f"The lab uses {', '.join(lacking)}, and you did not allow that. Nothing was made.",
            f"If you mean it, add {' '.join(f'--allow-service {one}' for one in lacking)}.",
        )


def claim(check: Check) -> ClaimOutline:
    """The claim of a check. What is only said to people about it does not change it."""
    asked = (check.identity, check.call, check.params, check.profiles_gone)
    wanted = (check.expect, check.fails, check.by, check.key)
    proves = hashlib.sha256(_ENCODE((check.says, asked, wanted))).hexdigest()[:_LENGTH]
    return ClaimOutline(check.says, check.identity, check.call or "", proves, check.by)
