"""botocore sessions and clients, made when first needed, then kept.

Loading a service's model takes far longer than a local call: all sessions share one loader.
"""

import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import botocore
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, CredentialRetrievalError, NoCredentialsError
from botocore.session import Session

from stslab.aws import environment
from stslab.aws.catalogue import loader
from stslab.errors import RunError
from stslab.runner.ports import Credentials

Untyped = Any  # What botocore makes: it publishes no types
OWN, NOBODY = "own", "nobody"
Signer = Credentials | str
"""Credentials, or ``OWN``, the learner's in botocore's chain, or ``NOBODY``: calls are unsigned."""
_LOCAL_S3 = {"addressing_style": "path", "us_east_1_regional_endpoint": "regional"}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
READ_SECONDS = 60.0

# Of the learner's settings, only the CA that a network needs: others would redirect or stop calls.
_OWN: Mapping[str, tuple[Untyped, ...]] = {
    **{name: (None, None, *how[2:]) for name, how in Session.SESSION_VARIABLES.items()},
    **dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None)),
    "ca_bundle": Session.SESSION_VARIABLES["ca_bundle"],
}


def is_local(endpoint_url: str) -> bool:
    return urlsplit(endpoint_url).hostname in _LOOPBACK


@dataclass
class Clients:
    region: str
    endpoint_url: str = ""  # empty for AWS itself
    own_profile: str = ""  # the learner's; empty for botocore's credential chain
    read_seconds: float = READ_SECONDS  # how long an answer may take
    _sessions: dict[bool, Untyped] = field(init=False, default_factory=dict)
    _clients: dict[tuple[Untyped, ...], Untyped] = field(init=False, default_factory=dict)
    # Clients may be used by several threads at once; making them from one session may not
    # (Boto3 documentation, "Multithreading or multiprocessing with clients").
    _making: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.local = bool(self.endpoint_url) and is_local(self.endpoint_url)

    def client(self, service: str, signer: Signer, *, patient: bool = False) -> Untyped:
        """A client whose calls this signer signs. ``patient``: botocore retries."""
        key = (service, signer, patient)
        with self._making:
            if key not in self._clients:
                self._clients[key] = self._made(service, signer, patient=patient)
            return self._clients[key]

    def _made(self, service: str, signer: Signer, *, patient: bool) -> Untyped:
        mode, attempts = ("adaptive", 4) if patient else ("standard", 1)
        local = {"proxies": {}, "s3": _LOCAL_S3} if self.local else {}
        config = Config(
            retries={"mode": mode, "total_max_attempts": attempts},
            ignore_configured_endpoint_urls=True,
            signature_version=UNSIGNED if signer == NOBODY else None,
            user_agent_extra="stslab",
            connect_timeout=10.0,
            read_timeout=self.read_seconds,
            **local,
        )
        url, keys = self.endpoint_url or None, {}
        if isinstance(signer, Credentials):
            keys = {
                "aws_access_key_id": signer.access_key_id,
                "aws_secret_access_key": signer.secret_access_key,
                "aws_session_token": signer.session_token or None,
            }
        elif signer == OWN:
            self.own_credentials()  # raises where they can't be used
        session = self._session(own=signer == OWN)
        return session.create_client(service, self.region, endpoint_url=url, config=config, **keys)

    def waiter(self, service: str, name: str) -> Untyped:
        """Botocore's description of a waiter; ``name`` is in snake case. RunError: it has none."""
        try:
            model = self._session(own=False).get_waiter_model(service)
            names = {botocore.xform_name(waiter): waiter for waiter in model.waiter_names}
            return model.get_waiter(names[name])
        except (KeyError, ValueError, BotoCoreError) as error:
            raise RunError(f"There is no waiter {name} for {service}.") from error

    def own_credentials(self) -> Untyped:
        """The learner's credentials as botocore has them. Raises botocore's errors."""
        try:
            found = self._session(own=True).get_credentials()
        except ValueError:  # a credential_process printed no JSON; it may be secret, so not shown
            problem = {"provider": "custom-process", "error_msg": "it printed no JSON"}
            raise CredentialRetrievalError(**problem) from None
        if found is None:
            raise NoCredentialsError
        return found

    def _session(self, *, own: bool) -> Untyped:
        if own not in self._sessions:
            chosen = {"profile": self.own_profile or None} if own else {"session_vars": dict(_OWN)}
            session = Session(**chosen)
            session.register_component("data_loader", loader())
            self._sessions[own] = session
        return self._sessions[own]


def own_clients(profile: str = "", region: str = "", url: str = "") -> Clients:
    """Clients with the learner's credentials, at a URL, or else where the learner's settings say.

    ``profile`` is empty for botocore's credential chain, ``url`` for AWS. Settings: AWS SDKs and
    Tools Reference Guide, "Service-specific endpoints": ``AWS_ENDPOINT_URL``, else the profile's
    ``endpoint_url``. A URL for a single service is ignored.
    """
    environment.restore()
    ignored = os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true"
    own_region, own_url = "", os.environ.get("AWS_ENDPOINT_URL", "")
    with suppress(BotoCoreError):
        session = Session(profile=profile or None)
        own_region = str(session.get_config_variable("region") or "")
        own_url = own_url or str(session.get_scoped_config().get("endpoint_url", ""))
    url = url or ("" if ignored else own_url)
    return Clients(region or own_region or "us-east-1", url, profile)
