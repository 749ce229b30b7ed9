"""What the process has imported from which parts are forked: the hub, which is most of the program, and what workers
and connectors share. Libraries of one tool alone are not here, nor what starts threads when it is imported."""

import gc

import impetus.connectors.mqtt.connector
import impetus.hub  # noqa: F401

# No garbage is looked for among that in any part: it would have to be copied for it.
gc.collect()
gc.freeze()
