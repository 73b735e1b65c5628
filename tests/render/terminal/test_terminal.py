"""The terminal view of a run."""

import json
import re
import shlex

import pytest
from msgspec.structs import replace
from tests.render.drawing import Screen, as_a_shell_reads, drawn
from tests.render.story import ASSUME, DENIED, PUT_POLICY, ROLE, denied_check, failed_check, story

from stslab.aws.command import aws_command
from stslab.render.terminal.paper import Paper, make_console
from stslab.runner import events
from stslab.runner.ports import Call

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def _kinds() -> set[type]:
    classes = [one for one in vars(events).values() if isinstance(one, type)]
    return {one for one in classes if issubclass(one, events.Event) and one is not events.Event}


def test_the_story_has_every_event_and_each_is_drawn():
    assert {type(event) for event in story()} == _kinds()
    for event in story():
        drawn([event])


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "iso-8859-1"])
def test_no_line_is_wider_than_the_screen_unless_it_is_one_long_word(columns, encoding):
    for line in drawn(story(), columns, encoding=encoding).splitlines():
        words = line.rstrip("\\ ").split()
        longest = max(map(len, words), default=0)
        assert len(line) <= columns or longest > columns - 40, line


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "cp1252"])
def test_output_that_is_not_unicode_gets_only_ascii(encoding):
    text = drawn(story(), encoding=encoding)
    assert text.isascii()
    assert "[ok]" in text
    assert "[FAILED]" in text
    assert "?" not in text


@pytest.mark.parametrize("how", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"terminal": False}])
def test_without_colour_only_text_is_written(how):
    how = {"terminal": True, **how}
    text = drawn(story(), **how)
    assert "\x1b[3" not in text
    assert "\x1b[1m" not in text
    if not how["terminal"] or how.get("TERM") == "dumb":
        assert "\x1b" not in text
        assert "\r" not in text


def test_colour_is_never_the_only_sign():
    coloured = drawn([denied_check(), failed_check()], terminal=True)
    assert "\x1b[" in coloured
    plain = ESCAPE.sub("", coloured)
    assert "✔ The user may not assume it yet" in plain
    assert "✘ The stack is complete" in plain


def test_without_colour_a_title_does_not_run_into_the_sentence_about_it():
    role = events.StepDrifted("s", "Make the role", 0, "IAM role lab is gone", True)
    user = events.StepDiffers("s", "Make the user", "IAM user u differs from the lab's", ())
    stage = events.StageStarted("s", "The role", "It is made.", (), 1, 6)
    assert drawn([stage]).strip() == "1/6 The role\n\nIt is made."
    assert drawn([user]).strip() == "! Make the user: IAM user u differs from the lab's"
    assert drawn([role]).strip().startswith("! Make the role: IAM role lab is gone\n")


def test_a_denial_that_is_expected_is_shown_as_a_success_with_aws_message():
    text = drawn([events.CheckStarted("s", "x", ASSUME), denied_check()], 400)
    assert "✔ The user may not assume it yet  as sts" in text
    assert "denied, as it should be: AccessDenied" in text
    assert DENIED in text
    assert "Trust alone is not enough." in text


def test_a_check_that_does_not_hold_says_what_was_expected():
    text = drawn([failed_check()])
    assert "ROLLBACK_COMPLETE" in text
    assert "expected StackStatus == 'CREATE_COMPLETE'" in text


def _command_in(text: str) -> str:
    """The command to copy: from `aws` to its last line."""
    start = text.index("aws ")
    lines = text[start:].split("\n")
    taken = []
    for line in lines:
        taken.append(line)
        if not line.endswith("\\") and "\n".join(taken).count("'") % 2 == 0:
            break
    return "\n".join(taken)


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
@pytest.mark.parametrize("call", [PUT_POLICY, ASSUME])
def test_a_command_copied_from_the_screen_is_unchanged(columns, call):
    text = drawn([events.StepStarted("s", "Title", call, 1, 1)], columns)
    copied = as_a_shell_reads(_command_in(text))
    meant = shlex.split(aws_command(call))
    assert len(copied) == len(meant)
    for one, other in zip(copied, meant, strict=True):
        assert one == other or json.loads(one) == json.loads(other)


UNSEEN = json.dumps(["red [bold] :smile: \u202e", "\ud800", "s3:GetObject" * 9])
POLICY = {"PolicyDocument": UNSEEN}
HOSTILE = "red \x1b[31mtext\x1b]0;title\x07 \u202emirrored [bold]markup[/bold] :smile: \r\x08 end"


