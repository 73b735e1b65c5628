"""The guided lesson, by a learner at a real pseudo-terminal."""

from __future__ import annotations

import json
import re

import pytest
from tests.e2e.machine import PROVED, Machine
from tests.e2e.screen import Open, Terminal

pytestmark = pytest.mark.slow


def to_the_first_question(terminal: Terminal) -> str:
    terminal.wait("Enter begins")
    terminal.enter()
    terminal.wait("A script that runs outside", "admin $ aws iam create-user --user-name $STS_USER")
    terminal.enter()
    terminal.wait("admin $ aws iam create-access-key")
    terminal.enter()
    return terminal.wait("What will AWS answer?", "question 1 of")


PROMPTS = {
    "Your answer:": "",
    "Enter begins:": "\r",
    "Enter goes on:": "\r",
    "Enter shows more": "\r",
    "Enter removes it all:": "\r",
    "Enter ends": "\r",
    " $ aws ": "\r",
}


def walk(terminal: Terminal, answer: str, last: str = "\r") -> list[str]:
    """Enter at each prompt and ``answer`` at each question; each screen. ``last`` ends it."""
    screens = [terminal.wait("Enter begins:")]
    while "claims proved." not in screens[-1]:
        key = next((key for mark, key in PROMPTS.items() if mark in screens[-1]), None)
        if key is not None and waits(screens[-1]):
            terminal.key(key or answer)
        screens.append(terminal.changed(screens[-1]))
    terminal.key(last)
    return [*filter(waits, screens[:-1]), screens[-1]]


def waits(screen: str) -> bool:
    """Whether a prompt waits: then the line of status is the last one."""
    return "/6 " in screen.rsplit("\n", maxsplit=1)[-1]


def test_nothing_runs_before_the_learner_begins(opened: Open, machine: Machine) -> None:
    terminal = opened("run")
    text = terminal.wait("Assume a role with AWS STS", "Enter begins")
    assert "6  " in text
    terminal.enter("begin 9")
    terminal.wait("The stages are 1 to 6, as in: begin 4")
    assert machine.runs()[0]["stages"] == []
    terminal.enter("quit")
    assert terminal.ended() == 0


def test_a_wrong_prediction_is_told_so(opened: Open) -> None:
    terminal = opened("run")
    text = to_the_first_question(terminal)
    assert "aws sts get-caller-identity --profile sts" in text
    status = terminal.wait("Your answer:", "░ 1/6 ").rsplit("\n", 1)[-1]
    assert "embedded account" in status  # but no caller: its time left could tell the answer
    assert "admin" not in status
    assert "sts" not in status
    terminal.enter()  # Enter alone answers nothing
    text = terminal.wait("Type 1, 2 or 0, or type a word: `help` lists them.\nYour answer:")
    for key in "345678934567893":  # a digit that is not an answer is refused at once
        terminal.key(key)
        text = terminal.wait(f"{key} is not an answer here.", "question 1 of")
    assert text.count("Your answer") == text.count("Type 1, 2 or 0") == 1
    terminal.key("2")
    text = terminal.wait(
        "Allowed: it needs no permission.\n",
        "You said: Denied: the policies of sts don't allow it",
        ":user/sts-test-user",
    )
    assert "question" not in text
    terminal.enter("copy")
    terminal.wait("`copy` does nothing here.")
    terminal.enter()
    terminal.wait("sts wants to list all buckets", "question 2 of")
    terminal.key("1")
    terminal.wait(
        "Denied: no policy of sts allows it.\n",
        "You said: Allowed: a policy of",
        "AWS said: AccessDenied: User:",
        "policies of sts             ✘ does not allow  < decided",
    )


def test_a_copied_command_names_its_profile(opened: Open) -> None:
    terminal = opened("run", "--from", "assume-role")
    terminal.wait("Enter begins")
    terminal.enter()
    if "Enter goes on" in terminal.wait("Enter "):
        terminal.enter()
    terminal.wait("sts $ aws sts assume-role")
    terminal.enter("copy")
    terminal.wait("--role-session-name sts-example-s3 --profil\ne sts\n")
    terminal.enter()  # the line still has the command
    terminal.wait("What came back")


