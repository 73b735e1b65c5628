"""Open the account that a command works on: embedded, real, or at another endpoint."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec
from msgspec import structs

from stslab.aws.account import Boto3Account
from stslab.aws.clients import is_local
from stslab.aws.command import describer
from stslab.aws.embedded import Control
from stslab.aws.guard import Learner, real_target
from stslab.aws.profiles import ProfileFiles
from stslab.aws.target import LOCAL_PACE, Target, kind_of
from stslab.cli.failures import hints_select
from stslab.cli.options import Where
from stslab.errors import CredentialsError
from stslab.home import Home
from stslab.lab.model import Lab
from stslab.lesson.verdict import UNKNOWN, Decide, decided
from stslab.policy.decision import GATES
from stslab.runner.calls.calls import Calls, reason_of
from stslab.runner.events import Event
from stslab.runner.journal.records import How, RunRecord
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Answer, Credentials, Hand, HandWork, Reason, Refusal, TargetInfo
from stslab.runner.run.allowing import decided_by
from stslab.runner.run.run import Runner
from stslab.runner.undo.cleanup import Cleanup
from stslab.sandbox.pipeline.log_file import newest_first
from stslab.sandbox.server.client import control, ensure
from stslab.vocabulary import ADMIN, PARTNER, PolicyKind

Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class OpenAccount:
    home: Home
    target: Target
    account: Boto3Account
    profiles: ProfileFiles = field(repr=False)
    learner: Learner | None = None  # in a real account
    services: tuple[str, ...] = ()  # beyond the usual four, that the person allowed
    partner: Learner | None = None  # the learner in a second real account

    @property
    def kind(self) -> str:
        """``sandbox``, ``aws`` or ``endpoint``."""
        return self.target.info.kind

    def runner(self, lab: Lab, journal: Journal, emit: Emit, how: How) -> Runner:
        if lab.accounts:
            self.reach_others()
        return Runner(
            lab,
            self.calls(emit),
            journal,
            describe=describer(lab),
            services=self.services,
            how=how,
            tell=partial(_logged, self.home.sandbox) if self.kind == "sandbox" else reason_of,
        )

    def reach_others(self) -> None:
        """Give the second account's admin a profile, if the account is embedded."""
        if self.target.control:
            lend_partner(self.target.control, self.profiles)

    def cleanup(self, journal: Journal, emit: Emit) -> Cleanup:
        return Cleanup(journal, self.calls(emit), describe=describer(None))

    def calls(self, emit: Emit) -> Calls:
        return Calls(self.account, self.profiles, emit, hand=self.hand or Hand())

    @property
    def hand(self) -> "LearnersHand | None":
        """The port to work by hand; None except on the embedded account."""
        hand = LearnersHand(self.home.sandbox, self.profiles, self.target.admin)
        return hand if self.kind == "sandbox" else None

    @property
    def decide(self) -> Decide:
        """Decides calls without making them; on a real account every verdict is unknown."""
        verbs, held = self.target.control, self.account.credentials_now
        return decider(verbs, held) if verbs else lambda _: UNKNOWN

    def goes_on(self, run: RunRecord) -> bool:
        info = self.target.info
        return (run.target, run.account, run.region) == (info.name, info.account, info.region)

    @property
    def wants_id(self) -> bool:
        """Whether the person must give the account's id: everywhere but on this machine."""
        local = self.kind == "endpoint" and is_local(self.target.endpoint_url)
        return self.kind != "sandbox" and not local


@dataclass(frozen=True, slots=True)
class LearnersHand(Hand):
    """The learner's work by hand on the embedded account in ``folder``; ``admin`` is its key."""

    folder: Path
    profiles: ProfileFiles = field(repr=False)
    admin: Credentials | None = field(repr=False)

    def begin(self, run: str, keys: Iterable[str]) -> None:
        """Give the profile ``admin`` a key of the run. ``keys`` are further keys of the run."""
        if key := control(self.folder, "POST", "run", {"run": run, "keys": list(keys)}):
            self.profiles.save(ADMIN, credentials(key))

    def look(self, run: str, own: Collection[str] = ()) -> HandWork:
        return self.restore(run, own, only_look=True)

    def restore(self, run: str, own: Collection[str], *, only_look: bool = False) -> HandWork:
        body = {"run": run, "own": list(own), "only_look": only_look}
        return msgspec.convert(control(self.folder, "POST", "restore", body), HandWork)

    def end(self, run: str) -> None:
        """Give the profile ``admin`` the account's own key again."""
        control(self.folder, "POST", "run", {"run": run, "ends": True})
        if self.admin:
            self.profiles.save(ADMIN, self.admin)


