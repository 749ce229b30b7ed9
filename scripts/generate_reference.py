"""Write docs/reference/ from what the code says of itself.

A setting, command, option, message field, error or tool that says nothing is an error here, so that nothing can be
added without being described. `tests/test_documentation.py` compares what this makes with what is committed.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, distribution
from operator import itemgetter
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints
from unittest import mock

import typer
from pydantic import BaseModel, TypeAdapter
from typer.models import ArgumentInfo, OptionInfo

import impetus
from impetus import cli
from impetus.api.app import RESOURCES
from impetus.model import MESSAGES, Datastream, Envelope, ImpetusError, Venue
from impetus.sdk import InputKind, InstalledTool, Manifest, ToolInput, load_tool
from impetus.sdk.registry import GROUP as TOOLS_GROUP
from impetus.settings import Settings

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
NOTE = "<!-- Written by `make reference` from the code; change the code instead. -->\n"

Schema = Mapping[str, Any]


class Undocumented(Exception):
    """Something in the code does not say what it is for."""


def documented(text: str | None, what: str) -> str:
    """The text in one line; raises where there is none."""
    if not text or not text.strip():
        raise Undocumented(f"{what} has no description.")
    return " ".join(text.split())


def own_docstring(thing: type) -> str:
    """The docstring of the class itself, paragraphs kept; an inherited one does not count."""
    documented(thing.__dict__.get("__doc__"), f"{thing.__module__}.{thing.__qualname__}")
    return inspect.getdoc(thing) or ""


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"

    heads = list(heads)
    return line(heads) + line("---" for _ in heads) + "".join(line(row) for row in rows)


def own_entry_points(group: str) -> list[EntryPoint]:
    """Ours only: what else is installed on a machine must not change the documentation."""
    return sorted(distribution("impetus").entry_points.select(group=group), key=lambda entry: entry.name)


# -- types, as JSON Schema has them, in words ------------------------------------------------------------------------


def type_in_words(schema: Schema, definitions: Schema) -> str:
    """What may stand in a field, for people: `whole number, 1 to 65535`."""
    if reference := schema.get("$ref"):
        name = reference.rsplit("/", 1)[1]
        definition = definitions[name]
        return name if definition.get("type") == "object" else type_in_words(definition, definitions)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(type_in_words(part, definitions) for part in schema[key]))
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(code(value) for value in schema["enum"])
    match schema.get("type"):
        case "array":
            parts = schema.get("prefixItems")
            if parts:
                return "list of (" + ", ".join(type_in_words(part, definitions) for part in parts) + ")"
            size = limits(schema, "Items", " entries").removeprefix(", ")
            return f"list{f' ({size})' if size else ''} of {type_in_words(schema.get('items', {}), definitions)}"
        case "object":
            return "object"
        case "string":
            formats = {"": "text", "date-time": "time with offset", "password": "secret text"}
            kind = str(schema.get("format", ""))
            return formats.get(kind, kind) + limits(schema, "Length", " characters")
        case "integer":
            return "whole number" + bounds(schema)
        case "number":
            return "number" + bounds(schema)
        case "boolean":
            return "`true` or `false`"
        case "null":
            return "nothing"
        case _:
            return "anything"


def limits(schema: Schema, of_what: str, unit: str) -> str:
    least, most = schema.get(f"min{of_what}", 0), schema.get(f"max{of_what}")
    if most is not None:
        return f", {least} to {most}{unit}" if least else f", at most {most}{unit}"
    if least == 1:
        return ", not empty"
    return f", at least {least}{unit}" if least else ""


def bounds(schema: Schema) -> str:
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    return "".join(f", {word} {schema[key]}" for key, word in words.items() if key in schema)


def code(value: object) -> str:
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


# -- settings --------------------------------------------------------------------------------------------------------

UNITS_IN_NAMES = {"_s": "s", "_ms": "ms", "_days": "days", "_bytes": "bytes", "_m": "m", "_mps": "m/s"}


def settings_rows(schema: Schema, definitions: Schema, prefix: str, delimiter: str) -> Iterator[tuple[str, ...]]:
    """The settings of a model by their full names, nested sections unfolded."""
    for name, field in schema["properties"].items():
        full_name = f"{prefix}{name}"
        if section := section_of(field, definitions):
            yield from settings_rows(section, definitions, f"{full_name}{delimiter}", delimiter)
        else:
            variable = full_name.upper() if delimiter else full_name
            yield (
                code(variable),
                type_in_words(field, definitions),
                unit_of(name, field),
                default_in_words(field, required=name in schema.get("required", ())),
                meaning_of(variable, name, field),
            )


def section_of(field: Schema, definitions: Schema) -> Schema | None:
    """The nested section that a field stands for, if it does."""
    parts = [part for part in field.get("anyOf", [field]) if part.get("type") != "null"]
    if len(parts) != 1 or "$ref" not in parts[0]:
        return None
    definition: Schema = definitions[parts[0]["$ref"].rsplit("/", 1)[1]]
    return definition if definition.get("type") == "object" and "properties" in definition else None


def unit_of(name: str, field: Schema) -> str:
    return str(field.get("unit") or next((unit for end, unit in UNITS_IN_NAMES.items() if name.endswith(end)), ""))


def meaning_of(variable: str, name: str, field: Schema) -> str:
    # Where a field has no title, pydantic makes one of its name, which says nothing new.
    given = str(field.get("title", ""))
    title = "" if given.lower() == name.replace("_", " ") else given.rstrip(".")
    description = str(field.get("description", ""))
    return documented(". ".join(part for part in (title, description) if part), f"The setting {variable}")


def default_in_words(field: Schema, *, required: bool) -> str:
    if required:
        return "must be set"
    if "default" not in field:
        return "see the meaning"
    value = field["default"]
    if value in (None, "", [], {}):
        return "nothing"
    if isinstance(value, list) and isinstance(value[0], dict):
        return f"{len(value)} with the defaults below"
    # The same on every machine.
    return code(value.replace(str(Path.home()), "~") if isinstance(value, str) else value)


def objects_in_rows(schema: Schema, definitions: Schema) -> Iterator[str]:
    """Names of the models that lists of settings hold: they are written as JSON, so they need a table of their own."""
    for field in schema["properties"].values():
        if section := section_of(field, definitions):
            yield from objects_in_rows(section, definitions)
            continue
        for name in re.findall(r'"#/\$defs/(\w+)"', json.dumps(field)):
            if definitions[name].get("type") == "object":
                yield name
                yield from objects_in_rows(definitions[name], definitions)


def settings_tables(model: type[BaseModel], prefix: str, delimiter: str, depth: int) -> str:
    schema = with_made_defaults(model)
    definitions = schema.get("$defs", {})
    heads = ("setting", "what may stand there", "unit", "default", "meaning")
    parts = [table(heads, settings_rows(schema, definitions, prefix, delimiter))]
    for name in dict.fromkeys(objects_in_rows(schema, definitions)):
        definition = definitions[name]
        text = documented(definition.get("description"), f"The settings {name}")
        rows = settings_rows(definition, definitions, "", "")
        parts.append(f"{'#' * depth} {name}\n\n{text}\n\n{table(heads, rows)}")
    return "\n".join(parts)


def with_made_defaults(model: type[BaseModel]) -> dict[str, Any]:
    """The model's schema, with the defaults that a function makes, which a schema leaves out."""
    schema = model.model_json_schema()
    for name, field in model.model_fields.items():
        if field.default_factory and not field.default_factory_takes_validated_data:
            value = field.get_default(call_default_factory=True)
            schema["properties"][name]["default"] = str(value) if isinstance(value, Path) else value
    return schema