@pytest.mark.parametrize("columns", [80, 60])
def test_the_whole_lab(opened: Open, machine: Machine, columns: int) -> None:
    terminal = opened("run", columns=columns)
    screens = walk(terminal, "2", last="\r" if columns == 80 else "\x03")
    assert terminal.ended() == 0  # after Ctrl-C too: nothing is left to go on with
    assert PROVED in screens[-1].replace("\n", " ")
    assert "the next lab: Who am I, really?" in " ".join(screens[-1].split())
    assert machine.runs()[0]["state"] == "finished"
    predicted = json.loads(machine.stslab("report", "--json").out)["predictions"]
    right, of = (sum(one[name] for one in predicted) for name in ("right", "of"))
    assert f"You predicted {right} of {of} right." in screens[-1]
    assert len(screens) <= (30 if columns == 80 else 36)
    assert all(len(screen.split("\n")) <= 24 for screen in screens)
    questions = [screen for screen in screens if "Your answer" in screen]
    assert any("trust policy of the role" in screen for screen in questions)
    last = next(" ".join(screen.split()) for screen in screens if "A lab that leaves" in screen)
    walls = "is open to the role ✔ 4 more steps and checks went well Undo everything"
    assert walls in last  # the checks after the last question
    assert all(len(line) <= columns for screen in screens for line in screen.split("\n"))


def test_what_a_session_is_made_of_is_told_once(opened: Open, machine: Machine) -> None:
    for lab, learned in (("assume-role", False), ("external-id", True)):
        before = "let-out" if learned else "attach-policy"
        assert machine.stslab("run", lab, "--yes", "--to", before).code == 0
        terminal = opened("run", lab)
        text = terminal.wait("Enter goes on")
        while "aws sts assume-role" not in text or "question" in text or "What came" in text:
            if text.endswith(" help"):  # a prompt waits
                terminal.enter()
            text = terminal.changed(text)
        terminal.enter()
        text = terminal.changed(text)
        while not (terminal.text.endswith(" help") and ("Enter" in text or "Your" in text)):
            text = terminal.changed(text)
        assert ("Three parts that belong together" in text) is not learned
        terminal.enter("quit")
        terminal.ended()
        assert machine.stslab("run", lab, "--yes").code == 0


def test_the_words_above_a_command_are_whole_on_a_narrow_terminal(opened: Open) -> None:
    terminal = opened("run", "mfa", columns=45)
    for shown in ("Enter shows more", "Enter begins"):
        terminal.wait(shown)
        terminal.enter()
    terminal.wait("the arrow\nkeys edit it.\nadmin $ aws iam create-user")


def test_an_edited_command_runs_in_the_shell(opened: Open) -> None:
    terminal = opened("run")
    terminal.wait("Enter begins")
    terminal.enter()
    terminal.wait("Typing replaces it; the arrow keys edit it.", "admin $ aws iam create-user")
    terminal.key("\x1a\x1b[15~")  # Ctrl-Z and F5 change nothing on the line
    terminal.enter("echo who=$AWS_PROFILE user=$STS_USER")
    terminal.wait("who=admin user=sts-test-user-", "admin $ aws iam create-user")
    terminal.enter("aws iam list-users >/dev/null; echo look''ed")
    text = terminal.wait("\nlooked\n", "admin $ aws iam create-user")
    assert "The step is not done yet" not in text
    terminal.enter("aws iam create-user --user-name other >/dev/null")
    terminal.wait("\nThe step is not done yet: there is no IAM user", "admin $ aws iam create-user")
    lines = (
        ("cd /; MINE=1; echo mov''ed", "moved"),
        ("echo now=$PWD.$MINE.", "now=/.1."),
        ("export AWS_PROFILE=sts", "Variables that begin with AWS_ last for this line only"),
        ("echo still=$AWS_PROFILE.", "still=admin."),
        ("cat <(echo bash)", "bash\n"),
        ("no-such-command", "\nbash: line "),
    )
    for line, says in lines:
        terminal.enter(line)
        terminal.wait(says, "admin $ aws iam create-user")
    terminal.key("\x1b[200~echo pas''ted\x1b[201~")  # as a terminal sends what is pasted
    terminal.enter()
    terminal.wait("pasted", "admin $ aws iam create-user")
    terminal.key("\x1b[D\x1b[C")  # there and back: what is typed now goes behind the command
    terminal.enter("; echo be''hind")
    terminal.wait("behind", "You made by hand what the step makes, so the step is done.")
    terminal.enter()
    terminal.wait("admin $ aws iam create-access-key")
    terminal.enter("aws iam create-access-key --user-name other >/dev/null")
    terminal.wait("must hold what it makes. The command\nputs it there if it is unchanged.")


