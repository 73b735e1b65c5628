"""What a learner does by hand in the embedded account: with keys that belong to their run."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stslab.aws.profiles import ADMIN, ProfileFiles
from stslab.runner.ports import Credentials, HandWork
from stslab.sandbox.server.client import control


@dataclass(frozen=True, slots=True)
class LearnersHand:
    """The embedded account in ``folder``, whose own administrator has the keys ``admin``."""

    folder: Path
    profiles: ProfileFiles = field(repr=False)
    admin: Credentials | None = field(repr=False)

    def begin(self, run: str, keys: Iterable[str]) -> None:
        """From now on the profile ``admin`` is the run's. ``keys`` are further ones of the run."""
        key = credentials(control(self.folder, "POST", "run", {"run": run, "keys": list(keys)}))
        if key:
            self.profiles.save(ADMIN, key)

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
        return HandWork(*(tuple(said[name]) for name in ("restored", "kept", "made")))


def credentials(said: Mapping[str, str]) -> Credentials | None:
    """The key in an answer of the verb ``run``; None where no run is worked in."""
    if not said:
        return None
    return Credentials(said["access_key_id"], said["secret_access_key"])
