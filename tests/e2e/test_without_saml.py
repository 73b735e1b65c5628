"""An installation without the extra `stslab[saml]`: its libraries can't be imported."""

import pytest
from tests.e2e.machine import PROVED, Machine

pytestmark = pytest.mark.slow
INSTALL = "pip install 'stslab[saml]'"
BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("lxml", "signxml"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture
def without(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Python itself imports `sitecustomize` when it starts, in every process of the machine."""
    folder = machine.root / "blocking"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(BLOCKER)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return machine


def test_saml_says_what_to_install(without: Machine):
    metadata = without.stslab("sandbox", "saml", "metadata")
    assert (metadata.code, metadata.out) == (1, "")
    assert INSTALL in metadata.err
    wanted = ("--role", "web", "--provider", "corp", "--name", "ana")
    assertion = without.stslab("sandbox", "saml", "assertion", *wanted)
    assert assertion.code == 1
    assert INSTALL in assertion.err
    (without.root / "metadata.xml").write_text("x" * 1000)
    account = "arn:aws:iam::111122223333"
    create = "iam create-saml-provider --name corp --saml-metadata-document file://metadata.xml"
    assume = (
        f"sts assume-role-with-saml --role-arn {account}:role/web"
        f" --principal-arn {account}:saml-provider/corp --saml-assertion eHg="
    )
    for command in (create, assume):
        refused = without.sh(f"aws {command}")
        assert refused.code != 0
        assert "(UnsupportedOperation)" in refused.err
        assert INSTALL in refused.err
    assert without.sh("aws iam list-saml-providers").code == 0


def test_the_lab_needs_no_extra(without: Machine):
    done = without.stslab("run", "--yes")
    assert done.code == 0, done.said
    assert PROVED in done.out


def test_with_it_metadata_is_there(machine: Machine):
    assert "EntityDescriptor" in machine.stslab("sandbox", "saml", "metadata").out