def settings_page() -> str:
    prefix = Settings.model_config.get("env_prefix", "")
    delimiter = Settings.model_config.get("env_nested_delimiter") or ""
    return f"""# Settings

{NOTE}
{own_docstring(Settings)}
In the file, `IMPETUS_HTTP__PORT` is `port` under `[http]`.

{settings_tables(Settings, prefix, delimiter, depth=2)}"""


# -- commands --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parameter:
    """One option or argument of a command."""

    names: tuple[str, ...]
    type: str
    required: bool
    default: object
    help: str
    is_argument: bool


def commands(app: typer.Typer, path: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """All commands that do something, by what one types."""
    found: dict[str, typer.Typer | Callable[..., Any]] = {}
    for command in app.registered_commands:
        if command.callback and not command.hidden:
            found[command.name or command.callback.__name__.replace("_", "-")] = command.callback
    for group in app.registered_groups:
        if group.typer_instance and not group.hidden:
            found[group.name or str(group.typer_instance.info.name)] = group.typer_instance
    for name, entry in sorted(found.items()):
        if isinstance(entry, typer.Typer):
            yield from commands(entry, f"{path} {name}")
        else:
            yield f"{path} {name}", entry


def parameters(callback: Callable[..., Any], path: str) -> Iterator[Parameter]:
    hints = get_type_hints(callback, include_extras=True)
    for name, parameter in inspect.signature(callback).parameters.items():
        annotation, *extras = get_args(hints[name])
        info = next((extra for extra in extras if isinstance(extra, ArgumentInfo | OptionInfo)), None)
        if info is None:
            raise Undocumented(f"The parameter {name} of `{path}` has no description.")
        if info.hidden:
            continue
        is_argument = isinstance(info, ArgumentInfo)
        default_names = (name.upper(),) if is_argument else (f"--{name.replace('_', '-')}",)
        # Where the value has its default in the signature, typer takes the first word for a name.
        first_name = (info.default,) if isinstance(info.default, str) and not is_argument else ()
        yield Parameter(
            names=(*first_name, *(info.param_decls or ())) or default_names,
            type=parameter_type(annotation, info),
            required=parameter.default is inspect.Parameter.empty,
            default=parameter.default,
            help=documented(info.help, f"The parameter {name} of `{path}`"),
            is_argument=is_argument,
        )


def parameter_type(annotation: Any, info: ArgumentInfo | OptionInfo) -> str:
    if annotation is bool:
        return ""
    several = ", may be given several times" if get_origin(annotation) is list else ""
    schema = TypeAdapter(get_args(annotation)[0] if several else annotation).json_schema()
    limited = {"minimum": info.min, "maximum": info.max}
    schema |= {key: limit for key, limit in limited.items() if limit is not None}
    return type_in_words(schema, schema.get("$defs", {})).removesuffix(" or nothing") + several


def command_section(path: str, callback: Callable[..., Any]) -> str:
    documented(callback.__doc__, f"The command `{path}`")
    found = list(parameters(callback, path))
    usage = [path, *(["[OPTIONS]"] if any(not parameter.is_argument for parameter in found) else [])]
    usage += [part.names[0] if part.required else f"[{part.names[0]}]" for part in found if part.is_argument]
    parts = [f"## {path}", inspect.getdoc(callback) or "", f"```console\n$ {' '.join(usage)}\n```"]
    if found:
        parts.append(table(("option", "what may stand there", "default", "meaning"), map(parameter_row, found)))
    return "\n\n".join(part.rstrip() for part in parts)


def parameter_row(parameter: Parameter) -> tuple[str, ...]:
    default = parameter.default
    if parameter.required:
        words = "must be given"
    elif default is None or default is False or default == []:
        words = ""
    else:
        words = code(str(default) if isinstance(default, Path) else default)
    return (", ".join(map(code, parameter.names)), parameter.type, words, parameter.help)


def commands_page() -> str:
    found = list(commands(cli.app, "impetus"))
    for entry in own_entry_points(cli.COMMANDS_GROUP):
        found += commands(entry.load(), f"impetus {entry.name}")
    sections = "\n\n".join(command_section(path, callback) for path, callback in sorted(found, key=itemgetter(0)))
    return f"""# Commands

{NOTE}
In a checkout the command is `.venv/bin/impetus`. What cannot be done ends with one line that says why and what to do,
and with the exit status 2.

{sections}
"""


# -- HTTP API --------------------------------------------------------------------------------------------------------


def http_page() -> str:
    rows = [
        (
            code(f"{route.method} {route.path}"),
            route.access.value,
            documented(route.endpoint.__doc__, f"The address {route.method} {route.path}"),
        )
        for resource in RESOURCES
        for route in resource.declarations
    ]
    return f"""# HTTP API

{NOTE}
Every address, and the permission that it asks of a person's role or a token's scopes. Bodies and answers are described
in `/api/v1/openapi.json`; [the guide](../guide/api.md) says how to use them.

{table(("address", "permission", "meaning"), rows)}"""


# -- messages --------------------------------------------------------------------------------------------------------

OTHER_SCHEMAS: Mapping[str, type[BaseModel]] = {"datastream": Datastream, "envelope": Envelope, "venue": Venue}


def schema_of(name: str, model: type[BaseModel]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:impetus:schema:{name}:v1",
        **model.model_json_schema(),
    }


def fields_table(schema: Schema, definitions: Schema) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (
            code(field),
            type_in_words(part, definitions),
            "yes" if field in required else "",
            " ".join(part.get("description", "").split()),
        )
        for field, part in schema["properties"].items()
    ]
    return table(("field", "what may stand there", "required", "meaning"), rows)