def credentials(answer: Mapping[str, str]) -> Credentials:
    """The key in the answer of a control verb."""
    return Credentials(answer["access_key_id"], answer["secret_access_key"])


def lend_partner(verbs: Control, profiles: ProfileFiles) -> None:
    profiles.save("partner", credentials(verbs("POST", "admin-key", {"account": PARTNER})))


def open_account(home: Home, where: Where) -> OpenAccount:
    """Open the selected account. The embedded one is started if it is not running.

    CredentialsError: the guard refuses, or there are no credentials.
    """
    learner = partner = None
    kind = kind_of(where.target)
    if kind == "sandbox":
        made = sandbox_target(home)
    else:
        hints_select(where.flags)
        url = where.target if kind == "endpoint" else ""
        made, learner = real_target(where.profile, where.region, url, where.account)
        info = structs.replace(made.info, flags=where.flags)
        if where.partner:
            _, partner = real_target(where.partner, where.region, url, where.partner_account)
            if partner.account == learner.account:
                fix = "Name a profile of another account with --partner-profile."
                raise CredentialsError(f"Both profiles are for account {partner.account}.", fix)
            info = structs.replace(info, accounts={"partner": partner.account})
            made = replace(made, own={**made.own, "partner": where.partner})
        made = replace(made, info=info)
    profiles = made.profiles(home.profiles(made.info.name))
    account = Boto3Account(made, profiles)
    return OpenAccount(home, made, account, profiles, learner=learner, partner=partner)


def sandbox_target(home: Home) -> Target:
    """The embedded account as a target, started if it is not running."""
    endpoint = ensure(home.sandbox)
    info = TargetInfo(
        name=home.target,
        kind="sandbox",
        account=endpoint.account,
        region=endpoint.region,
        instance=endpoint.instance,
        caller=f"arn:aws:iam::{endpoint.account}:user/{ADMIN}",
        eventually_consistent=bool(endpoint.rehearsing),
        pace=LOCAL_PACE,
        accounts={"partner": PARTNER},
    )
    hand = control(home.sandbox, "POST", "run")  # empty if no run is worked on by hand
    return Target(
        info,
        endpoint.url,
        credentials(control(home.sandbox, "POST", "admin-key")),
        control=partial(control, home.sandbox),
        hand=credentials(hand) if hand else None,
    )


def decider(verbs: Control, held: Callable[[str], Credentials | None]) -> Decide:
    """Decides calls on the embedded account; ``held`` returns a profile's credentials."""
    return lambda call: decided(partial(verbs, "POST", "would"), held(call.identity), call)


def _logged(folder: Path, outcome: Answer | Refusal) -> Reason:
    """Why the embedded account refused or allowed a call, from its log."""
    by_message = reason_of(outcome)
    if by_message and by_message.whole:  # no policy decided
        return by_message
    events = (event for event in newest_first(folder) if event["requestID"] == outcome.request_id)
    decisions = next(events, {"decisions": ()})["decisions"]
    refusals = [decision["refused"] for decision in decisions if "refused" in decision]
    gates = dict.fromkeys(gate for refused in refusals for gate in refused["gates"])
    keys = dict.fromkeys(key for refused in refusals for key in refused["keys"])
    layers = (layer for decision in decisions for layer in decision["layers"])
    read = ((GATES[PolicyKind(layer["layer"])], layer["policies"]) for layer in layers)
    allowing = decided_by(read) if isinstance(outcome, Answer) else ()
    return Reason(tuple(gates), tuple(keys), allowing=allowing)
