"""An account's file that somebody else made: what is refused, and that looking runs nothing."""

from __future__ import annotations

import datetime as dt
import os
import pickle
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest
from tests.sandbox.direct import Direct
from tests.sandbox.furnished import furnish

from stslab.errors import SandboxError
from stslab.sandbox.federation.oidc import servers
from stslab.sandbox.federation.oidc.issuers import OWN_ISSUER, Issuers
from stslab.sandbox.federation.saml.identity_providers import IdentityProviders
from stslab.sandbox.saved import moto_patches
from stslab.sandbox.saved.persistence import inspection
from stslab.sandbox.saved.persistence.memory import Memory, stamps
from stslab.sandbox.server import exchange
from stslab.sandbox.server.assembly import assemble


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an account with something of everything in it."""
    folder = tmp_path_factory.mktemp("account")
    memory = Memory(folder / "account.sqlite")
    world = memory.open()
    direct = Direct(world)
    direct.inside = assemble(world, saved=memory.save)
    furnish(direct)
    world.part("oidc", Issuers).mint({"sub": "a", "aud": "b"}, world.now())
    for url in (OWN_ISSUER, "https://gitlab.com"):
        servers.reach(world, url)
    world.part("saml", IdentityProviders).get("https://idp.example.com", world.now())
    memory.save(world)
    direct.stop()
    memory.close()
    return folder


@pytest.fixture
def exported(made: Path, tmp_path: Path) -> Path:
    path = tmp_path / "exported"
    exchange.export(made, path)
    return path


def change(path: Path, sql: str, *values: object) -> None:
    file = sqlite3.connect(path)
    file.execute(sql, values)
    file.commit()
    file.close()


def refusal(path: Path) -> str:
    with pytest.raises(SandboxError) as refused:
        inspection.things(path, stamps())
    return refused.value.message


def test_what_is_exported_is_whole_and_private(made, exported):
    assert stat.S_IMODE(exported.stat().st_mode) == 0o600
    assert list(exported.parent.iterdir()) == [exported]
    saved = sqlite3.connect(made / "account.sqlite")
    rows = saved.execute("SELECT kind, account, name, body FROM thing").fetchall()
    saved.close()
    found = inspection.things(exported, stamps())
    assert sorted((*address, body) for address, body in found) == sorted(rows)
    assert len(rows) > 20


def test_the_instance_is_another_and_all_else_is_the_same(exported, tmp_path):
    things = exchange.read(exported)
    exchange._write(tmp_path / "new", things)
    again = dict(exchange.read(tmp_path / "new"))
    changed = [address for address, body in things if again[address] != body]
    assert changed == [("part", "", "header")]


class Runs:
    """Reduces to a call."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def global_(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


