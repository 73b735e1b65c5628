"""Opens the account that a command works on: the embedded one, a real one, another endpoint."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stslab.aws import target
from stslab.aws.account import Boto3Account
from stslab.aws.clients import is_local
from stslab.aws.profiles import ProfileFiles
from stslab.aws.target import Target, kind_of
from stslab.cli.failures import goes_on_with
from stslab.cli.options import Where
from stslab.errors import CredentialsError, UsageError
from stslab.home import Home
from stslab.lab.model import Lab
from stslab.lesson import verdict
from stslab.lesson.ports import UNKNOWN, Decide
from stslab.runner.ports import ADMIN, Credentials, Given, Hand, HandWork, Reason, Refusal
from stslab.sandbox.api.identifiers import PARTNER
from stslab.sandbox.server.client import admin_keys, control, ensure

if TYPE_CHECKING:
    from stslab.aws.guard import Identity, Source
    from stslab.runner.events import Describe, Event
    from stslab.runner.journal.records import How, RunRecord
    from stslab.runner.journal.store import Journal
    from stslab.runner.run.run import Runner
    from stslab.runner.undo.cleanup import Cleanup

    Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Open:
    """An open account, its profiles, and on a real one who the learner is.

    ``services`` are those that the person lets the lab use, besides the four. ``partner`` is who
    the learner is in a second real account, and where those credentials come from.
    """

    home: Home
    target: Target
    account: Boto3Account
    profiles: ProfileFiles = field(repr=False)
    identity: "Identity | None" = None
    source: "Source | None" = None
    services: tuple[str, ...] = ()
    partner: "tuple[Identity, Source] | None" = None

    @property
    def kind(self) -> str:
        """``sandbox``, ``aws`` or ``endpoint``."""
        return self.target.info.kind

    def runner(
        self, lab: Lab, journal: "Journal", emit: "Emit", *, describe: "Describe", how: "How"
    ) -> "Runner":
        """What runs the lab here. Its further accounts have profiles, where they are embedded."""
        from stslab.runner.calls.calls import told
        from stslab.runner.run.run import Runner

        embedded = self.kind == "sandbox"
        if lab.accounts and embedded:
            keys = admin_keys(self.home.sandbox, PARTNER)
            self.profiles.save("partner", Credentials(keys.access_key_id, keys.secret_access_key))
        return Runner(
            lab,
            self.account,
            self.profiles,
            journal,
            emit,
            describe=describe,
            services=self.services,
            how=how,
            tell=partial(_logged, self.home.sandbox) if embedded else told,
            hand=self.hand,
        )

    def cleanup(self, journal: "Journal", emit: "Emit", *, describe: "Describe") -> "Cleanup":
        from stslab.runner.undo.cleanup import Cleanup

        ports = (self.account, self.profiles, emit)
        return Cleanup(journal, *ports, describe=describe, hand=self.hand)

    @property
    def hand(self) -> "LearnersHand | None":
        """What knows what is done by hand; None but in the embedded account."""
        if self.kind != "sandbox":
            return None
        return LearnersHand(self.home.sandbox, self.profiles, self.target.admin)

    @property
    def decide(self) -> Decide:
        """What decides calls without making them; on a real account nothing is known beforehand."""
        if self.kind != "sandbox":
            return lambda *_: UNKNOWN
        return decider(self.home, self.account.credentials_now)

    def goes_on(self, run: "RunRecord") -> bool:
        """Whether the run is of this very account (a run elsewhere is refused by its pin)."""
        info = self.target.info
        return (run.target, run.account, run.region) == (info.name, info.account, info.region)

    @property
    def wants_id(self) -> bool:
        """Whether the account's id has to be said: anywhere but on this machine."""
        return self.kind == "aws" or (
            self.kind == "endpoint" and not is_local(self.target.endpoint_url)
        )


@dataclass(frozen=True, slots=True)
class LearnersHand(Hand):
    """The embedded account in ``folder``, whose own administrator has the keys ``admin``."""

    folder: Path
    profiles: ProfileFiles = field(repr=False)
    admin: Credentials | None = field(repr=False)

    def begin(self, run: str, keys: Iterable[str]) -> None:
        """From now on the profile ``admin`` is the run's. ``keys`` are further ones of the run."""
        key = control(self.folder, "POST", "run", {"run": run, "keys": list(keys)})
        if key:
            self.profiles.save(ADMIN, credentials(key))

    def look(self, run: str, own: Collection[str] = ()) -> HandWork:
        return self._asked(run, own, only_look=True)

    def restore(self, run: str, own: Collection[str]) -> HandWork:
        return self._asked(run, own, only_look=False)

    def end(self, run: str) -> None:
        """The profile ``admin`` has the account's own key again."""
        control(self.folder, "POST", "run", {"run": run, "ends": True})
        if self.admin:
            self.profiles.save(ADMIN, self.admin)

    def _asked(self, run: str, own: Collection[str], *, only_look: bool) -> HandWork:
        body = {"run": run, "own": list(own), "only_look": only_look}
        said = control(self.folder, "POST", "restore", body)
        restored, kept, made = (tuple(said[name]) for name in ("restored", "kept", "made"))
        sessions = {key: Given(**one) for key, one in said["sessions"].items()}
        return HandWork(restored, kept, made, sessions)


