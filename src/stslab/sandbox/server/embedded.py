"""The embedded account as its process holds it: opened, asked, begun anew, closed."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stslab.errors import SandboxError
from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiRequest, ApiResponse, HttpRequest
from stslab.sandbox.pipeline.decisions import DecisionLog
from stslab.sandbox.rehearsal.rehearsal import PART, Rehearsal
from stslab.sandbox.rehearsal.spec import parse
from stslab.sandbox.s3.requests import address
from stslab.sandbox.saved.account import ADMINISTRATOR, LEARNER, REGION, World
from stslab.sandbox.saved.persistence.memory import Memory
from stslab.sandbox.server.assembly import assemble
from stslab.sandbox.server.control.iam import add_verbs as iam_verbs
from stslab.sandbox.server.control.keys import add_verbs as key_verbs
from stslab.sandbox.server.control.oidc import add_verbs as oidc_verbs
from stslab.sandbox.server.control.rehearsal import add_verbs as rehearsal_verbs
from stslab.sandbox.server.control.requests import ControlRequest, Registry, Verb
from stslab.sandbox.server.control.saml import add_verbs as saml_verbs
from stslab.sandbox.server.control.sts import add_verbs as sts_verbs
from stslab.sandbox.server.files import ACCOUNT_FILE
from stslab.sandbox.server.process import Account


class _Passage:
    """Lets requests through at the same time, and closes for a change of the whole."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextmanager
    def through(self) -> Iterator[None]:
        """Go through, when it is open."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Close it, and wait until nobody is in it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._closed = True
            self._changed.wait_for(lambda: not self._inside)
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()


class _SavingRegistry(Registry):
    """Adds verbs to a registry; what one of them changes is saved before it is answered."""

    def __init__(self, registry: Registry, save: Callable[[], None]) -> None:
        self._registry = registry
        self._save = save

    def add(self, name: str, verb: Verb) -> None:
        """Add a verb; POST is how things are changed."""

        def saving(request: ControlRequest) -> Mapping[str, Any]:
            answer = verb(request)
            if request.method == "POST":
                self._save()
            return answer

        self._registry.add(name, saving)


class EmbeddedAccount:
    """One world after another, with the gate before each."""

    def __init__(self, folder: Path, registry: Registry) -> None:
        self._passage = _Passage()
        self._log = DecisionLog(folder)
        self._memory = Memory(folder / ACCOUNT_FILE)
        self._enter(self._memory.open())
        verbs = _SavingRegistry(registry, self._save)
        verbs.add("admin-key", self._admin_key)
        verbs.add("saved", self._saved)
        iam_verbs(verbs, lambda: self._world)
        oidc_verbs(verbs, lambda: self._world)
        saml_verbs(verbs, lambda: self._world)
        sts_verbs(verbs, lambda: self._world)
        rehearsal_verbs(verbs, lambda: self)
        key_verbs(verbs, lambda: self._inside.keys)

    @property
    def facts(self) -> Mapping[str, str]:
        """The instance, where a learner is in it, and what it rehearses, if it does."""
        return {
            "instance": self._world.instance,
            "account": LEARNER,
            "region": REGION,
            "rehearsing": self.rehearsal.text if self.rehearsal else "",
        }

    def handle(self, request: HttpRequest) -> ApiResponse:
        """Answer one request to an AWS service."""
        with self._passage.through():
            return self._handle(request)

    def warm_up(self) -> None:
        """Read AWS's models of the services, and how S3's requests look."""
        for service in operations.SERVICES:
            operations.names(service)
        address.warm_up()

    def reset(self) -> None:
        """Begin anew: what was in the account is gone, its keys with it."""
        with self._passage.closed():
            self._inside.cloudformation.stop()
            self._enter(self._memory.renew())

    def close(self) -> None:
        """Leave stacks where they are, and bring everything into the one file."""
        self._inside.cloudformation.stop()
        self._memory.close()

    def _enter(self, world: World) -> None:
        self._world = world
        self._inside = assemble(world, log=self._log, saved=self._changed)
        self._handle = self._inside.handle
        self.rehearsal: Rehearsal | None = None
        settings = world.parts().get(PART)
        if settings and settings.text:
            self.rehearse(settings.text)
        self._inside.cloudformation.resume()

    def rehearse(self, text: str | None) -> None:
        """Begin the rehearsal that ``text`` describes, in place of any other; None: end it.

        Raises:
            UsageError: it does not describe one.
        """
        inside, before = self._inside, self.rehearsal
        parse(text or "")
        if before is not None:
            before.end()
            self.rehearsal, self._handle = None, inside.handle
        if text is not None:
            engine = inside.cloudformation.engine
            self.rehearsal = Rehearsal(self._world, engine, inside.handle, text)
            self._handle = self.rehearsal.handle

    def _changed(self, world: World, request: ApiRequest | None = None) -> None:
        self._memory.save(world, request)
        if world.replica is not None:
            world.replica.notice()

    def _save(self) -> None:
        with self._world.write_lock:
            self._memory.save(self._world)

    def _saved(self, _request: ControlRequest) -> Mapping[str, Any]:
        with self._passage.through(), self._world.write_lock:
            return {"differences": self._memory.differences(self._world)}

    def _admin_key(self, request: ControlRequest) -> Mapping[str, Any]:
        account_id = str(request.body.get("account", LEARNER))
        with self._passage.through(), self._world.write_lock:
            key = self._usable_admin_key(account_id)
        return {
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret_access_key,
        }

    def _usable_admin_key(self, account_id: str) -> Any:
        account = self._world.accounts.get(account_id)
        if account is None:
            known = ", ".join(sorted(self._world.accounts))
            raise SandboxError(f"The sandbox has no account {account_id}.", f"It has {known}.")
        for key in account.iam.access_keys.values():
            if key.user_name == ADMINISTRATOR and key.status == "Active":
                return key
        raise SandboxError(
            f"The administrator of account {account_id} has no active access key any more.",
            "`stslab sandbox reset` begins with a new account.",
        )


def open_account(folder: Path, registry: Registry, *, fresh: bool = False) -> Account:
    """Open the account of this folder, and let it be controlled through ``registry``.

    ``fresh``: a new one, whatever was saved and whether or not it can be read.

    Raises:
        SandboxError: what was saved can't be read.
    """
    if fresh:
        for saved in folder.glob(f"{ACCOUNT_FILE}*"):
            saved.unlink()
    return EmbeddedAccount(folder, registry)