def test_a_command_over_several_lines_goes_on_as_in_a_shell(opened: Open) -> None:
    terminal = opened("run")
    terminal.wait("Enter begins")
    terminal.enter()
    terminal.wait("admin $ aws iam create-user")
    terminal.enter("aws iam list-users \\")
    terminal.wait(
        "admin $ aws iam list-users \\\n>",
        "Enter runs the command once it is whole. Ctrl-C drops it.",
    )
    terminal.enter("  --query 'Users[0].{\r  Who: UserName}'")  # two lines, as if pasted
    terminal.wait(">   --query 'Users[0].{\n>   Who: UserName}'", '{\n    "Who": "admin"\n}')
    policy = "cat <<EOF\n{'a':\n 'b'}\nEOF\necho pas''ted"
    terminal.key(f"\x1b[200~{policy}\x1b[201~")
    terminal.enter()
    terminal.wait("> echo pas''ted\n{'a':\n 'b'}\npasted\n", "admin $ aws iam create-user")
    terminal.enter("echo 'dropped")
    terminal.wait("\n>\n")
    terminal.key("\x03")
    terminal.wait("admin $ echo 'dropped\n>\n\n", "admin $ aws iam create-user")
    terminal.enter("echo 'cut off")
    terminal.wait("admin $ echo 'cut off\n>\n")
    terminal.key("\x04")
    terminal.wait("The command was not whole", "admin $ aws iam create-user")
    terminal.enter("quit")
    assert terminal.ended() == 0


def test_words(opened: Open) -> None:
    terminal = opened("run")
    terminal.wait("Enter begins")
    terminal.enter("help")
    terminal.wait("or the rest of the stage")
    terminal.enter()
    terminal.wait("admin $ aws iam create-user")
    terminal.enter("2")
    text = terminal.wait(
        "There is no question here for a digit to answer.", "admin $ aws iam create-user"
    )
    assert "The step is not done yet" not in text
    terminal.enter("more")
    text = terminal.wait("implicit deny", "Enter shows more, `q` ends the text")
    terminal.key(" ")  # as in every pager
    terminal.changed(text)
    terminal.enter("more")
    terminal.wait("implicit deny", "Enter shows more, `q` ends the text")
    terminal.key("q")  # of the page, not of the lesson
    terminal.wait("A script that runs outside", "admin $ aws iam create-user")
    terminal.enter("more")
    terminal.wait("implicit deny", "Enter shows more, `q` ends the text")
    terminal.enter("clear; echo in the mid''dle")  # ends the text, and is on the line
    terminal.wait("admin $ clear; echo in the mid''dle")
    terminal.enter()
    terminal.wait("in the middle", "admin $ aws iam create-user")
    terminal.enter("more")
    terminal.wait("implicit deny", "Enter shows more, `q` ends the text")
    terminal.enter("echo not ru''n")
    terminal.wait("admin $ echo not ru''n")
    terminal.enter("back")  # replaces it
    text = terminal.wait("A script that runs outside", "admin $ aws iam create-user")
    assert "not run" not in text
    terminal.enter("quit")
    assert terminal.ended() == 0


def test_a_screen_that_is_too_long_is_ended_by_q(opened: Open) -> None:
    terminal = opened("run", lines=14)
    terminal.wait("Enter shows more, `q` ends the text")
    terminal.key("q")
    terminal.wait("Enter begins")