def credentials(said: Mapping[str, str]) -> Credentials:
    """The key in an answer of a control verb."""
    return Credentials(said["access_key_id"], said["secret_access_key"])


def open_account(home: Home, where: Where) -> Open:
    """The account that is meant: the embedded one is started if it does not run.

    Raises:
        UsageError: there is no such target.
        SandboxError: the embedded account can't be started.
        CredentialsError: the guard refuses, or there are no credentials.
    """
    if kind_of(where.target) == "sandbox":
        return _opened(home, sandbox_target(home))
    goes_on_with(where.flags)
    made, identity, source = _real(where, where.profile, where.account)
    partner = None
    if where.partner:
        _, other, their = _real(where, where.partner, where.partner_account)
        if other.account == identity.account:
            raise CredentialsError(
                f"Both profiles are for account {other.account}.",
                "Name a profile of another account with --partner-profile.",
            )
        made, partner = made.with_other("partner", other.account, where.partner), (other, their)
    return replace(_opened(home, made), identity=identity, source=source, partner=partner)


def sandbox_target(home: Home) -> Target:
    """The embedded account as a target, started if it does not run."""
    endpoint = ensure(home.sandbox)
    keys = admin_keys(home.sandbox)
    made = target.sandbox(
        endpoint.url,
        endpoint.account,
        endpoint.region,
        endpoint.instance,
        Credentials(keys.access_key_id, keys.secret_access_key),
        named=home.named,
        eventually_consistent=bool(endpoint.rehearsing),
        control=partial(control, home.sandbox),
        accounts={"partner": PARTNER},
    )
    hand = control(home.sandbox, "POST", "run")  # nothing, where no run is worked in
    return replace(made, hand=credentials(hand) if hand else None)


def decider(home: Home, held: Callable[[str], Credentials | None]) -> Decide:
    """What the embedded account would answer to calls, without their being made.

    ``held`` gives the credentials of a profile.
    """
    would = partial(control, home.sandbox, "POST", "would")
    return lambda who, *call: verdict.decided(would, held(who), *call)


def _logged(folder: Path, refusal: Refusal) -> Reason:
    """Why the embedded account refused a call, by its log."""
    from stslab.runner.calls.calls import told
    from stslab.sandbox.pipeline.log_file import newest_first

    by_message = told(refusal)
    if by_message and by_message.whole:  # no policy was asked
        return by_message
    events = (one for one in newest_first(folder) if one["requestID"] == refusal.request_id)
    decisions = next(events, {"decisions": ()})["decisions"]
    found = [one["refused"] for one in decisions if "refused" in one]
    gates, keys = (
        tuple(dict.fromkeys(each for one in found for each in one[name]))
        for name in ("gates", "keys")
    )
    return Reason(gates, keys)


def require_consent(where: Where, opened: Open, *, interactive: bool) -> None:
    """Make sure that somebody agreed to work on anything but the embedded account."""
    if opened.kind == "sandbox" or interactive:
        return
    missing = [] if where.yes else ["--yes"]
    if opened.wants_id and not where.account:
        missing.append(f"--account {opened.target.info.account}")
    if opened.wants_id and opened.partner and not where.partner_account:
        missing.append(f"--partner-account {opened.partner[0].account}")
    if missing:
        info = opened.target.info
        place = f"account {info.account}" if opened.wants_id else info.name
        raise UsageError(
            f"Without a terminal, nothing is done on {place} unless flags agree to it.",
            f"If that is the account you mean, add {' '.join(missing)}.",
        )


def _real(where: Where, profile: str, account: str) -> tuple[Target, "Identity", "Source"]:
    from stslab.aws.guard import Source, real_target

    url = where.target if kind_of(where.target) == "endpoint" else ""
    source = Source(profile, where.region, url)
    return *real_target(source, account), source


def _opened(home: Home, made: Target) -> Open:
    opened = made.open(home.profiles(made.info.name))
    return Open(home, made, opened.account, opened.profiles)
