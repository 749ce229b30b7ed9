"""impetus: software that helps a city keep its public spaces safe without giving up its citizens' rights."""

__version__ = "0.1.0"