def test_of_a_question_that_is_not_shown_to_its_end_the_prompt_says_how(opened: Open) -> None:
    terminal = opened("run", lines=12)
    text = terminal.wait("Enter shows more")
    while not ("question 3 of" in text and "Enter shows more" in text):
        if waits(text):
            terminal.key("0" if "Your answer" in text else "\r")
        text = terminal.changed(text)
    terminal.enter("hint")  # before the answers were shown
    terminal.wait("does one deny it?", "Your answer (`back` shows the question)")
    terminal.enter("back")
    terminal.wait("question 3 of", "Enter shows more")
    terminal.key("q")
    text = terminal.wait("Your answer (`back` shows the question)")
    assert "What will AWS answer?" not in text


def test_nothing_is_left_of_a_lesson_that_was_not_begun(opened: Open, machine: Machine) -> None:
    for key, code, says in (("\x03", 130, "Nothing was begun."), ("quit\r", 0, "")):
        terminal = opened("run")
        terminal.wait("Enter begins", "`begin 4` does it for you")  # as if it were the first time
        terminal.key(key)
        assert terminal.ended() == code
        assert says in terminal.text
        assert "cleanup" not in terminal.text
        assert json.loads(machine.stslab("status", "--json").out) == []


def test_what_is_typed_ahead_answers_no_question(opened: Open) -> None:
    terminal = opened("run")
    terminal.wait("Enter begins")
    terminal.key("\r" * 12 + "1111")
    terminal.wait("A script that runs outside", "admin $ aws iam create-user")
    terminal.enter("echo wait''ing")
    terminal.wait("waiting", "admin $ aws iam create-user")


def test_ctrl_c_at_a_prompt_and_going_on(opened: Open, machine: Machine) -> None:
    terminal = opened("run")
    to_the_first_question(terminal)
    terminal.key("\x03")
    assert terminal.ended() == 130
    again = opened("run")
    again.wait("Enter goes on")
    assert machine.runs()[0]["state"] == "active"
    again.enter()
    again.wait("A script that runs outside", "Enter goes on")
    again.enter()  # what was done has no command to run again
    again.wait("Give it an access key (done before)", "question 1 of")
    again.enter("skip")
    again.wait("Allowed: it needs no permission", "Enter goes on")
    again.enter("skip")
    again.wait("CloudFormation now makes")
    again.enter("skip")
    again.wait("Let the user assume that role")
    again.enter("status")
    again.wait("▶ 3  Let the user assume")


def test_ctrl_c_ends_a_command_or_drops_a_line_before_it_leaves(opened: Open) -> None:
    terminal = opened("run")
    terminal.wait("Enter begins:")
    terminal.key("mistyped")
    text = terminal.wait("Enter begins: mistyped")
    terminal.key("\x03")
    assert "mistyped" not in terminal.changed(text)
    terminal.enter()
    terminal.wait("admin $ aws iam create-user")
    terminal.enter("echo sleep''ing; sleep 50; echo not he''re")
    terminal.wait("\nsleeping")
    terminal.key("\x03")
    text = terminal.wait("^C\n\nEnter runs it.", "admin $ aws iam create-user")
    assert "not here" not in text
    terminal.enter("aws iam create-user --user-name other --output text; sleep 50")
    terminal.wait("   other")
    terminal.key("\x03")
    terminal.wait("^C\nThe step is not done yet", "admin $ aws iam create-user")
    terminal.key("aws iam lst-users")
    terminal.wait("admin $ aws iam lst-users")
    terminal.key("\x03")
    before = terminal.wait("lst-users\n\nEnter runs it.", "admin $ aws iam create-user")
    terminal.key("\x1b[D!")  # an edited line; then only a look, with the arrow keys
    terminal.changed(before)
    terminal.key("\x03")
    terminal.wait('{RUN}!"\n\nEnter runs it.', '{RUN}"\n')
    terminal.key("\x1b[D")
    terminal.key("\x03")
    assert terminal.ended() == 130
    assert "Stopped." in terminal.text


