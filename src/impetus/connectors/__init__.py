"""The outside world in and out: what cities speak is turned into messages on the bus, and back."""