def message_section(name: str, model: type[BaseModel]) -> str:
    schema = model.model_json_schema()
    return f"""## {name}

{own_docstring(model)}

JSON Schema: [{name}.json](schemas/{name}.json)

{fields_table(schema, schema.get("$defs", {}))}"""


def messages_page() -> str:
    on_the_bus = "\n".join(message_section(name, model) for name, model in MESSAGES.items())
    others = "\n".join(message_section(name, model) for name, model in OTHER_SCHEMAS.items())
    return f"""# Messages

{NOTE}
What passes between the rooms, each with its JSON Schema. The kinds of messages on the bus come first; below them stand
the envelope that each travels in, and what they refer to. Unknown fields are refused.

{on_the_bus}
{others}"""


# -- errors ----------------------------------------------------------------------------------------------------------


def import_everything() -> None:
    """Import all modules of impetus, so that all errors are known."""
    for module in pkgutil.walk_packages(impetus.__path__, "impetus."):
        parts = module.name.split(".")
        # Alembic runs the migrations itself, and tests are no part of the program.
        if not {"tests", "migrations", "__main__"} & set(parts):
            importlib.import_module(module.name)


def subclasses(root: type[ImpetusError]) -> Iterator[type[ImpetusError]]:
    for child in root.__subclasses__():
        yield child
        yield from subclasses(child)