def test_a_stage_that_was_left_out_is_offered_when_it_is_missed(
    opened: Open, machine: Machine
) -> None:
    assert machine.stslab("run", "--yes", "--to", "create-user").code == 0
    terminal = opened("run", "--to", "attach-policy")
    terminal.wait("Enter goes on")
    terminal.enter()
    terminal.wait("CloudFormation now makes", "Enter goes on")
    terminal.enter("skip")
    terminal.wait(
        "Skipped: stage 2, Deploy a role that can use one bucket. Later stages need\n",
        "Let the user assume that role",
        "Enter goes on",
    )
    terminal.enter()
    terminal.wait(
        "It needs these stages, which are not done yet: Deploy a role", "Enter does that first"
    )
    terminal.enter()
    terminal.wait("CloudFormation now makes", "Enter goes on")
    terminal.enter("quit")
    assert terminal.ended() == 0


def test_what_fails_may_be_tried_again(opened: Open, machine: Machine) -> None:
    lab = machine.lab(("{1,61}", "{1,6}"))
    assert machine.stslab("run", lab, "--yes", "--to", "create-user").code == 0
    terminal = opened("run", lab)
    terminal.wait("Enter goes on")
    terminal.enter()
    terminal.wait("CloudFormation now makes", "Enter goes on")
    terminal.enter()
    terminal.wait("admin $ aws cloudformation create-stack")
    terminal.enter()
    terminal.wait("Enter tries again")
    terminal.enter("quit")
    terminal.ended()
    assert machine.stslab("cleanup", "--yes").code == 0


def test_the_end_of_input_leaves(opened: Open) -> None:
    terminal = opened("run")
    terminal.wait("Enter begins")
    terminal.enter()
    terminal.wait("admin $ aws iam create-user")
    terminal.key("\x15\x04")  # on an empty line
    terminal.wait("stslab cleanup")
    assert terminal.ended() == 0


def test_a_dumb_terminal_gets_the_same_words_and_no_escape_sequences(opened: Open) -> None:
    terminal = opened("run", TERM="dumb")
    terminal.wait("Enter begins")
    terminal.enter()
    terminal.wait("Enter runs it:")
    terminal.enter()
    terminal.wait("create-access-key")
    assert b"\x1b" not in terminal.seen


WORDS = {
    "access": "Who can do what",
    "policies": "The policies that apply",
    "more": "after the question",
    "status": "See what the session may do",
    "h": "the policies that apply",
    "why": "Nothing was refused in this run yet.",
    "copy": "aws sts get-caller-identity",
    "hint": "A digit answers",
    "hi": "There is no further hint at a question.",
}


def test_an_account_that_ended_meanwhile_is_started_again(opened: Open, machine: Machine) -> None:
    terminal = opened("run")
    to_the_first_question(terminal)
    assert machine.stslab("sandbox", "stop").code == 0
    terminal.key("1")
    terminal.wait("You said so.", "No policy was asked.", "Enter goes on")
    terminal.enter("quit")
    assert terminal.ended() == 0
    again = opened("run")  # an answered question is not asked again
    again.wait("Assume a role with AWS STS", "Enter goes on")
    again.enter()
    again.wait("A script that runs outside", "Enter goes on")
    again.enter()
    again.wait("sts wants to list all buckets", "question 2 of")
    again.key("2")
    again.wait("You said so.", "Enter goes on")
    again.enter("quit")
    assert again.ended() == 0
    third = opened("run")
    third.wait("Assume a role with AWS STS", "Enter goes on")
    third.enter()
    third.wait("A script that runs outside", "Enter goes on")
    third.enter()
    third.wait("CloudFormation now makes", "Enter goes on")
    third.enter("access")  # nor is its answer hidden any more
    third.wait("list all buckets   ·", "denied")


