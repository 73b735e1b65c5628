"""The variables of `stslab env` make the aws CLI use the target, in every shell."""

import os
import subprocess

import pytest
from tests import programs

from stslab.aws import environment
from stslab.aws.profiles import ProfileFiles
from stslab.errors import UsageError

AWKWARD = 'it\'s a $(test) `of` "all" \\ {a,b}\tand ü'


@pytest.fixture
def changes(tmp_path, monkeypatch):
    files = ProfileFiles(tmp_path / AWKWARD.replace("/", ""), "us-east-1", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://elsewhere")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t")
    monkeypatch.setenv("A", "b")
    return environment.variables(files, "us-east-1")


def test_variables_that_override_profiles_are_unset(changes):
    gone = {name for name, value in changes.items() if value is None}
    assert {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_DEFAULT_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL_LAMBDA",
    } <= gone
    assert changes["AWS_PROFILE"] == "admin"
    assert changes["AWS_REGION"] == changes["AWS_DEFAULT_REGION"] == "us-east-1"


def test_a_subshell_gets_the_changes(changes):
    made = environment.applied(changes)
    assert made["A"] == "b"
    assert "AWS_SESSION_TOKEN" not in made
    assert AWKWARD in made["AWS_CONFIG_FILE"]


SHELLS = ("sh", "bash", "dash", "zsh", "fish")


@pytest.mark.parametrize(
    "shell", [pytest.param(name, marks=pytest.mark.needs(name)) for name in SHELLS]
)
def test_a_shell_reads_it_back(changes, shell):
    text = environment.script(changes, shell)
    asked = f'{text}\nprintf %s "$AWS_CONFIG_FILE|$AWS_SESSION_TOKEN|$AWS_PROFILE"'
    done = subprocess.run(
        [str(programs.find(shell)), "-c", asked],
        env={"AWS_SESSION_TOKEN": "t", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{changes['AWS_CONFIG_FILE']}||admin"


def test_fish_quoting(changes):
    text = environment.script({"A": "it's \\", "B": None}, "fish")
    assert text == "set -gx A 'it\\'s \\\\'\nset -e B\n"


@pytest.mark.parametrize(
    ("environ", "value"),
    [
        ({}, None),
        ({"HTTP_PROXY": "http://p"}, "127.0.0.1"),
        ({"http_proxy": "http://p", "NO_PROXY": "a.b"}, "a.b,127.0.0.1"),
        ({"HTTP_PROXY": "http://p", "no_proxy": "127.0.0.1"}, None),
        ({"HTTP_PROXY": "http://p", "no_proxy": "a.b, 127.0.0.1"}, None),
        ({"HTTP_PROXY": "http://p", "no_proxy": "*"}, None),
        ({"HTTP_PROXY": "http://p", "no_proxy": "127.0.0.11"}, "127.0.0.11,127.0.0.1"),
        ({"HTTP_PROXY": "http://p", "no_proxy": "a", "NO_PROXY": "127.0.0.1"}, "a,127.0.0.1"),
    ],
)
def test_calls_to_this_machine_go_past_a_proxy(tmp_path, monkeypatch, environ, value):
    for name in ("HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, given in environ.items():
        monkeypatch.setenv(name, given)
    files = ProfileFiles(tmp_path, "us-east-1")
    assert environment.variables(files, "us-east-1").get("NO_PROXY") == value


@pytest.fixture
def own_settings(monkeypatch, tmp_path):
    for name in (*environment.SET, environment.OWN, "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    given = {
        "AWS_PROFILE": "it's mine",
        "AWS_CONFIG_FILE": "own/config",
        "AWS_ACCESS_KEY_ID": "AKIAME",
        "AWS_SECRET_ACCESS_KEY": "HIDDENSECRET",
        "AWS_SESSION_TOKEN": "HIDDENTOKEN",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return {**given, "AWS_CONFIG_FILE": str(tmp_path / "own/config")}


def test_the_learners_own_settings_are_kept_without_secrets(own_settings, monkeypatch, tmp_path):
    files = ProfileFiles(tmp_path / "p", "us-east-1", "http://127.0.0.1:1")
    before = environment.own()
    changes = environment.variables(files, "us-east-1")
    assert "HIDDEN" not in environment.script(changes, "sh") + before
    inside = environment.applied(changes)
    for name in own_settings:
        monkeypatch.delenv(name)
    for name, value in inside.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir("/")
    ended = environment.applied(environment.restoration())
    assert environment.own() == before  # also inside, where files of ours are named
    kept = {name: ended.get(name) for name in own_settings}
    gone = {"AWS_SECRET_ACCESS_KEY": None, "AWS_SESSION_TOKEN": None}
    assert kept == {**own_settings, **gone}
    assert environment.OWN not in ended


def test_keys_that_are_set_later_stay(own_settings, monkeypatch, tmp_path):
    monkeypatch.setenv(environment.OWN, environment.own())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANEW")
    environment.restore()
    assert os.environ["AWS_ACCESS_KEY_ID"] == "AKIANEW"
    assert environment.OWN not in os.environ


def test_what_is_not_set_is_not_restored(own_settings):
    """As with a second `stslab env --unset`: the first brought the learner's settings back."""
    assert environment.restoration() == {}


def test_the_endpoint_of_any_service_comes_back(own_settings, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://mine")
    files = ProfileFiles(tmp_path / "p", "us-east-1", "http://127.0.0.1:1")
    for _ in range(2):  # also from within
        changes = environment.variables(files, "us-east-1")
        assert changes["AWS_ENDPOINT_URL_LAMBDA"] is None
        for name, value in changes.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
    assert environment.restoration()["AWS_ENDPOINT_URL_LAMBDA"] == "http://mine"


@pytest.mark.parametrize("value", ["x", "'AWS_PROFILE=a", "PATH=/x", "AWS_PROFILE", "'AWS_A;b=1'"])
def test_settings_that_are_damaged_are_refused(own_settings, monkeypatch, value):
    monkeypatch.setenv(environment.OWN, value)
    with pytest.raises(UsageError, match="damaged"):
        environment.own()