HOSTILE = {
    "a shell": pickle.dumps(Runs(os.system, "touch mark")),
    "eval": global_("builtins", "eval") + b'(S\'open("mark", "w")\'\ntR.',
    "a file opened by one of our classes": global_(
        "stslab.sandbox.saved.persistence.store", "Store"
    )
    + b"(S'mark'\n}tR.",
    "a server started": global_("stslab.sandbox.server.server", "SandboxServer") + b"(NI0\ntR.",
    "moto's server": global_("moto.moto_server.threaded_moto_server", "ThreadedMotoServer")
    + b"(tR.",
    "a world made": global_("stslab.sandbox.saved.account", "World") + b"(tR.",
    "a backend made": global_("moto.iam.models", "IAMBackend") + b"(S'us-east-1'\nS'1'\ntR.",
    "a model's constructor called": global_("moto.iam.models", "AccessKey") + b"(NNNtR.",
    "a class changed": global_("moto.iam.models", "Role") + b"N}S'arn'\nI1\ns\x86b.",
    "a function changed": global_("stslab.sandbox.saved.moto_patches", "_versions_restored")
    + b"}S'__code__'\nN\x73b.",
    "a function through a class": global_("moto.iam.models", "Role.__init__") + b".",
    "a module's import": global_("moto.iam.models", "json") + b".",
    "what a model's module imports": global_("moto.iam.models", "datetime") + b".",
    "an instance by INST": b"(imoto.iam.models\nRole\n.",
    "an extension": b"\x82\x01.",
    "a huge memo": b"Nr\xff\xff\xff\xff.",
    "huge bytes": b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x0f.",
    "huge text": b"\x80\x05\x8d\xff\xff\xff\xff\xff\xff\xff\x0f.",
    "nesting": b"]" * 100_000 + b"a" * 99_999 + b".",
    "a reference that is none": b"]Q.",
    "nothing": b"",
    "half": pickle.dumps({"a": dt.datetime.now(dt.UTC)})[:-8],
    "noise": bytes(range(256)),
    "a stack that is empty": b"R.",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_things_are_refused_and_run_nothing(exported, tmp_path, monkeypatch, body):
    monkeypatch.chdir(tmp_path)
    change(
        exported,
        "UPDATE thing SET body = ? WHERE rowid IN (SELECT rowid FROM thing WHERE kind LIKE 'iam.%'"
        " LIMIT 1)",
        body,
    )
    said = refusal(exported)
    assert "damaged, or was made to do harm" in said
    assert [file.name for file in tmp_path.iterdir()] == ["exported"]
    assert moto_patches._versions_restored({}) == {}


SCHEMAS = {
    "a view": "CREATE VIEW w AS SELECT 1",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON thing BEGIN DELETE FROM thing; END",
    "a table": "CREATE TABLE diary (day TEXT)",
    "an index": "CREATE INDEX i ON thing (hex(body))",
    "a column": "ALTER TABLE thing ADD COLUMN more TEXT DEFAULT (1)",
}


@pytest.mark.parametrize("sql", SCHEMAS.values(), ids=SCHEMAS.keys())
def test_other_tables_are_refused(exported, sql):
    change(exported, sql)
    assert "not an account" in refusal(exported)


def test_things_without_end_are_refused(exported):
    change(exported, "ALTER TABLE thing RENAME TO other")
    change(
        exported,
        "CREATE VIEW thing AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n)"
        " SELECT 'part' AS kind, '' AS account, x AS name, x'00' AS body FROM n",
    )
    assert "not an account" in refusal(exported)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE stamp SET value = '0' WHERE name = 'moto'", "another version: moto 0"),
        ("DELETE FROM stamp", "another version: format unknown"),
        ("DELETE FROM thing WHERE name = 'header'", "no whole account"),
        ("UPDATE thing SET kind = 'os.system' WHERE name = 'header'", "unknown kind"),
        ("UPDATE thing SET body = 'text' WHERE name = 'header'", "a thing in it is none"),
        ("PRAGMA application_id = 1", "not an account"),
    ],
)
def test_other_contents_are_refused(exported, sql, words):
    change(exported, sql)
    assert words in refusal(exported)


@pytest.mark.parametrize("kept", [0, 10, 100, 5000, -4096])
def test_a_file_that_is_cut_off_is_refused(exported, kept):
    content = exported.read_bytes()
    exported.write_bytes(content[:kept])
    assert any(words in refusal(exported) for words in ("damaged", "not an account"))


def test_pages_of_noise_are_refused(exported):
    content = bytearray(exported.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    exported.write_bytes(content)
    assert "damaged" in refusal(exported)


def test_a_file_that_is_too_large_is_refused_unread(exported, monkeypatch):
    monkeypatch.setattr(inspection, "MOST_BYTES", 1000)
    assert "too large" in refusal(exported)


def test_no_file_and_no_account(tmp_path):
    assert "can't be read" in refusal(tmp_path / "none")
    (tmp_path / "a").write_text("hello")
    assert "not an account" in refusal(tmp_path / "a")
    with pytest.raises(SandboxError, match="no account yet"):
        exchange.export(tmp_path, tmp_path / "b")


def test_where_nothing_can_be_written_nothing_is_left(made, tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(SandboxError, match="can't be written"):
        exchange.export(made, tmp_path / "taken")
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]
    with pytest.raises(SandboxError, match="can't be written"):
        exchange.export(made, tmp_path / "none" / "file")


def test_the_exported_file_is_not_changed_by_looking(exported):
    before = exported.read_bytes()
    shutil.copy(exported, exported.with_name("copy"))
    inspection.things(exported, stamps())
    assert exported.read_bytes() == before
    assert sorted(file.name for file in exported.parent.iterdir()) == ["copy", "exported"]


@pytest.mark.parametrize(
    "kind",
    [
        "part",
        "part.account 111122223333.root_keys",
        "part.oidc._issuers",
        "iam.users",
        "iam.managed_policies",
        "iam.settings",
        "iam.tags",
        "s3.bucket",
    ],
)
def test_a_thing_that_is_none_of_its_kind(exported, kind):
    change(exported, "UPDATE thing SET body = ? WHERE kind = ?", pickle.dumps("text", 5), kind)
    assert "it is none of its kind" in refusal(exported)


def test_a_thing_that_ends_too_early(exported):
    change(exported, "UPDATE thing SET body = x'8005' WHERE kind = 'iam.tags'")
    assert "it ends too early" in refusal(exported)
