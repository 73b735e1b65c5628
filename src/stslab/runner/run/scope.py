"""What a run knows: the scope in which a lab's expressions are resolved."""

from collections.abc import Iterable

from stslab.lab.model import Lab
from stslab.lab.references import resolve_vars
from stslab.runner.journal.records import SavedProfile
from stslab.runner.ports import Data


def basis(run_id: str, account: str, region: str, partition: str) -> dict[str, object]:
    """What every run knows from its beginning."""
    return {"run": {"id": run_id}, "account": account, "region": region, "partition": partition}


def scope(
    lab: Lab,
    base: Data,
    saved: Data,
    profiles: Iterable[SavedProfile],
) -> Data:
    """``base``, the lab's variables, what steps saved, and the profiles without their secrets."""
    known = {
        profile.name: {
            "access_key_id": profile.access_key_id,
            "expiration": profile.expiration,
        }
        for profile in profiles
    }
    return {**base, **resolve_vars(lab.vars, base), **saved, "profiles": known}