@pytest.mark.parametrize("target", ["sandbox", "aws"])
def test_the_embedded_account_can_explain_what_it_refused_and_aws_can_not(target):
    failed = events.StepFailed("s", "Assume it", ASSUME, "AccessDenied", "no", "0123456789ab", 0.2)
    begun = story()[0]
    assert isinstance(begun, events.RunStarted)
    begun = replace(begun, target=target)
    explains = target == "sandbox"
    refused = replace(failed_check(), code="AccessDenied")
    for event, request in ((failed, "01234567"), (refused, "r-2")):
        text = " ".join(drawn([begun, event]).split())
        assert (f"stslab why {request} explains how it was decided" in text) is explains
        assert ("stslab why" in text) is explains
    assert "stslab why" not in drawn([begun, failed_check()])


def test_a_claim_that_a_later_stage_changed_is_not_a_failure():
    changed = replace(failed_check(), held_at="2026-01-02T03:04:05.000+00:00", changed_by="later")
    text = drawn([changed])
    assert "It held at 2026-01-02T03:04:05; stage later has changed that since." in text
    assert "✘" not in text


def test_a_claim_about_a_thing_never_made_is_not_counted():
    text = drawn([replace(denied_check(), void=True, proof="this run never made it")])
    assert "this run never made it: not counted" in text
    assert "✔" not in text


def test_the_gates_that_refused_are_named():
    text = drawn([replace(denied_check(), gates=("trust policy", "boundary"))])
    assert "denied, as it should be: AccessDenied, by the trust policy and the boundary" in text


@pytest.mark.parametrize(
    "event",
    [
        events.StepFinished("s", HOSTILE, ((HOSTILE, HOSTILE),), {}, HOSTILE, HOSTILE, 0.1),
        events.StepFailed("s", HOSTILE, ASSUME, HOSTILE, HOSTILE, HOSTILE, 0.1),
        events.StackProgress(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE),
        events.CheckFinished("s", HOSTILE, True, True, HOSTILE, HOSTILE, HOSTILE, "", "", 0.1),
        events.CheckFinished("s", HOSTILE, False, False, HOSTILE, HOSTILE, "", HOSTILE, "", 0.1),
        events.UndoFinished(HOSTILE, (), events.UndoOutcome.FAILED, HOSTILE, 0.1),
        events.ThingLookedUp(HOSTILE, None, False, HOSTILE),
        events.CleanupFinished("r", (), ((HOSTILE, HOSTILE),), 0.1),
        events.RunFinished(
            "r",
            "x",
            1,
            ((HOSTILE, HOSTILE, "allowed"),),
            ((HOSTILE, (HOSTILE,)),),
            ((HOSTILE, HOSTILE),),
            1,
            0.1,
        ),
        events.Notice("warning", HOSTILE, HOSTILE),
        events.Waiting(HOSTILE, 1, 0.0, 1.0),
        events.StageStarted("s", HOSTILE, HOSTILE, ((HOSTILE, HOSTILE),), 1, 1),
        events.StepStarted("s", HOSTILE, Call("x", "iam", "GetUser", {"UserName": HOSTILE}), 1, 1),
        events.StepStarted("s", "a", Call("x", "iam", "CreatePolicy", POLICY), 1, 1),
    ],
)
def test_texts_of_labs_and_aws_can_not_control_the_terminal(event):
    text = drawn([event], terminal=False)
    for character in "\x1b\x07\x08\r\u202e":
        assert character not in text
    assert "red" in text
    if not isinstance(event, events.StageStarted):
        assert "[bold]" in text
        assert ":smile:" in text


def test_in_a_pipe_a_wait_is_reported_at_its_start_and_every_ten_seconds():
    waits = [events.Waiting("the stack", n, float(n), 60.0) for n in range(26)]
    said = [line for line in drawn(waits).splitlines() if "the stack" in line]
    assert [re.findall(r"(\d+) s of", line) for line in said] == [["0"], ["10"], ["20"]]


def test_on_a_terminal_a_wait_is_one_line_redrawn_and_erased():
    waits = [events.Waiting("the stack", n, float(n), 60.0) for n in range(3)]
    done = events.StepFinished("s", "t", (), {}, None, "", 3.0)
    text = drawn([*waits, done], terminal=True)
    assert text.count("\r\x1b[2K") == 3
    assert "\n" not in text[: text.rindex("\r\x1b[2K")]


