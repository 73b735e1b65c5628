"""Profile files: private, written atomically, and readable by the aws CLI."""

import stat

import botocore.session
import pytest
from rich.pretty import pretty_repr

from stslab.aws.profiles import ProfileFiles
from stslab.errors import CredentialsError, StateFolderError
from stslab.runner.ports import Credentials

STS = Credentials("AKIASTS", "STS/SECRET+0123456789")
ASSUMED = Credentials("ASIA", "SECRET0123456789", "TOKEN/0123==", "2030-01-01T00:00:00Z")


@pytest.fixture
def files(tmp_path) -> ProfileFiles:
    return ProfileFiles(tmp_path / "p" / "sandbox", "eu-central-1", "http://127.0.0.1:4100")


def test_a_saved_profile_is_read_by_the_next_process(files, tmp_path):
    files.save("sts", STS)
    files.save("assumed", ASSUMED)
    again = ProfileFiles(files.folder, "eu-central-1")
    assert (again.get("sts"), again.get("assumed")) == (STS, ASSUMED)
    assert again.names() == ("sts", "assumed")
    again.remove("sts")
    again.remove("sts")
    assert files.get("sts") is None
    assert files.get("assumed") == ASSUMED


def test_only_their_owner_can_read_them(files):
    files.save("sts", STS)
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in files.folder.iterdir()} == {0o600}
    assert sorted(one.name for one in files.folder.iterdir()) == ["config", "credentials"]


@pytest.mark.parametrize(("profile", "key"), [("sts", "AKIASTS"), ("admin", "A"), (None, "A")])
def test_botocore_and_the_cli_read_them(files, monkeypatch, profile, key):
    files.save("admin", Credentials("A", "ADMINSECRET"))
    files.save("sts", STS)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(files.config_file))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(files.credentials_file))
    session = botocore.session.Session(profile=profile)
    assert session.get_credentials().access_key == key
    assert session.get_config_variable("region") == "eu-central-1"
    scoped = session.get_scoped_config()
    assert scoped["endpoint_url"] == "http://127.0.0.1:4100"
    assert scoped["s3"] == {"addressing_style": "path"}


def test_on_a_real_account_admin_is_the_learners_own_profile(tmp_path, monkeypatch):
    files = ProfileFiles(
        tmp_path / "p", "us-east-1", processes={"admin": "env -u X true --profile me"}
    )
    files.prepare()
    text = files.config_file.read_text()
    assert text.count("credential_process = env -u X true --profile me") == 2
    assert "endpoint_url" not in text
    assert files.names() == ()


def test_secrets_are_not_in_a_repr(files):
    files.save("sts", ASSUMED)
    shown = repr(ASSUMED) + pretty_repr(ASSUMED) + repr(files) + repr(files.get("sts"))
    assert shown.count(ASSUMED.access_key_id) == 3
    assert ASSUMED.secret_access_key not in shown
    assert ASSUMED.session_token not in shown


@pytest.mark.parametrize("text", ["no section\n", "[sts]\naws_access_key_id\n", "\0["])
def test_the_error_for_damaged_files_does_not_quote_them(files, text):
    files.prepare()
    files.credentials_file.write_text(text + "aws_secret_access_key = HIDDENSECRET\n")
    with pytest.raises(CredentialsError, match="are damaged") as caught:
        files.names()
    assert "HIDDENSECRET" not in str(caught.value) + caught.value.hint


def test_a_half_written_profile_is_not_used_and_stays(files):
    files.prepare("sts")
    assert "[profile sts]" in files.config_file.read_text()
    half = "[sts]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n"
    files.credentials_file.write_text(half)
    assert files.get("sts") is None
    files.save("admin", STS)
    assert half in files.credentials_file.read_text()
    assert "[profile sts]" in files.config_file.read_text()
    files.remove("sts")
    assert "sts" not in files.credentials_file.read_text() + files.config_file.read_text()


@pytest.mark.parametrize("name", ["default", "", "a b", "a]\nb", "../x", "x" * 65])
def test_invalid_profile_names(files, name):
    with pytest.raises(CredentialsError):
        files.save(name, STS)
    assert not files.folder.exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "p").write_text("")
    with pytest.raises(StateFolderError):
        ProfileFiles(tmp_path / "p", "us-east-1").save("sts", STS)
    (tmp_path / "q" / "credentials").mkdir(parents=True)
    with pytest.raises(StateFolderError):
        ProfileFiles(tmp_path / "q", "us-east-1").names()


def test_how_a_profile_gets_its_credentials(tmp_path):
    files = ProfileFiles(tmp_path / "p", "us-east-1")
    said = {"role_arn": "arn:aws:iam::111122223333:role/r", "source_profile": "sts"}
    files.configure("reader", said)
    again = ProfileFiles(tmp_path / "p", "us-east-1")
    again.save("sts", Credentials("AKIA0000000000000000", "secret"))
    assert again.settings == {"reader": said}
    assert again.get("reader") is None
    scoped = botocore.session.Session(
        session_vars={"config_file": (None, None, str(files.config_file), None)}, profile="reader"
    ).get_scoped_config()
    assert said.items() <= scoped.items()
    again.configure("reader", {})
    assert "role_arn" not in files.config_file.read_text()
    assert ProfileFiles(tmp_path / "p", "us-east-1").settings == {}


@pytest.mark.parametrize("value", ["a\ncredential_process = rm", "a\r[x]", " a", "a\x1b"])
def test_a_setting_is_one_line(tmp_path, value):
    files = ProfileFiles(tmp_path / "p", "us-east-1")
    with pytest.raises(CredentialsError):
        files.configure("reader", {"external_id": value})
    assert not files.config_file.exists()


@pytest.mark.parametrize(
    "answered",
    [
        Credentials("", "x\ncredential_process = touch y"),
        Credentials("AKIA0000000000000000", "x\n[other]\ncredential_process = touch y"),
        Credentials("AKIA\rx", "secret"),
        Credentials("ASIA0000000000000000", "secret", "token\nx = y"),
        Credentials("ASIA0000000000000000", "secret", "token", "2030\nx = y"),
    ],
)
def test_a_server_can_not_add_lines_to_the_files(files, answered):
    """botocore and the CLI run the ``credential_process`` of the credentials file too."""
    with pytest.raises(CredentialsError) as refused:
        files.save("sts", answered)
    assert not files.folder.exists()
    assert "touch" not in refused.value.message
