"""Small procedures for tests, written as short lists of steps and flows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" '
    'xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" '
    'xmlns:di="http://www.omg.org/spec/DD/20100524/DI" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xmlns:impetus="urn:impetus:procedure:1" id="d" targetNamespace="urn:impetus:procedure:1">'
)
CHOICE = (
    '<impetus:ask id="answer" label="Which?" kind="choice"><impetus:choice value="yes" label="Yes"/>'
    '<impetus:choice value="no" label="No"/></impetus:ask>'
)


def task(asks: str = CHOICE, *, role: str = "operator", deadline: str = "PT5M", then: str = "supervisor") -> str:
    """What stands inside a task."""
    return (
        "<bpmn:documentation>Do what is to be done here.</bpmn:documentation><bpmn:extensionElements>"
        f'<impetus:work role="{role}" organisation="municipality" deadline="{deadline}" escalation="{then}">{asks}'
        "</impetus:work></bpmn:extensionElements>"
    )


def timer(duration: str) -> str:
    """What stands inside a timer event."""
    return (
        f'<bpmn:timerEventDefinition><bpmn:timeDuration xsi:type="bpmn:tFormalExpression">{duration}'
        "</bpmn:timeDuration></bpmn:timerEventDefinition>"
    )


def procedure(
    steps: Mapping[str, tuple[str, str] | tuple[str, str, str]],
    flows: Sequence[tuple[str, str] | tuple[str, str, str]],
    *,
    beside: str = "",
    id: str = "a-test",
    title: str = "A test",
) -> bytes:
    """A procedure as BPMN. Steps: id to (element, what stands inside[, attributes]); flows: (from, to[, condition])."""
    made, drawn = [], []
    for number, (name, step) in enumerate(steps.items()):
        element, inside, *more = step
        attributes = more[0] if more else ""
        made.append(f'<bpmn:{element} id="{name}" name="{name.title()}" {attributes}>{inside}</bpmn:{element}>')
        drawn.append(
            f'<bpmndi:BPMNShape id="{name}_s" bpmnElement="{name}">'
            f'<dc:Bounds x="{number * 150}" y="10" width="100" height="80"/></bpmndi:BPMNShape>'
        )
    for number, (source, target, *more) in enumerate(flows):
        condition = (
            f'<bpmn:conditionExpression xsi:type="bpmn:tFormalExpression">{more[0]}</bpmn:conditionExpression>'
            if more
            else ""
        )
        made.append(
            f'<bpmn:sequenceFlow id="f{number}" sourceRef="{source}" targetRef="{target}">{condition}'
            "</bpmn:sequenceFlow>"
        )
        drawn.append(
            f'<bpmndi:BPMNEdge id="f{number}_e" bpmnElement="f{number}"><di:waypoint x="1" y="1"/>'
            '<di:waypoint x="2" y="2"/></bpmndi:BPMNEdge>'
        )
    return (
        f'{HEAD}<bpmn:process id="{id}" name="{title}" isExecutable="true">{"".join(made)}{beside}</bpmn:process>'
        f'<bpmndi:BPMNDiagram id="diagram"><bpmndi:BPMNPlane id="plane" bpmnElement="{id}">{"".join(drawn)}'
        "</bpmndi:BPMNPlane></bpmndi:BPMNDiagram></bpmn:definitions>"
    ).encode()


START = ("startEvent", "")
END = ("endEvent", "")
DECIDE = ("exclusiveGateway", "")
BOTH = ("parallelGateway", "")

SIMPLE = procedure({"start": START, "one": ("userTask", task()), "end": END}, [("start", "one"), ("one", "end")])
LOOP = procedure(
    {"start": START, "one": ("userTask", task()), "again": DECIDE, "end": END},
    [("start", "one"), ("one", "again"), ("again", "end", "answer == 'yes'"), ("again", "one", "answer == 'no'")],
)
TWO_AT_ONCE = procedure(
    {
        "start": START,
        "split": BOTH,
        "left": ("userTask", task("")),
        "right": ("userTask", task("", role="supervisor")),
        "meet": BOTH,
        "end": END,
    },
    [("start", "split"), ("split", "left"), ("split", "right"), ("left", "meet"), ("right", "meet"), ("meet", "end")],
)
LIMITED = procedure(
    {
        "start": START,
        "one": ("userTask", task("")),
        "limit": ("boundaryEvent", timer("PT10M"), 'attachedToRef="one"'),
        "pause": ("intermediateCatchEvent", timer("PT1H")),
        "done": END,
        "late": END,
    },
    [("start", "one"), ("one", "done"), ("limit", "pause"), ("pause", "late")],
)
