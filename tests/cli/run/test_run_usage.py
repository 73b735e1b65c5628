"""Wrong flags and arguments of commands on runs are reported before anything starts."""

import json

import pytest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--to", "nowhere"], "nowhere"),
        (["run", "--from", "nowhere"], "create-user"),
        (["run", "--from", "cleanup", "--to", "create-user"], "comes after"),
        (["run", "--target", "moon"], "moon"),
        (["run", "no-such-lab"], "no-such-lab"),
        (["run", "./no/such.yaml"], "no/such.yaml"),
        (["run", "--unknown"], "--unknown"),
        (["run", "a", "b"], "b"),
        (["step"], "create-user"),
        (["step", "nowhere"], "nowhere"),
        (["check", "nowhere"], "nowhere"),
        (["check", "create-user", "--all"], "--all"),
        (["check", "--target", "moon"], "moon"),
        (["cleanup", "--target", "moon"], "moon"),
        (["run", "--target", "http://"], "http://"),
        (["run", ""], "''"),
        (["env", "--shell", "csh"], "csh"),
        (["sandbox", "start", "--port", "99999"], "99999"),
        (["sandbox", "dance"], "dance"),
        (["completion", "csh"], "csh"),
    ],
)
def test_a_usage_error_says_what_is_wrong_and_starts_nothing(arguments, said, stslab, state):
    done = stslab(*arguments)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    assert not (state / "sandbox").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stslab: 1\n",
        "- a\n- b\n",
        "stslab: 2\nid: x\n",
        "a: [\n",
        "\x00",
        "!!python/object:x {}",
    ],
)
def test_an_invalid_lab_is_pointed_at_and_starts_nothing(text, stslab, state, tmp_path):
    lab = tmp_path / "lab.yaml"
    lab.write_text(text)
    done = stslab("run", "--yes", str(lab))
    assert done.code == 2
    assert str(lab) in done.err
    assert "Traceback" not in done.err
    assert not (state / "sandbox").exists()


def test_the_environment_replaces_flags(stslab, monkeypatch):
    monkeypatch.setenv("STSLAB_TARGET", "moon")
    assert "moon" in stslab("run").err
    monkeypatch.setenv("STSLAB_TARGET", "sandbox")
    monkeypatch.setenv("STSLAB_RUN_LAST", "nowhere")
    assert "nowhere" in stslab("run").err


def test_a_flag_overrides_the_environment(stslab, monkeypatch):
    monkeypatch.setenv("STSLAB_TARGET", "moon")
    said = stslab("run", "--dry-run", "--target", "sandbox")
    assert said.code == 0


def test_a_dry_run_shows_every_call_and_starts_nothing(stslab, state):
    said = stslab("run", "--dry-run")
    assert said.code == 0
    for words in ("iam create-user", "cloudformation create-stack", "sts assume-role"):
        assert f"aws {words}" in said.out
    assert not state.exists()
    some = stslab("run", "--dry-run", "--from", "attach-policy", "--to", "attach-policy")
    assert "put-user-policy" in some.out
    assert "create-user " not in some.out


def test_a_dry_run_as_json(stslab):
    import json

    events = [json.loads(line) for line in stslab("run", "--dry-run", "--json").out.splitlines()]
    assert events[0]["event"] == "run_started"
    assert events[0]["dry"] is True


def test_a_stage_that_lacks_others_begins_no_run(stslab) -> None:
    said = stslab("step", "attach-policy", "--yes")
    assert said.code == 1
    assert "create-user, deploy-role" in " ".join(said.err.split())
    assert json.loads(stslab("status", "--json").out) == []
