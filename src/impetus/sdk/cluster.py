"""Work that a tool spreads over a Dask cluster, where one is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from impetus.model import InvalidInput


@contextmanager
def on_cluster(address: str) -> Iterator[None]:
    """Within it joblib sends its work to the Dask cluster at `address` (`tcp://host:8786`).

    Raises `InvalidInput` where no cluster answers, or what speaks with one is not installed.
    """
    try:
        from distributed import Client
        from joblib import parallel_config
    except ImportError as error:
        raise InvalidInput("distributed is not installed", hint="pip install 'impetus[cluster]'") from error
    try:
        client = Client(address, timeout="10s")  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise InvalidInput(f"no Dask cluster answers at {address}", hint="as in tcp://host:8786") from error
    with client, parallel_config(backend="dask", client=client):
        yield
