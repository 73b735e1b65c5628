import csv

from tests.sandbox.direct import Direct


def test_the_order_of_users_in_a_report(direct: Direct) -> None:
    """radkawar/stackd, testdata/aws/iam/credential_report.json: AWS's report, September 2026."""
    iam = direct.client("iam")
    for name in ("b", "C", "a", "D"):
        iam.create_user(UserName=name)
    iam.generate_credential_report()
    rows = csv.DictReader(iam.get_credential_report()["Content"].decode().splitlines())
    names = [row["user"] for row in rows]
    assert names[0] == "<root_account>"
    assert [name for name in names if len(name) == 1] == ["a", "b", "C", "D"]
