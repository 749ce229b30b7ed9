"""Reads a procedure from BPMN 2.0. What it cannot vouch for, it refuses: no element is skipped in silence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from importlib import resources
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from lxml import etree
from pydantic import TypeAdapter, ValidationError
from SpiffWorkflow.bpmn.parser.BpmnParser import XSD_PATH

from impetus.model import Choice, FieldKind, InvalidInput, Role, Slug, TaskField
from impetus.response.conditions import parse_condition
from impetus.response.definition import (
    Automatic,
    Drawing,
    Edge,
    Flow,
    Operation,
    Procedure,
    Shape,
    Step,
    StepKind,
    Work,
    parse_duration,
)

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
BPMNDI = "http://www.omg.org/spec/BPMN/20100524/DI"
DC = "http://www.omg.org/spec/DD/20100524/DC"
DI = "http://www.omg.org/spec/DD/20100524/DI"
IMPETUS = "urn:impetus:procedure:1"
"""Namespace of what a step says beyond BPMN; other tools keep it and do not mind it."""

SIZE_LIMIT_BYTES = 512 * 1024
ELEMENT_LIMIT = 8_000
STEP_LIMIT = 200
DEPTH_LIMIT = 40
TEXT_LIMIT = 10_000

STEPS = {
    "startEvent": StepKind.START,
    "endEvent": StepKind.END,
    "userTask": StepKind.TASK,
    "serviceTask": StepKind.AUTOMATIC,
    "exclusiveGateway": StepKind.DECISION,
    "parallelGateway": StepKind.PARALLEL,
    "intermediateCatchEvent": StepKind.TIMER,
    "boundaryEvent": StepKind.LIMIT,
}
BESIDE = frozenset({"documentation", "extensionElements", "laneSet", "textAnnotation", "association"})
"""Elements that may stand beside the steps and change nothing."""
INSIDE = frozenset({"documentation", "extensionElements", "incoming", "outgoing", "timerEventDefinition"})
_SLUG: TypeAdapter[str] = TypeAdapter(Slug)


def read_procedure(content: bytes) -> Procedure:
    """The procedure in a BPMN file; `impetus.response.soundness` checks whether it can be carried out.

    Raises `InvalidInput` with what is wrong: too large, not XML, entities, not BPMN 2.0, elements that a procedure may
    not have (scripts above all), a task without a role or a deadline, a decision without a question.
    """
    root = _parse(content)
    _check_schema(content)
    processes = root.findall(f"{{{BPMN}}}process")
    if len(processes) != 1:
        raise InvalidInput(f"the file holds {len(processes)} processes", hint="A procedure is exactly one process.")
    process = processes[0]
    for element in root:
        if _name(element) not in ("process", "BPMNDiagram", "extensionElements", "documentation"):
            raise _unusable(element)
    if process.get("isExecutable") != "true":
        raise InvalidInput("the process is not executable", hint='Set isExecutable="true" on it.')
    try:
        id = _SLUG.validate_python(process.get("id", ""))
    except ValidationError:
        raise InvalidInput(
            f"the process has the id {process.get('id', '')[:80]!r}", hint="Use small letters, digits and hyphens."
        ) from None
    flows = {flow.id: flow for flow in map(_flow, process.findall(f"{{{BPMN}}}sequenceFlow"))}
    steps: dict[str, Step] = {}
    for element in process:
        name = _name(element)
        if name in STEPS:
            step = _step(element, flows)
            steps[step.id] = step
        elif name != "sequenceFlow" and name not in BESIDE:
            raise _unusable(element)
    if len(steps) > STEP_LIMIT:
        raise InvalidInput(f"the procedure has {len(steps)} steps", hint=f"At most {STEP_LIMIT}; split it.")
    for flow in flows.values():
        for end in (flow.source, flow.target):
            if end not in steps:
                raise InvalidInput(f"the flow {flow.id} leads from or to {end!r}, which is no step", hint="Mend it.")
    return Procedure(
        id=id,
        title=_line(process.get("name"), "the process needs a name"),
        summary=_documentation(process),
        hash=hashlib.sha256(content).hexdigest(),
        content=content,
        steps=steps,
        flows=flows,
        drawing=_drawing(root, steps, flows),
    )


def _parse(content: bytes) -> Element:
    if len(content) > SIZE_LIMIT_BYTES:
        raise InvalidInput(
            f"the procedure is {len(content):,} bytes long", hint=f"At most {SIZE_LIMIT_BYTES // 1024} KiB."
        )
    try:
        root: Element = fromstring(content, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise InvalidInput(
            "the file declares entities or a document type, which are refused", hint="Save it without a DOCTYPE."
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise InvalidInput(f"the file is not XML: {error}", hint="Save it again as BPMN 2.0 XML.") from error
    level = [root]
    count = depth = 0
    while level:
        count += len(level)
        depth += 1
        if count > ELEMENT_LIMIT or depth > DEPTH_LIMIT:
            raise InvalidInput(
                "the file has too many elements, or too deep ones",
                hint=f"At most {ELEMENT_LIMIT} elements, {DEPTH_LIMIT} deep.",
            )
        level = [child for element in level for child in element]
    if root.tag != f"{{{BPMN}}}definitions":
        raise InvalidInput("the file is not BPMN 2.0", hint="Its first element must be bpmn:definitions.")
    return root


@cache
def _schema() -> etree.XMLSchema:
    # The schema of the OMG, as it comes with SpiffWorkflow.
    return etree.XMLSchema(etree.parse(XSD_PATH))


def parse_tree(content: bytes) -> etree._Element:
    """The same file for lxml, once it is known to be harmless. Raises `InvalidInput`: lxml is stricter in places."""
    try:
        return etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError as error:
        raise InvalidInput(f"the file is not XML: {error}"[:300], hint="Save it again as BPMN 2.0 XML.") from error


def _check_schema(content: bytes) -> None:
    schema = _schema()
    if not schema.validate(parse_tree(content)):
        first = schema.error_log[0]
        raise InvalidInput(
            f"the file is not valid BPMN 2.0 (line {first.line}): {first.message[:300]}",
            hint="Mend it in a BPMN editor.",
        )


def _name(element: Element) -> str:
    namespace, _, name = str(element.tag).rpartition("}")
    return name if namespace in ("{" + BPMN, "{" + BPMNDI) else element.tag


def _unusable(element: Element) -> InvalidInput:
    name = _name(element)
    what = element.get("name") or element.get("id") or ""
    hint = "Steps may be: " + ", ".join(STEPS) + "."
    if "script" in name.lower():
        hint = "Scripts are refused: a procedure runs no foreign program. " + hint
    return InvalidInput(f"a procedure may not have a {name} ({what[:80]!r})", hint=hint)


def _line(text: str | None, problem: str) -> str:
    line = " ".join((text or "").split())
    if not line:
        raise InvalidInput(problem, hint="Give it one line of text.")
    return line[:300]


def _text(element: Element | None) -> str:
    """Text with its paragraphs; line breaks and indents of the file inside a paragraph do not count."""
    raw = "" if element is None else "".join(element.itertext())
    paragraphs = [" ".join(part.split()) for part in raw.replace("\r\n", "\n").split("\n\n")]
    return "\n\n".join(part for part in paragraphs if part)[:TEXT_LIMIT]


def _documentation(element: Element) -> str:
    return _text(element.find(f"{{{BPMN}}}documentation"))


def _flow(element: Element) -> Flow:
    condition = element.find(f"{{{BPMN}}}conditionExpression")
    id = _line(element.get("id"), "a sequence flow has no id")
    if condition is not None and condition.get("language"):
        raise InvalidInput(f"the condition of {id} names a language", hint="Leave the language out.")
    return Flow(
        id=id,
        source=element.get("sourceRef", ""),
        target=element.get("targetRef", ""),
        name=" ".join(element.get("name", "").split())[:300],
        condition=None if condition is None else parse_condition("".join(condition.itertext())),
    )


def _step(element: Element, flows: dict[str, Flow]) -> Step:
    id = _line(element.get("id"), f"a {_name(element)} has no id")
    kind = STEPS[_name(element)]
    for child in element:
        if _name(child) not in INSIDE:
            raise InvalidInput(
                f"the step {id} has a {_name(child)}, which cannot be used here",
                hint="No loops or messages of BPMN: draw a flow back to the step instead.",
            )
    name = " ".join(element.get("name", "").split())[:300]
    if kind in (StepKind.TASK, StepKind.AUTOMATIC, StepKind.END, StepKind.TIMER) and not name:
        raise InvalidInput(f"the step {id} has no name", hint="Name what is done, or how it ended.")
    incoming = tuple(flow for flow in flows.values() if flow.target == id)
    outgoing = tuple(flow for flow in flows.values() if flow.source == id)
    if kind is StepKind.DECISION and len(outgoing) > 1 and not name:
        raise InvalidInput(f"the decision {id} asks no question", hint="Name the gateway with its question.")
    if kind is StepKind.LIMIT and element.get("cancelActivity", "true") != "true":
        raise InvalidInput(f"the limit {id} does not end its task", hint="Use an interrupting boundary event.")
    return Step(
        id=id,
        kind=kind,
        name=name or id,
        incoming=incoming,
        outgoing=outgoing,
        work=_work(element, id) if kind is StepKind.TASK else None,
        automatic=_automatic(element, id) if kind is StepKind.AUTOMATIC else None,
        wait=_wait(element, id, kind),
        attached_to=element.get("attachedToRef"),
        default=element.get("default"),
    )


def _wait(element: Element, id: str, kind: StepKind) -> timedelta | None:
    timers = element.findall(f"{{{BPMN}}}timerEventDefinition")
    if kind not in (StepKind.TIMER, StepKind.LIMIT):
        if timers:
            raise InvalidInput(f"the step {id} begins or ends with a time", hint="Use a plain start and end.")
        return None
    durations = [found for timer in timers for found in timer.findall(f"{{{BPMN}}}timeDuration")]
    if len(timers) != 1 or len(durations) != 1:
        raise InvalidInput(f"the event {id} is not one duration", hint="Give it a timeDuration such as PT10M.")
    return parse_duration("".join(durations[0].itertext()))


def _extension(element: Element, name: str) -> Iterator[Element]:
    holder = element.find(f"{{{BPMN}}}extensionElements")
    if holder is not None:
        yield from holder.findall(f"{{{IMPETUS}}}{name}")


def _work(element: Element, id: str) -> Work:
    found = list(_extension(element, "work"))
    if len(found) != 1:
        raise InvalidInput(
            f"the task {id} does not say who does it", hint="Add one impetus:work with role, organisation and deadline."
        )
    work = found[0]
    instruction = _documentation(element)
    if not instruction:
        raise InvalidInput(f"the task {id} does not say what to do", hint="Write it as its documentation.")
    fields = tuple(_field(field, id) for field in work.findall(f"{{{IMPETUS}}}ask"))
    if len({field.id for field in fields}) != len(fields):
        raise InvalidInput(f"the task {id} asks for the same answer twice", hint="Give each question an id of its own.")
    return Work(
        role=_role(work.get("role", ""), id),
        organisation=_line(work.get("organisation"), f"the task {id} names no kind of organisation"),
        deadline=parse_duration(work.get("deadline", "")),
        escalation=tuple(_role(word, id) for word in work.get("escalation", "").split()),
        instruction=instruction,
        assess=_text(work.find(f"{{{IMPETUS}}}assess")),
        fields=fields,
    )


def _role(word: str, id: str) -> Role:
    try:
        return Role(word)
    except ValueError:
        raise InvalidInput(
            f"the task {id} names the role {word[:40]!r}", hint=f"Roles: {', '.join(role.value for role in Role)}."
        ) from None


def _field(element: Element, id: str) -> TaskField:
    try:
        field = TaskField(
            id=element.get("id", ""),
            label=element.get("label", ""),
            kind=FieldKind(element.get("kind", "")),
            required=element.get("required", "true") == "true",
            choices=tuple(
                Choice(value=choice.get("value", ""), label=choice.get("label", ""))
                for choice in element.findall(f"{{{IMPETUS}}}choice")
            ),
        )
    except ValueError as error:
        raise InvalidInput(
            f"a question of the task {id} is not right ({element.get('id', '')[:60]!r})",
            hint="It needs id, label, kind (choice, text, number) and, for a choice, value and label of each.",
        ) from error
    values = {choice.value for choice in field.choices}
    if (field.kind is FieldKind.CHOICE) is not (len(values) > 1) or len(values) != len(field.choices):
        raise InvalidInput(f"the question {field.id} of {id} needs two or more different choices", hint="Mend it.")
    return field


def _automatic(element: Element, id: str) -> Automatic:
    found = list(_extension(element, "automatic"))
    try:
        operation = Operation(found[0].get("operation", "")) if len(found) == 1 else None
    except ValueError:
        operation = None
    if operation is None:
        raise InvalidInput(
            f"the automatic step {id} does nothing that is allowed",
            hint=f"Add one impetus:automatic; operations: {', '.join(one.value for one in Operation)}.",
        )
    parameters = {
        parameter.get("name", ""): _text(parameter) for parameter in found[0].findall(f"{{{IMPETUS}}}parameter")
    }
    needed = {"audience", "text"} if operation is Operation.DRAFT_MESSAGE else {"kind", "reason"}
    if set(parameters) != needed or not all(parameters.values()):
        raise InvalidInput(
            f"the automatic step {id} needs the parameters {' and '.join(sorted(needed))}", hint="Give each a text."
        )
    if operation is Operation.REQUEST_SIMULATION and parameters["kind"] not in ("evacuation", "dispersion"):
        raise InvalidInput(f"the step {id} asks for an unknown simulation", hint="Use evacuation or dispersion.")
    return Automatic(operation, parameters)


def _drawing(root: Element, steps: dict[str, Step], flows: dict[str, Flow]) -> Drawing:
    shapes = {}
    edges = {}
    for shape in root.iter(f"{{{BPMNDI}}}BPMNShape"):
        bounds = shape.find(f"{{{DC}}}Bounds")
        step = shape.get("bpmnElement", "")
        if bounds is not None and step in steps:
            x, y, width, height = (_number(bounds.get(name)) for name in ("x", "y", "width", "height"))
            shapes[step] = Shape(step, x, y, width, height)
    for edge in root.iter(f"{{{BPMNDI}}}BPMNEdge"):
        flow = edge.get("bpmnElement", "")
        points = tuple((_number(p.get("x")), _number(p.get("y"))) for p in edge.findall(f"{{{DI}}}waypoint"))
        if flow in flows and len(points) > 1:
            edges[flow] = Edge(flow, points)
    missing = [*(step for step in steps if step not in shapes), *(flow for flow in flows if flow not in edges)]
    if missing:
        raise InvalidInput(
            f"{len(missing)} elements are not drawn, {missing[0]} among them",
            hint="Save the file with its diagram (BPMN DI), as BPMN editors do.",
        )
    return Drawing(tuple(shapes.values()), tuple(edges.values()))


def _number(text: str | None) -> float:
    value = float(text or "nan")
    if not -100_000 <= value <= 100_000:
        raise InvalidInput("the drawing has coordinates that cannot be used", hint="Save the file again.")
    return value


def shipped() -> Iterator[bytes]:
    """The procedures that come with impetus, as BPMN."""
    for file in sorted(resources.files("impetus.response").joinpath("procedures").iterdir(), key=lambda one: one.name):
        if file.name.endswith(".bpmn"):
            yield file.read_bytes()