def test_a_wait_takes_at_most_one_line():
    text = drawn([events.Waiting("w" * 300, 1, 1.0, 2.0)], 60, terminal=True)
    assert len(ESCAPE.sub("", text).strip("\r")) < 60


def test_json_documents_are_laid_out():
    text = drawn(
        [
            events.StepFinished(
                "s", "t", (("Policy", PUT_POLICY.params["PolicyDocument"]),), {}, None, "", 1
            )
        ]
    )
    assert '"Effect": "Allow"' in text
    assert text.count("\n") > 8


def test_names_stay_whole_however_narrow_the_screen():
    for columns in (40, 60, 80):
        text = drawn([events.StepFinished("s", "t", (("Role", ROLE),), {}, None, "", 1.0)], columns)
        assert ROLE in text


@pytest.mark.parametrize(("columns", "counted"), [(1, 20), (90, 90), (99_999_999_999_999, 1_000)])
def test_a_width_that_no_screen_has_is_not_believed(columns, counted):
    console = make_console(Screen(), environ={"COLUMNS": str(columns)})
    assert console.width == counted


@pytest.mark.parametrize("columns", [30, 45])
def test_a_table_is_as_narrow_as_its_screen(columns):
    screen = Screen(terminal=True)
    paper = Paper(make_console(screen, environ={"COLUMNS": str(columns), "TERM": "xterm-256color"}))
    paper.markdown("| code | means |\n| --- | --- |\n| 0 | done; a run that stops early says so |")
    lines = ESCAPE.sub("", screen.getvalue()).splitlines()
    assert max(map(len, lines)) <= columns
    assert " ".join(" ".join(lines).split()).endswith("0 done; a run that stops early says so")


def test_cleanup_ends_with_leftovers_and_the_commands_to_remove_them():
    left = events.CleanupFinished("r", (), (("user x", "aws iam delete-user --user-name x"),), 1.0)
    text = drawn([events.ThingLookedUp("user x", None, False, "it answers"), left])
    assert "✘ 1 thing of run r left" in text
    assert "aws iam delete-user --user-name x" in text
    clean = events.CleanupFinished("r", ("user x",), (), 1.0)
    text = drawn([events.ThingLookedUp("user x", None, True, "NoSuchEntity"), clean])
    assert "Nothing of run r is left: 1 thing removed, 1.0 s\n" in text
    assert "NoSuchEntity" in text
    nothing = drawn([events.CleanupFinished("r", (), (), 1.0)])
    assert "Nothing of run r is left: there was nothing to remove, 1.0 s\n" in nothing


def test_the_list_of_stages_shows_states_without_colour():
    text = drawn(story()[:1])
    assert "✔ 1. Create" in text
    assert "▶ 2. Deploy" in text
    assert "○ 3. Undo" in text


def test_the_end_counts_what_was_proved():
    text = drawn([story()[-3]])
    assert "2 of 4 claims proved, 33 API calls, 1 min 5 s" in text


_DRAWN = re.compile(r"[\u2500-\u257f\u2580-\u259f✔✘▶○…→•]")


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("terminal", [True, False])
def test_plain_says_everything_in_words(columns, terminal, monkeypatch):
    monkeypatch.setenv("STSLAB_PLAIN", "1")
    text = drawn(story(), columns, terminal=terminal)
    assert not _DRAWN.search(text)
    assert "\x1b" not in text
    assert "done: The user may not assume it yet" in text
    assert "failed: The stack is complete" in text


@pytest.mark.parametrize(("code", "page"), [("EntityAlreadyExists", "CreateUser"), ("Nope", "")])
def test_an_unexpected_error_of_aws_comes_with_its_meaning_and_page(code, page):
    failed = events.StepFailed("s", "Make it", ASSUME, code, "no", "r-1", 0.2)
    refused = replace(failed_check(), code=code)
    for event in (failed, refused):
        text = drawn([event])
        assert ("There is one of this name already." in text) is bool(page)
        assert ("https://docs.aws.amazon.com/" in text) is bool(page)
        assert page in text


def test_code_has_no_background_which_would_blot_a_light_terminal():
    screen = Screen(terminal=True)
    console = make_console(screen, environ={"TERM": "xterm-256color"})
    Paper(console).markdown("Run `stslab run`.")
    assert "stslab run" in screen.getvalue()
    assert not re.search(r"\x1b\[(?:\d+;)*4\d[;m]", screen.getvalue())
