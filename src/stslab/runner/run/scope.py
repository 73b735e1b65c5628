"""What a run knows: the scope in which a lab's expressions are resolved."""

from collections.abc import Iterable, Mapping
from typing import Any

from stslab.lab.model import Lab
from stslab.lab.references import resolve_vars
from stslab.runner.journal.records import SavedProfile


def basis(run_id: str, account: str, region: str, partition: str) -> dict[str, Any]:
    """What every run knows from its beginning."""
    return {"run": {"id": run_id}, "account": account, "region": region, "partition": partition}


def scope(
    lab: Lab,
    base: Mapping[str, Any],
    saved: Mapping[str, Any],
    profiles: Iterable[SavedProfile],
) -> dict[str, Any]:
    """``base``, the lab's variables, what steps saved, and the profiles without their secrets."""
    known = {
        profile.name: {
            "access_key_id": profile.access_key_id,
            "expiration": profile.expiration,
        }
        for profile in profiles
    }
    return {**base, **resolve_vars(lab.vars, base), **saved, "profiles": known}
