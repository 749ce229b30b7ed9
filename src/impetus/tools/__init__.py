"""The tools that come with impetus; each is found through its entry point, as any other is."""
