"""Air: a biological or chemical release noticed, located, and its hazard zone drawn."""