def test_every_word_at_a_question(opened: Open, machine: Machine) -> None:
    assert machine.aws("s3", "ls", "--no-sign-request").code  # before the run: no matter of `why`
    terminal = opened("run")
    to_the_first_question(terminal)
    for word, shows in WORDS.items():
        terminal.enter(word)
        text = terminal.wait(shows, "Your answer")
        while "Your answer (" not in text:
            text = terminal.changed(text)
        terminal.enter("back")
        while "Your answer (" in text or "What will AWS answer?\n" not in text:
            text = terminal.changed(text)
    terminal.enter("skip")  # the question, not the stage
    terminal.wait("No policy was asked.", "Enter goes on")
    terminal.enter("more")
    terminal.wait("authentication", "Enter shows more")
    terminal.enter("back")  # of a text that is longer than the screen, the rest is left out
    terminal.wait("No policy was asked.", "Enter goes on")
    terminal.enter()
    terminal.wait("sts wants to list all buckets", "question 2 of")
    terminal.enter("q")
    assert terminal.ended() == 0


def test_why_finds_a_refusal_by_a_clock_that_is_behind(opened: Open, machine: Machine) -> None:
    terminal = opened("run")
    to_the_first_question(terminal)
    assert machine.stslab("sandbox", "clock", "-3h").code == 0
    assert machine.aws("s3", "ls", profile="sts").code
    terminal.enter("why")
    terminal.wait("s3:ListBuckets: AccessDenied")


SECRET = re.compile(rb"(?<![\w/+])(?=[0-9a-f]*[A-Zg-z/+])(?:[\w/+]{60}|[\w/+]{40}(?![\w/+]))")


def test_an_allowed_call_shows_the_answer_without_its_secrets(
    opened: Open, machine: Machine
) -> None:
    assert machine.stslab("run", "external-id", "--yes", "--to", "two-accounts").code == 0
    terminal = opened("run", "external-id")
    text = terminal.wait("Enter goes on")
    while "Your answer" not in text:
        terminal.enter()
        text = terminal.changed(text)
    terminal.key("1")
    text = terminal.wait("AWS said:", "assumed-role/audit-", "Enter goes on")
    assert "SecretAccessKey ******** SessionToken ********" in " ".join(text.split())
    known = (machine.state / "profiles" / "sandbox" / "credentials").read_bytes()
    assert SECRET.search(known)  # as secrets look
    kept = b"".join(path.read_bytes() for path in machine.state.glob("journal*"))
    assert not SECRET.search(terminal.seen)
    told = machine.stslab("report", "--json").said + machine.stslab("sandbox", "log", "--json").said
    assert not SECRET.search(told.encode())
    assert b'SecretAccessKey": "*' not in kept  # nor is the answer kept


def test_without_predictions_nothing_is_asked(opened: Open, machine: Machine) -> None:
    terminal = opened("run", "--no-predict", "--to", "create-user")
    terminal.wait("Enter begins")
    terminal.enter()
    terminal.wait("admin $ aws iam create-user")
    terminal.enter()
    terminal.wait("admin $ aws iam create-access-key")
    terminal.enter()
    terminal.wait("sts asks who it is", "needs no permission", "Enter goes on")
    terminal.enter()
    text = terminal.wait("sts wants to list all buckets", "the implicit deny", "Enter goes on")
    assert "You said" not in text
    terminal.enter()
    terminal.ended()
    assert json.loads(machine.stslab("report", "--json").out)["predictions"] == []


def test_a_session_that_has_ended_is_asked_for_again(opened: Open, machine: Machine) -> None:
    assert machine.stslab("run", "--yes", "--to", "assume-role").code == 0
    assert machine.stslab("sandbox", "clock", "+61m").code == 0
    assert "denied  assumed: no valid credentials\n" in machine.stslab("access").out
    terminal = opened("run")
    terminal.wait("session ended", "Enter goes on")
    terminal.enter()
    terminal.wait("Something that you did has changed", "assumed", "Enter does that again")
    terminal.enter()
    terminal.wait("Time to use what you borrowed", "Enter goes on")
    terminal.enter()
    terminal.wait("✔ Assume the role", "assumed $ aws s3api put-object")
    terminal.enter()
    terminal.wait("question 5 of")
    terminal.enter("quit")
    assert terminal.ended() == 0
