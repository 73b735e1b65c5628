"""What a learner sees in a lesson: one screen for each scene, and the line below it."""
