"""Writes the tables of docs/sandbox.md, and docs/sandbox-cases.md, from the cases and tests.

`tests/cases/sandbox/table.yaml` says what the embedded account does, row by row, and which cases
show it. Run `python -m tests.sandbox.fidelity` after a case or a row has changed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import yaml_files

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases" / "sandbox"
TESTS = ROOT / "tests"
PAGE = ROOT / "docs" / "sandbox.md"
LIST = ROOT / "docs" / "sandbox-cases.md"
TABLE = "table"
_BLOCK = re.compile(r"(<!-- cases: (?P<name>[^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)
_ABOUT = (
    "The cases and tests behind the tables of [the embedded account](sandbox.md). Each case is a "
    "row of `tests/cases/sandbox/`; beside it is the page of AWS's documentation that says so. "
    "Written by `python -m tests.sandbox.fidelity`."
)
_PAGES = {
    "common": "Common errors",
    "sigv4": "Create a signed AWS API request",
    "trouble": "Troubleshoot signed requests for AWS APIs",
    "errors": "Error responses (S3)",
    "header": "Authenticating Requests: Using the Authorization Header",
    "query": "Authenticating Requests: Using Query Parameters",
    "v2": "Signing and authenticating REST requests",
    "integrity": "Checking object integrity in Amazon S3",
    "stackd": "radkawar/stackd, testdata/aws/s3/presigned_headers.json",
    "payer": "radkawar/stackd, testdata/aws/s3/requester_presigned_replay.json",
    "setting": "radkawar/stackd, testdata/aws/s3/logging_audit_replay.json",
    "argmin": "justincormack/argmin, sts_oracle.rs",
    "backlot": "S3's answers as measured on September 29, 2026: brekkylab/backlot, tests/test_s3.py",
    "swift": "public suite that is run on S3: openstack/swift, test/s3api",
    "versity": "Error responses (S3); versity/versitygw's suite, Server_large_http_header",
    "twice": "public suite that is run on S3: justincormack/argmin, headers.rs",
    "told": "Error responses (S3); scality/Arsenal#2596, versity/versitygw#1161",
    "unsigned": "S3's answer as told in versity/versitygw#2400",
    "components": "Error responses (S3); versity/versitygw's suite, sigv4_auth.go",
    "pasted": "reports of users of AWS: aws/aws-sdk-go#289, boto/boto3#2280",
    "swapped": "reports of users of AWS: boto/boto3#1391, krobertson/deb-s3#157",
    "empty": "reports of users of S3: stefansundin/s3verify#1, TTLabs/EvaporateJS#353",
    "blank": "reports of users of AWS: aws/aws-sdk-ruby#1651, serverless/serverless#6391",
    "epoch": "ceph/s3-tests, test_object_create_bad_date_before_epoch_aws2 and test_object_create_bad_date_before_today_aws2",
    "part": "Checking object integrity in Amazon S3; public records of a part's wrong digest",
}


@dataclass(frozen=True)
class Case:
    """One row of a file of cases: its file, what it shows, and its source."""

    file: str
    name: str
    source: str


@dataclass(frozen=True)
class Row:
    """One line of a table, with its cases and tests."""

    group: str
    number: int
    does: str
    cases: tuple[Case, ...]
    tests: tuple[str, ...]

    @property
    def anchor(self) -> str:
        return f"{self.group.lower().replace(' ', '-')}-{self.number}"


@functools.cache
def all_cases() -> tuple[Case, ...]:
    """Every case of every file, in their order."""
    files = sorted(path for path in CASES.glob("*.yaml") if path.stem != TABLE)
    return tuple(case for path in files for case in _cases(path))


def _cases(path: Path) -> Iterator[Case]:
    content = yaml_files.read(path)
    for row in content["cases"] if isinstance(content, dict) else content:
        name = row.get("case") or row.get("name") or _called(row)
        page = row.get("source") or _PAGES[row["page"]]
        yield Case(path.stem, name, page)


def _called(row: Mapping[str, Any]) -> str:
    given = row.get("with", {})
    shown = ", ".join(name for name in given if name not in ("Bucket", "Key"))
    return f"{row['call']} with {shown}" if shown else str(row["call"])


def rows() -> list[Row]:
    """The rows of all tables; each case is in the first that names it."""
    left = list(all_cases())
    found = []
    for group in yaml_files.read(CASES / f"{TABLE}.yaml"):
        for number, row in enumerate(group["rows"], start=1):
            patterns = row.get("cases", {})
            mine = tuple(case for case in left if _named(case, patterns))
            left = [case for case in left if case not in mine]
            tests = tuple(row.get("tests", ()))
            found.append(Row(group["group"], number, row["does"], mine, tests))
    return found


def _named(case: Case, patterns: Mapping[str, list[str]]) -> bool:
    return any(re.match(pattern, case.name) for pattern in patterns.get(case.file, ()))


def page(text: str, table: list[Row]) -> str:
    """The text of docs/sandbox.md with current tables."""

    def block(found: re.Match[str]) -> str:
        name = found["name"]
        content = _count(table) if name == "count" else _table(name, table)
        return f"{found[1]}{content}{found[3]}"

    return _BLOCK.sub(block, text)


def _table(group: str, table: list[Row]) -> str:
    lines = [f"| {row.does} | {_shown(row)} |" for row in table if row.group == group]
    return "\n".join(["| it does | shown by |", "| --- | --- |", *lines, ""])


def _shown(row: Row) -> str:
    counts = ((len(row.cases), "case"), (len(row.tests), "test"))
    words = [f"{number} {word}{'s' * (number > 1)}" for number, word in counts if number]
    return f"[{', '.join(words)}](sandbox-cases.md#{row.anchor})"


def _count(table: list[Row]) -> str:
    cases = sum(len(row.cases) for row in table)
    tests = len({test for row in table for test in row.tests})
    return (
        f"**{cases} documented behaviours** are probed, each a row of data that names the page of "
        f"AWS's documentation that says so, and {tests} further tests show what no row can.\n"
    )


def listing(table: list[Row]) -> str:
    """The text of docs/sandbox-cases.md: every row of the tables with its cases and tests."""
    lines = [
        "# What shows each row",
        "",
        _ABOUT,
    ]
    group = ""
    for row in table:
        lines += ["", f"## {row.group}"] if row.group != group else []
        group = row.group
        lines += ["", f'<a id="{row.anchor}"></a>**{row.does}**', ""]
        lines += [f"- {case.name} ({case.source})" for case in row.cases]
        lines += [f"- `tests/{test}`" for test in row.tests]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(), rows()))
    LIST.write_text(listing(rows()))
