"""What the parts can carry: each module here is a program that measures one thing and prints its figures."""
