"""What keeps an installation well: the doctor, backup and restore, and the files that deploy it."""
