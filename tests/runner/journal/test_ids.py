from stslab.runner.journal.records import LENGTH, new_run_id


def test_run_ids_are_valid_names_and_unique():
    ids = {new_run_id() for _ in range(2000)}
    assert len(ids) == 2000
    assert all(len(one) == LENGTH and one[0].isalpha() and one.islower() for one in ids)
    assert all(one.isascii() and one.isalnum() for one in ids)
