"""Every setting explains itself: forms and the reference are made from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from impetus.connectors.mqtt.mapping import JsonMapping
from impetus.connectors.mqtt.settings import EmbeddedListener, ExternalBroker, MqttSettings

MODELS: tuple[type[BaseModel], ...] = (MqttSettings, EmbeddedListener, ExternalBroker, JsonMapping)


def fields() -> Iterator[tuple[str, FieldInfo]]:
    for model in MODELS:
        for name, field in model.model_fields.items():
            yield f"{model.__name__}.{name}", field


@pytest.mark.parametrize(("name", "field"), list(fields()), ids=lambda value: value if isinstance(value, str) else "")
def test_a_field_has_title_and_description_and_a_unit_where_its_name_promises_one(name: str, field: FieldInfo) -> None:
    assert field.title
    assert field.description
    assert field.description.endswith(".")
    if name.endswith(("_s", "_ms", "_days", "_bytes")):
        assert isinstance(field.json_schema_extra, dict)
        assert field.json_schema_extra["unit"]


def test_the_default_is_a_listener_on_this_machine_with_a_password() -> None:
    (connection,) = MqttSettings().connections
    assert isinstance(connection, EmbeddedListener)
    assert connection.host == "127.0.0.1"
    assert not connection.anonymous


def test_a_misspelt_setting_is_noticed_and_secrets_are_not_shown() -> None:
    with pytest.raises(ValidationError):
        MqttSettings.model_validate({"conections": []})
    broker = ExternalBroker.model_validate({"url": "mqtt://localhost", "name": "n", "password": "very secret"})
    assert "very secret" not in repr(broker) + broker.model_dump_json()
