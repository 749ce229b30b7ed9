"""The evacuation tool: what a crowd does at a threat, and which way out is best."""
