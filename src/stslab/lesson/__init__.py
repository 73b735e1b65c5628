"""What a learner goes through: the access table, predictions, tasks, hints, and the score.

No terminal and no boto3: it works on the lab, the journal and the ports in ``ports``.
"""