def errors() -> list[type[ImpetusError]]:
    import_everything()
    found = {error for error in subclasses(ImpetusError) if error.__module__.startswith("impetus.")}
    of_the_program = (error for error in found if ".tests." not in error.__module__)
    return sorted(of_the_program, key=lambda error: (error.code, error.__name__))


def errors_page() -> str:
    rows = [
        (
            code(error.code),
            error.title,
            str(error.status),
            code(error.__name__),
            " ".join(own_docstring(error).split()),
        )
        for error in errors()
    ]
    return f"""# Errors

{NOTE}
Every error that a person can mend says what is wrong and what to do. The HTTP API answers with RFC 9457 problem details
whose type ends in the code; the command line prints one line and exits with 2.

{table(("code", "title", "HTTP status", "class", "meaning"), rows)}"""


# -- tools -----------------------------------------------------------------------------------------------------------


def input_in_words(given: ToolInput) -> str:
    """What a tool reads."""
    match given.kind:
        case InputKind.RESULT:
            return f"results `{given.result}` of {given.tool}"
        case InputKind.VERDICT:
            return "verdicts on its alerts"
        case _:
            return ", ".join(given.observed_properties) or "all observations"


def tool_section(tool: InstalledTool) -> str:
    tool_type, manifest = tool.usable()
    facts = [
        ("capability", manifest.capability.value),
        ("for", ", ".join(role.value for role in manifest.roles)),
        ("reads", "; ".join(map(input_in_words, manifest.inputs))),
        ("publishes", "; ".join(f"{result.title} (`{result.id}`)" for result in manifest.results)),
        ("does when asked", "; ".join(f"{task.title} (`{task.id}`)" for task in manifest.tasks)),
        ("asks", "; ".join(f"{asked.tool} for `{asked.task}`" for asked in manifest.requests)),
        ("purposes", ", ".join(manifest.purposes)),
        ("personal data", "yes" if manifest.personal_data else "no"),
        ("data classes", ", ".join(entry.value for entry in manifest.data_classes)),
        ("kept for", f"{manifest.retention_days} days"),
        ("class under the EU's AI Act", manifest.ai_act_class.value),
    ]
    facts = [(what, said) for what, said in facts if said]
    detectors = [
        (
            code(detector.id),
            detector.category.value,
            detector.max_severity.value,
            f"{detector.title}. " + documented(detector.description, f"The detector {detector.id} of {manifest.id}"),
        )
        for detector in manifest.detectors
    ]
    settings = ""
    if tool_type.settings_type.model_fields:
        tables = settings_tables(tool_type.settings_type, "", "", depth=4)
        settings = f"### Settings of {manifest.id}\n\nIn `impetus.toml`, under `[tools.{manifest.id}]`.\n\n{tables}"
    notices = table(("detector", "category", "up to severity", "meaning"), detectors)
    return f"""## {manifest.id}

{manifest.title}, version {manifest.version}. {manifest.summary}

{table(("", ""), facts)}
{f"### What {manifest.id} notices" + chr(10) * 2 + notices + chr(10) if detectors else ""}{settings}"""


