"""Mental workload of control-room staff: for their own eyes, and of the team as a whole."""
