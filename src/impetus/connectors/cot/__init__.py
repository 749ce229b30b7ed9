"""Cursor-on-Target to and from TAK servers: what field units see, and what they report."""
