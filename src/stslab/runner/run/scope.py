"""The scope of a lab's expressions (what a run knows), and the record of a new run."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime

from msgspec.json import Encoder

from stslab.errors import CredentialsError, UsageError
from stslab.lab.embedded import SERVICE, embedded_only, token_params
from stslab.lab.model import Check, Lab
from stslab.lab.references import allowed, first_names, resolvable, resolve, resolve_vars
from stslab.runner.calls.calls import Calls
from stslab.runner.journal import records
from stslab.runner.journal.records import RunRecord, StageOutline
from stslab.runner.ports import Call, Data, Profiles, TargetInfo
from stslab.structures import beside, said
from stslab.vocabulary import ADMIN


def refused(why: str, **names: object) -> tuple[str, str]:
    """The message and the fix of an error because of which a run does not begin, or go on."""
    return said(beside(__file__, "refused.yaml"), why, **names)


def basis(lab: Lab, run_id: str, place: RunRecord | TargetInfo) -> dict[str, object]:
    """The names known from the beginning: run id, account, region, and the lab's variables."""
    known = first_names(run_id, place.account, place.region, place.accounts, place.partition)
    return {**known, **resolve_vars(lab.vars, known)}


def scope(base: Data, saved: Data, profiles: Iterable[records.SavedProfile]) -> Data:
    """All known names: the basis, the values that steps saved, profiles without secrets."""
    known = {
        profile.name: {"access_key_id": profile.access_key_id, "expiration": profile.expiration}
        for profile in profiles
    }
    return {**base, **saved, "profiles": known}


def variables(lab: Lab, known: Data) -> dict[str, str]:
    """The variables of the lab's ``env`` whose values are known now."""
    return {name: str(value) for name, value in resolvable(lab.env, known).items()}


def configure(lab: Lab, profiles: Profiles, known: Data) -> None:
    """Write the settings of the lab's ``profiles`` whose values are known now."""
    known = {**known, "token_file": str(profiles.token_file)}
    every = {name: profile.values for name, profile in lab.profiles.items()}
    for name, values in resolvable(every, known).items():
        profiles.configure(name, {key: str(value) for key, value in values.items()})


def live(
    lab: Lab, calls: Calls, known: Data, wanted: Collection[str]
) -> Iterator[tuple[str, object]]:
    """The ``wanted`` live names (time, MFA codes, tokens) with their present values."""

    def token(name: str) -> object:
        answer = _ask(calls, "GetToken", resolve(token_params(lab.tokens[name]), known))
        calls.learn(answer)
        return answer.get("Token")  # None if the account issues none

    def codes(name: str) -> Data:
        """The present codes of the MFA device whose name or ARN is the value of this name."""
        device = str(known[name])
        here = f"arn:{calls.target.partition}:iam::{calls.target.account}:mfa/{device}"
        serial = device if device.startswith("arn:") else here
        shown = _ask(calls, "GetMfaCode", {"SerialNumber": serial})
        return {"code": shown["Code"], "next": shown["Next"]}

    if "now" in wanted:
        now = _ask(calls, "GetClock", {}).get("Now")
        if now:
            yield "now", f"{datetime.fromisoformat(now):%Y-%m-%dT%H:%M:%SZ}"
    if "mfa" in wanted:
        yield "mfa", _OnDemand(known, codes)
    if "token" in wanted and calls.profiles.token():
        yield "token", calls.profiles.token()
    if "tokens" in wanted:
        yield "tokens", _OnDemand(lab.tokens, token)


class _OnDemand:
    """Values that are requested from the account each time an expression gets them."""

    def __init__(self, names: Collection[str], ask: Callable[[str], object]) -> None:
        self._names, self._ask = names, ask

    def get(self, name: str) -> object:
        return self._ask(name) if name in self._names else None


def _ask(calls: Calls, operation: str, params: Data) -> Data:
    return calls.account.call(Call(ADMIN, SERVICE, operation, params)).data


_ENCODE = Encoder(enc_hook=str, order="deterministic").encode


def new_run(
    lab: Lab, target: TargetInfo, run_id: str, now: datetime, services: Collection[str]
) -> RunRecord:
    """The record of a run that begins now. ``services`` are those that the person allowed.

    Raises what :func:`require_anywhere`, :func:`require_services`, :func:`second_accounts` do.
    """
    if not target.embedded:
        require_anywhere(lab)
        require_services(lab, services)
    accounts = second_accounts(lab, target)
    return RunRecord(
        id=run_id,
        lab=lab.id,
        title=lab.title,
        path=str(lab.path.absolute()),
        sha256=lab.sha256,
        target=target.name,
        state=records.RunState.ACTIVE,
        started=now.isoformat(timespec="milliseconds"),
        person=records.person(),
        allowed=allowed(lab, basis(lab, run_id, target)),
        **records.shared(target, RunRecord) | {"accounts": accounts},
        profiles=tuple(lab.profiles),
        outline=tuple(
            StageOutline(stage.id, stage.title, stage.cleanup, tuple(map(claim, stage.checkpoint)))
            for stage in lab.stages
        ),
    )


def second_accounts(lab: Lab, target: TargetInfo) -> dict[str, str]:
    """The ids of the lab's further accounts, by admin; CredentialsError if one is missing."""
    lacking = [name for name in lab.accounts if name not in target.accounts]
    if lacking:
        raise CredentialsError(*refused("second account", lab=lab.id, name=lacking[0]))
    return {name: target.accounts[name] for name in lab.accounts}


def require_anywhere(lab: Lab) -> None:
    """UsageError: the lab needs the embedded account."""
    needs = embedded_only(lab)
    if needs:
        raise UsageError(*refused("embedded only", lab=lab.id, needs=" and ".join(needs)))


def require_services(lab: Lab, allowed: Collection[str]) -> None:
    """CredentialsError: the lab uses a service, beyond the usual four, that nobody allowed."""
    lacking = sorted({*lab.services} - {*allowed})
    if lacking:
        flags = " ".join(f"--allow-service {name}" for name in lacking)
        raise CredentialsError(*refused("service", names=", ".join(lacking), flags=flags))


def claim(check: Check) -> records.ClaimOutline:
    """The claim of a check. Its hash does not depend on explanations for people."""
    call = (check.identity, check.call, check.params, check.profiles_gone)
    wanted = (check.expect, check.fails, check.by, check.key)
    proves = hashlib.sha256(_ENCODE((check.says, call, wanted))).hexdigest()[:16]
    return records.ClaimOutline(check.says, check.identity, check.call or "", proves, check.by)
