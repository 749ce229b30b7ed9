"""What is done about incidents: procedures, tasks, notification, sharing."""
