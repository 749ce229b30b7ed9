"""A tool for the tests of panels: a list to go through, a chart, a zone on the map, and modules of its own."""