def tools_page() -> str:
    sections = "\n".join(tool_section(load_tool(entry.name)) for entry in own_entry_points(TOOLS_GROUP))
    return f"""# Tools

{NOTE}
What each tool reads and raises, as its manifest declares it; what is not declared, it cannot do. A tool's card says how
well it works and where it fails.

{sections}"""


def manifest_page() -> str:
    schema = Manifest.model_json_schema()
    definitions = schema["$defs"]
    sections = "\n".join(
        f"## {name}\n\n{documented(part.get('description'), name)}\n\n{fields_table(part, definitions)}"
        for name, part in definitions.items()
        if part.get("type") == "object"
    )
    return f"""# A tool's manifest

{NOTE}
{own_docstring(Manifest)} It is the file `manifest.toml` in the tool's folder.

{fields_table(schema, definitions)}
{sections}"""


# -- all of it -------------------------------------------------------------------------------------------------------

INDEX = f"""# Reference

{NOTE}
- [Settings](settings.md): what can be set, and how.
- [Commands](commands.md): what `impetus` does on the command line.
- [HTTP API](http.md): every address and the permission it asks for.
- [Messages](messages.md): what passes between the rooms, with JSON Schemas.
- [Errors](errors.md): what can go wrong, and what to do.
- [Tools](tools.md): what each tool reads and raises, and what it may be used for.
- [A tool's manifest](manifest.md): what a tool has to say of itself.
"""


def reference() -> dict[str, str]:
    """All generated files, by their path below docs/reference."""
    # The defaults are those of a machine where nothing is set.
    nothing_set = {name: value for name, value in os.environ.items() if not name.startswith("IMPETUS_")}
    with mock.patch.dict(os.environ, nothing_set, clear=True):
        return generate()


def generate() -> dict[str, str]:
    schemas = {
        f"schemas/{name}.json": json.dumps(schema_of(name, model), indent=2, ensure_ascii=False) + "\n"
        for name, model in {**MESSAGES, **OTHER_SCHEMAS}.items()
    }
    pages = {
        "index.md": INDEX,
        "settings.md": settings_page(),
        "commands.md": commands_page(),
        "http.md": http_page(),
        "messages.md": messages_page(),
        "errors.md": errors_page(),
        "tools.md": tools_page(),
        "manifest.md": manifest_page(),
    }
    tidy = {name: re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n" for name, text in pages.items()}
    return {**tidy, **schemas}


def main() -> int:
    try:
        files = reference()
    except Undocumented as error:
        print(error, file=sys.stderr)
        return 1
    for path in REFERENCE.rglob("*"):
        if path.is_file() and path.relative_to(REFERENCE).as_posix() not in files:
            path.unlink()
    for name, text in files.items():
        path = REFERENCE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
