"""Profiles that get their credentials by botocore's own providers, as in ``~/.aws/config``.

AWS SDKs and Tools Reference Guide, "Assume role credential provider", "Process credential
provider". The providers see only stslab's profiles: they read no file and run no program.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace

import msgspec
from botocore import credentials as chain

from stslab.aws.clients import NOBODY, Clients, Untyped
from stslab.errors import CredentialsError
from stslab.runner.ports import Credentials, Profiles

_BEHIND = "The account's clock is behind real time: new sessions look expired to botocore."
_PROCESS = "A credential_process may only be: aws configure export-credentials --profile NAME"


class Assumed(msgspec.Struct):
    """The credentials of profiles that have settings, kept until they expire."""

    profiles: Profiles
    clients: Callable[[], Clients]  # a subclass of the account may replace them
    own: Mapping[str, Clients]  # with the learner's own credentials, by identity
    code: Callable[[str], str]  # from an MFA device's serial number to its current code
    kept: dict[tuple[object, ...], Untyped] = {}

    def get(self, name: str) -> Credentials | None:
        """A profile's credentials, or None if it has no settings; or botocore's errors."""
        settings = self.profiles.settings.get(name)
        if not settings:
            return None
        if "environment" in settings:
            keys = self.profiles.get(settings["environment"])
            option = settings.get("option")
            if keys and option:  # botocore takes the profile of --profile before any keys
                return self.profiles.get(option) or self.get(option)
            return keys
        key = (name, *settings.items(), self._source(settings), self.profiles.token())
        if key not in self.kept:
            try:
                self.kept[key] = chain.CredentialResolver(self.providers(name)).load_credentials()
            except RecursionError as error:
                raise CredentialsError(f"The profile {name} exports itself.") from error
        try:
            frozen = self.kept[key].get_frozen_credentials()
        except RuntimeError as error:
            raise CredentialsError(_BEHIND, "Move it back: stslab sandbox clock real") from error
        ends = getattr(self.kept[key], "_expiry_time", None)
        until = ends.astimezone(UTC).isoformat() if isinstance(ends, datetime) else ""
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token or "", until)

    def providers(self, profile_name: str, *, disable_env_vars: bool = True) -> list[Untyped]:  # noqa: ARG002 - botocore's own signature
        """The providers for a profile, in botocore's order."""
        return [
            chain.AssumeRoleProvider(
                self._config,
                self._client,
                {},
                profile_name,
                prompter=lambda _: self.code(self.profiles.settings[profile_name]["mfa_serial"]),
                profile_provider_builder=self,
            ),
            chain.AssumeRoleWithWebIdentityProvider(
                self._config,
                self._client,
                profile_name,
                {},
                disable_env_vars=True,
                token_loader_cls=lambda _: self.profiles.token,
            ),
            SimpleNamespace(
                METHOD="shared-credentials-file",
                CANONICAL_NAME="SharedCredentials",
                load=lambda: self._static(profile_name),
            ),
            chain.ProcessProvider(profile_name, self._config, popen=self._process),
        ]

    def _config(self) -> Untyped:
        names = ("admin", "partner", *self.profiles.names())
        return {"profiles": {name: {} for name in names} | dict(self.profiles.settings)}

    def _source(self, settings: Mapping[str, str]) -> str:
        """The access key id at the end of a profile's chain of ``source_profile``s, or ""."""
        source = settings.get("source_profile", "")
        found = self.profiles.get(source)
        further = self.profiles.settings.get(source)
        return found.access_key_id if found else self._source(further) if further else ""

    def _static(self, name: str) -> Untyped:
        found = self.profiles.get(name)
        if found is None:
            return self.own[name].own_credentials() if name in self.own else None
        keys = (found.access_key_id, found.secret_access_key, found.session_token or None)
        return chain.Credentials(*keys)

    def _client(self, service: str, **how: Untyped) -> Untyped:
        if "config" in how:  # it says that the call is unsigned
            return self.clients().client(service, NOBODY)
        key, secret = how["aws_access_key_id"], how["aws_secret_access_key"]
        signer = Credentials(key, secret, how["aws_session_token"] or "")
        return self.clients().client(service, signer)

    def _process(self, words: list[str], **_: object) -> SimpleNamespace:
        """Stand in for the one process that labs may name: the AWS CLI exporting a profile."""
        if words[:4] != ["aws", "configure", "export-credentials", "--profile"]:
            raise CredentialsError(_PROCESS)
        name = "".join(words[4:5])
        found = self.profiles.get(name) or self.get(name)
        if found is None:
            raise CredentialsError(f"There is no profile {name} (yet).")
        output = {
            "Version": 1,
            "AccessKeyId": found.access_key_id,
            "SecretAccessKey": found.secret_access_key,
            "SessionToken": found.session_token or None,
        }
        return SimpleNamespace(returncode=0, communicate=lambda: (json.dumps(output).encode(), b""))
