"""stslab's own AWS profiles: a ``credentials`` and a ``config`` file that the aws CLI reads.

They are in stslab's state folder; ``~/.aws`` is never written. Format: AWS CLI User Guide,
"Configuration and credential file settings in the AWS CLI".
"""

import configparser
import re
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from stslab.errors import CredentialsError
from stslab.home import in_the_place_of, private_folder, usable
from stslab.lab.model import ProfileSettings
from stslab.runner.ports import Credentials
from stslab.vocabulary import ADMIN

_DEFAULT = "default"
_SECTION = re.compile(r"^\[profile ([A-Za-z_][A-Za-z0-9_-]{0,63})\]$", re.MULTILINE)
_FIELDS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "x_stslab_expiration": "expiration",
}
_OF_A_LAB = "x_stslab_of_a_lab"


class ProfileFiles:
    """The profiles for one target, in ``folder``; see ``stslab.runner.ports.Profiles``.

    The profile ``admin`` is also ``default``. ``processes`` maps profiles to commands that print
    the learner's own credentials: on a real account, stslab stores none for ``admin``.
    """

    def __init__(
        self, folder: Path, region: str = "", url: str = "", processes: Mapping[str, str] = {}
    ) -> None:
        self.folder = folder
        self.credentials_file = folder / "credentials"
        self.config_file = folder / "config"
        self.token_file = folder / "token"
        # Path-style addresses: BUCKET.127.0.0.1 is not a host name.
        elsewhere = f"endpoint_url = {url}\ns3 =\n    addressing_style = path\n"
        self._usable = partial(usable, folder, "The folder with stslab's profiles")
        self._settings = f"region = {region}\n{elsewhere if url else ''}"
        self._processes = processes
        self._removed = set[str]()
        self._known: dict[str, dict[str, str]] | None = None

    def save(self, name: str, credentials: Credentials) -> None:
        require(name, _values(credentials))
        known = self._read()
        if known.get(name) != credentials:
            self._write({**known, name: credentials})

    def get(self, name: str) -> Credentials | None:
        """The profile's credentials, or None if it doesn't exist or lacks a key."""
        found = self._read().get(name)
        return found if found and found.access_key_id and found.secret_access_key else None

    def remove(self, name: str) -> None:
        known = self._read()
        if known.pop(name, None):
            self._removed.add(name)
            self._write(known)

    def names(self) -> tuple[str, ...]:
        return tuple(self._read())

    def written(self) -> tuple[int, ...]:
        """When each of the files that exist was last written, in nanoseconds."""
        written = list[int]()
        for file in (self.credentials_file, self.config_file):
            with suppress(OSError):
                written.append(file.stat().st_mtime_ns)
        return tuple(written)

    def configure(self, name: str, settings: Mapping[str, str]) -> None:
        require(name, settings)
        known = self.settings
        if known.get(name, {}) == settings:
            return
        self._known = {**known, name: dict(settings)}
        if not settings:
            del self._known[name]
            self._removed.add(name)
        self._write(self._read())

    @property
    def settings(self) -> dict[str, dict[str, str]]:
        if self._known is None:
            parser = configparser.RawConfigParser(default_section="")
            with suppress(OSError, UnicodeDecodeError, configparser.Error):
                parser.read_string(self.config_file.read_text(encoding="utf-8"))
            known = ProfileSettings.__struct_fields__
            self._known = {
                name.removeprefix("profile "): {
                    key: value for key, value in parser[name].items() if key in known
                }
                for name in parser.sections()
                if parser[name].get(_OF_A_LAB)
            }
        return self._known

    def token(self) -> str:
        with self._usable(), suppress(FileNotFoundError):
            return self.token_file.read_text(encoding="utf-8")
        return ""

    def save_token(self, token: str) -> None:
        private_folder(self.folder)
        with self._usable():
            if token:
                _replace(self.token_file, token)
            else:
                self.token_file.unlink(missing_ok=True)

    def prepare(self, *names: str) -> None:
        """Write both files, with settings for the profiles ``names`` that users will fill in."""
        self._write(self._read(), names)

    def _read(self) -> dict[str, Credentials]:
        parser, text = configparser.RawConfigParser(default_section=""), b""
        with self._usable(), suppress(FileNotFoundError):
            text = self.credentials_file.read_bytes()
        try:
            parser.read_string(text.decode())
            found = {
                name: Credentials(**{of: parser[name].get(key, "") for key, of in _FIELDS.items()})
                for name in parser.sections()
            }
        except (configparser.Error, ValueError, KeyError):
            # The message doesn't quote the file: it may hold secrets.
            file = self.credentials_file
            fix = f"Remove it: rm {shlex.quote(str(file))} Then `stslab run` makes what it needs."
            raise CredentialsError(f"stslab's profiles in {file} are damaged.", fix) from None
        found.pop(_DEFAULT, None)
        return found

    def _write(self, profiles: Mapping[str, Credentials], more: Iterable[str] = ()) -> None:
        private_folder(self.folder)
        with self._usable():
            names = [_DEFAULT, ADMIN, *self._processes, *self.settings, *profiles, *more]
            with suppress(FileNotFoundError, UnicodeDecodeError):  # what users filled in by hand
                written = _SECTION.findall(self.config_file.read_text(encoding="utf-8"))
                names += [name for name in written if name not in self._removed]
            _replace(self.config_file, "".join(map(self._section, dict.fromkeys(names))))
            every = {_DEFAULT: profiles[ADMIN], **profiles} if ADMIN in profiles else profiles
            text = "".join(f"[{name}]\n{_lines(_values(keys))}\n" for name, keys in every.items())
            _replace(self.credentials_file, text)

    def _section(self, name: str) -> str:
        header = name if name == _DEFAULT else f"profile {name}"
        process = self._processes.get(ADMIN if name == _DEFAULT else name, "")
        own, lab = _lines({"credential_process": process}), _lines(self.settings.get(name, {}))
        marked = f"{_OF_A_LAB} = true\n{lab}" if lab else ""
        return f"[{header}]\n{self._settings}{own}{marked}\n"


def _values(credentials: Credentials) -> dict[str, str]:
    return {key: getattr(credentials, field) for key, field in _FIELDS.items()}


def _lines(values: Mapping[str, str]) -> str:
    return "".join(f"{key} = {value}\n" for key, value in values.items() if value)


def require(name: str, settings: Mapping[str, str]) -> None:
    """Refuse what would add lines to the files: a ``credential_process`` runs a program."""
    if name == _DEFAULT or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", name):
        fix = "Use letters, digits, - and _."
        raise CredentialsError(f"{name!r} can't be the name of a profile.", fix)
    for key, value in settings.items():
        if not value.isprintable() or value != value.strip():
            raise CredentialsError(f"{key} of profile {name} has characters it can't have.")


def _replace(path: Path, text: str) -> None:
    with in_the_place_of(path) as file:
        file.write_text(text, encoding="utf-8")
