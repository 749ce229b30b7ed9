"""Which alerts belong together, how likely they are true, and why: pure, without any I/O."""
