"""`stslab why MESSAGE`: where the message may come from, and texts that are not messages."""

import io
import json

import pytest

MESSAGE = (
    "An error occurred (AccessDenied) when calling the AssumeRole operation: User: "
    "arn:aws:iam::111122223333:user/ana is not authorized to perform: sts:AssumeRole on "
    "resource: arn:aws:iam::111122223333:role/deploy because no role trust policy allows the "
    "sts:AssumeRole action"
)
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.fixture
def stdin(monkeypatch):
    def given(content: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))

    return given


def understood(said):
    assert said.code == 0, said.err
    return json.loads(said.out)


def test_as_an_argument(stslab):
    told = understood(stslab("why", MESSAGE, "--json"))
    assert (told["gate"], told["deny"], told["who_is"]) == ("trust policy", "implicit", "IAM user")
    shown = stslab("why", MESSAGE)
    assert (shown.code, shown.err) == (0, "")
    assert "aws iam get-role --role-name deploy" in shown.out


def test_without_quotation_marks(stslab):
    words = MESSAGE.replace("(", "").replace(")", "").split()
    assert understood(stslab("why", *words, "--json"))["gate"] == "trust policy"


def test_from_stdin(stslab, stdin):
    stdin(f"some output\n{MESSAGE}\n".encode())
    assert understood(stslab("why", "-", "--json"))["gate"] == "trust policy"


def test_from_a_file_that_is_not_utf8(stslab, tmp_path):
    path = tmp_path / "err.txt"
    path.write_bytes(b"\xff\xfe\x00" + MESSAGE.encode())
    assert understood(stslab("why", str(path), "--json"))["gate"] == "trust policy"


@pytest.mark.parametrize("code", ["ExpiredToken", "AccessDenied", "InvalidClientTokenId"])
def test_a_code_alone_is_a_message(stslab, code):
    assert understood(stslab("why", code, "--json"))["error"] == code


@pytest.mark.parametrize(
    "given", ["hello there", "NoSuchBucket: it is not there", '{"a": 1}', " ", ""]
)
def test_texts_that_are_not_messages(stslab, given):
    said = stslab("why", given)
    assert (said.code, said.out) == (2, "")
    assert "No refusal by AWS" in said.err
    assert "stslab why -" in said.err


def test_nothing_on_stdin(stslab, stdin):
    stdin(b"")
    assert stslab("why", "-").code == 2


def test_a_missing_file(stslab, tmp_path):
    said = stslab("why", str(tmp_path / "gone.txt"))
    assert said.code == 2
    assert "neither a file nor" in said.err


def test_a_folder(stslab, tmp_path):
    said = stslab("why", str(tmp_path))
    assert said.code == 2
    assert "can't be read" in said.err


@pytest.mark.parametrize("request_id", ["4d6919c9", "XVKX5BJF6YSHM3FF"])
def test_an_id_is_looked_up_in_the_log(stslab, request_id):
    said = stslab("why", request_id)
    assert said.code == 2
    assert "no request whose id begins with" in said.err


@pytest.mark.parametrize("given", [SECRET, f"token {SECRET}", f"{MESSAGE}\n{SECRET}"])
def test_a_secret_is_not_repeated(stslab, given):
    said = stslab("why", given)
    assert SECRET not in said.out + said.err


def test_the_embedded_account_is_not_asked(stslab, state):
    stslab("why", MESSAGE)
    assert not state.exists()


def test_the_help_has_examples(stslab):
    told = " ".join(stslab("why", "--help").out.split())
    assert "terraform apply 2>&1 | stslab why -" in told
    assert "what it can't say" in told
