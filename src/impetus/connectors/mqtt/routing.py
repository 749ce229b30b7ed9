"""Which topic is read how: SensorThings topics first, then the connection's mappings in their order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from impetus.connectors.mqtt.mapping import CompiledMapping
from impetus.connectors.mqtt.payload import (
    Parsed,
    PayloadRefused,
    parse_data_arrays,
    parse_mapped,
    parse_observation,
    shown,
)
from impetus.connectors.mqtt.settings import ConnectionSettings
from impetus.model import ConfigurationError, ImpetusError

_REMEMBERED_TOPICS = 100_000


@dataclass(frozen=True, slots=True)
class Route:
    """How payloads of one topic are read."""

    datastream: str | None = None
    """SensorThings: the datastream in the topic; None for data arrays, which name theirs inside."""
    mapping: CompiledMapping | None = None
    placeholders: Mapping[str, str] | None = None


class Router:
    """Reads payloads of one connection by their topic."""

    def __init__(
        self, settings: ConnectionSettings, *, max_payload_bytes: int, pseudonym_of: Callable[[str], str] | None = None
    ) -> None:
        """`pseudonym_of` gives the pseudonym of an identifier; a mapping that names identifiers needs it."""
        self._settings = settings
        self._pseudonym_of = pseudonym_of
        self._max_bytes = max_payload_bytes
        self._mappings = [CompiledMapping(mapping) for mapping in settings.mappings]
        prefix = re.escape(settings.sensorthings_prefix)
        self._observation = re.compile(
            rf"{prefix}/Datastreams\((?:'([^'/()]{{1,200}})'|([^'/()]{{1,200}}))\)/Observations"
        )
        self._batch_topic = f"{settings.sensorthings_prefix}/CreateObservations"
        self._routes: dict[str, Route] = {}

    def subscriptions(self) -> list[str]:
        """Topic filters that bring everything that can be read, each once."""
        filters: list[str] = []
        if self._settings.sensorthings:
            prefix = self._settings.sensorthings_prefix
            # A wildcard takes a whole level, therefore Datastreams(ID) cannot be asked for more narrowly.
            filters += [f"{prefix}/+/Observations", self._batch_topic]
        filters += [mapping.mapping.subscription for mapping in self._mappings]
        return list(dict.fromkeys(filters))

    def shown(self, topic: str) -> tuple[str, bool]:
        """The topic as it may be kept with a dead letter, and whether its payload may be kept as well."""
        for mapping in self._mappings:
            if mapping.mapping.identifiers and (placeholders := mapping.match(topic)) is not None:
                try:
                    return mapping.topic_of(self._hidden(mapping, placeholders)), False
                except ImpetusError:
                    return mapping.mapping.topic, False
        return topic, True

    def _hidden(self, mapping: CompiledMapping, placeholders: Mapping[str, str]) -> Mapping[str, str]:
        if not mapping.mapping.identifiers:
            return placeholders
        if self._pseudonym_of is None:
            raise ConfigurationError("there are no pseudonyms for the identifiers of this topic")
        hidden = {name: self._pseudonym_of(placeholders[name]) for name in mapping.mapping.identifiers}
        return {**placeholders, **hidden}

    def parse(self, topic: str, payload: bytes, *, arrival_us: int) -> Parsed:
        """Readings of one message. Raises PayloadRefused."""
        route = self._routes.get(topic)
        if route is None:
            route = self._find(topic)
            if len(self._routes) >= _REMEMBERED_TOPICS:
                self._routes.clear()
            if route.mapping is None or not route.mapping.mapping.identifiers:
                # A pseudonym is asked for each time: its key is rotated, or lost.
                self._routes[topic] = route
        if route.mapping is not None:
            return parse_mapped(
                payload, route.mapping, route.placeholders or {}, arrival_us=arrival_us, max_bytes=self._max_bytes
            )
        if route.datastream is not None:
            return parse_observation(payload, route.datastream, arrival_us=arrival_us, max_bytes=self._max_bytes)
        return parse_data_arrays(payload, arrival_us=arrival_us, max_bytes=self._max_bytes)

    def _find(self, topic: str) -> Route:
        if self._settings.sensorthings:
            if topic == self._batch_topic:
                return Route()
            match = self._observation.fullmatch(topic)
            if match:
                return Route(datastream=match.group(1) or match.group(2))
        for mapping in self._mappings:
            placeholders = mapping.match(topic)
            if placeholders is not None:
                try:
                    return Route(mapping=mapping, placeholders=self._hidden(mapping, placeholders))
                except ImpetusError as error:
                    raise PayloadRefused(f"not taken: {error.message}") from error
        raise PayloadRefused(f"no mapping fits the topic {shown(topic, 120)}")
