"""Builds the shipped procedures: readable TOML in `scripts/procedures/` becomes BPMN 2.0 with its diagram.

Run it after a change: `python scripts/build_procedures.py`. A test says when the two differ. What is shipped and read
at run time is the BPMN alone; cities edit that with any BPMN editor.
"""

from __future__ import annotations

import sys
import tomllib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

ROOT = Path(__file__).parent
SOURCES = ROOT / "procedures"
TARGET = ROOT.parent / "src" / "impetus" / "response" / "procedures"

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
BPMNDI = "http://www.omg.org/spec/BPMN/20100524/DI"
DC = "http://www.omg.org/spec/DD/20100524/DC"
DI = "http://www.omg.org/spec/DD/20100524/DI"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
IMPETUS = "urn:impetus:procedure:1"
PREFIXES = {"bpmn": BPMN, "bpmndi": BPMNDI, "dc": DC, "di": DI, "xsi": XSI, "impetus": IMPETUS}

SIZES = {
    "startEvent": (36, 36),
    "endEvent": (36, 36),
    "intermediateCatchEvent": (36, 36),
    "boundaryEvent": (36, 36),
    "exclusiveGateway": (50, 50),
    "parallelGateway": (50, 50),
    "userTask": (160, 80),
    "serviceTask": (160, 80),
}
KINDS = {
    "task": "userTask",
    "auto": "serviceTask",
    "decide": "exclusiveGateway",
    "split": "parallelGateway",
    "join": "parallelGateway",
    "wait": "intermediateCatchEvent",
    "end": "endEvent",
}
GAP, ROW, TRACK = 110, 150, 16


@dataclass
class Flow:
    """A flow, and over how many columns it goes."""

    id: str
    source: str
    target: str
    name: str = ""
    condition: str = ""
    default: bool = False
    back: bool = False
    points: list[tuple[float, float]] = field(default_factory=list)
    label: tuple[float, float] | None = None


@dataclass
class Node:
    """A step with its place in the drawing."""

    id: str
    tag: str
    source: dict[str, Any]
    column: int = 0
    row: int = 0
    x: float = 0
    y: float = 0

    @property
    def size(self) -> tuple[int, int]:
        return SIZES[self.tag]

    @property
    def middle(self) -> float:
        return self.y + self.size[1] / 2


def read(path: Path) -> tuple[dict[str, Any], dict[str, Node], list[Flow]]:
    """The nodes and flows of one source, in its order."""
    source = tomllib.loads(path.read_text(encoding="utf-8"))
    nodes = {"start": Node("start", "startEvent", {"title": source["start"]})}
    flows: list[Flow] = []

    def flow(start: str, target: str, **more: Any) -> None:
        id = f"flow_{start}_{target}"
        flows.append(Flow(id, start, target, **more))

    flow("start", source["step"][0][next(kind for kind in KINDS if kind in source["step"][0])])
    for step in source["step"]:
        kind = next(kind for kind in KINDS if kind in step)
        id = step[kind]
        nodes[id] = Node(id, KINDS[kind], step)
        if kind == "decide":
            ways: dict[str, list[str]] = defaultdict(list)
            for value, target in step["next"].items():
                ways[target].append(value)
            for target, values in ways.items():
                condition = " or ".join(f"{step['on']} == '{value}'" for value in values)
                name = step.get("names", {}).get(values[0], values[0].replace("_", " "))
                flow(id, target, name=name, condition=condition)
        elif kind != "end":
            following = step["next"]
            for target in [following] if isinstance(following, str) else following:
                flow(id, target)
        if "limit" in step:
            limit = step["limit"]
            nodes[f"{id}_limit"] = Node(f"{id}_limit", "boundaryEvent", limit | {"on": id})
            flow(f"{id}_limit", limit["next"])
    for step in source["step"]:
        if "split" in step:
            merge(step["split"], nodes, flows)
    return source, nodes, flows


def merge(split: str, nodes: dict[str, Node], flows: list[Flow]) -> None:
    """A parallel gateway waits for all its ways in, so alternative ways meet in a gateway of their own before it."""
    incoming = [one for one in flows if one.target == split]
    if len(incoming) > 1:
        id = f"{split}_merge"
        nodes[id] = Node(id, "exclusiveGateway", {})
        for one in incoming:
            one.target = id
            one.id = f"flow_{one.source}_{id}"
        flows.append(Flow(f"flow_{id}_{split}", id, split))


def order(nodes: dict[str, Node], flows: list[Flow]) -> None:
    """Columns by the longest way from the start; flows that lead back are marked."""
    outgoing: dict[str, list[Flow]] = defaultdict(list)
    for one in flows:
        outgoing[nodes[one.source].source["on"] if nodes[one.source].tag == "boundaryEvent" else one.source].append(one)
    state: dict[str, int] = {}
    sequence: list[str] = []

    def visit(id: str) -> None:
        state[id] = 1
        for one in outgoing[id]:
            if state.get(one.target) == 1:
                one.back = True
            elif one.target not in state:
                visit(one.target)
        state[id] = 2
        sequence.append(id)

    visit("start")
    for id in reversed(sequence):
        for one in outgoing[id]:
            if not one.back:
                nodes[one.target].column = max(nodes[one.target].column, nodes[id].column + 1)


def place(nodes: dict[str, Node], flows: list[Flow]) -> dict[tuple[str, int], int]:
    """Rows for nodes and for the flows that pass a column; returns the latter by flow and column."""
    taken: dict[int, set[int]] = defaultdict(set)
    passing: dict[tuple[str, int], int] = {}
    wanted: dict[str, list[int]] = defaultdict(list)
    last = max(node.column for node in nodes.values())

    def free(column: int, row: int) -> int:
        for distance in range(200):
            for candidate in (row + distance, row - distance):
                if candidate not in taken[column]:
                    taken[column].add(candidate)
                    return candidate
        raise RuntimeError("no room")

    for column in range(last + 1):
        items: list[tuple[int, int, str, Flow | None]] = []
        for number, node in enumerate(nodes.values()):
            if node.column == column and node.tag != "boundaryEvent":
                rows = wanted[node.id]
                items.append((min(rows, key=abs, default=0), number, node.id, None))
        for number, one in enumerate(flows):
            start = owner(nodes, one.source)
            if not one.back and start.column < column < nodes[one.target].column:
                row = passing.get((one.id, column - 1), start.row + offset(flows, nodes, one))
                items.append((row, 1_000 + number, one.id, one))
        for row, _, id, passes in sorted(items, key=lambda item: (item[1] >= 1_000, abs(item[0]), item[1])):
            if passes is None:
                nodes[id].row = free(column, row)
            else:
                passing[id, column] = free(column, row)
        for one in flows:
            start = owner(nodes, one.source)
            target = nodes[one.target]
            if not one.back and target.column == column + 1 and start.column <= column:
                row = passing.get((one.id, column), start.row + offset(flows, nodes, one))
                wanted[one.target].append(row)
    return passing


def owner(nodes: dict[str, Node], id: str) -> Node:
    """The node itself, or the task that a limit hangs on."""
    node = nodes[id]
    return nodes[node.source["on"]] if node.tag == "boundaryEvent" else node


def offset(flows: list[Flow], nodes: dict[str, Node], one: Flow) -> int:
    """The first way goes straight on, the others below and above it in turn."""
    if nodes[one.source].tag == "boundaryEvent":
        return 1
    ways = [flow for flow in flows if flow.source == one.source and not flow.back]
    if one not in ways:
        return 0
    number = ways.index(one)
    return (number + 1) // 2 * (1 if number % 2 else -1)


def draw(nodes: dict[str, Node], flows: list[Flow], passing: dict[tuple[str, int], int]) -> None:
    """Coordinates of everything; flows run in the gaps between columns and in rows of their own."""
    last = max(node.column for node in nodes.values())
    rows = [node.row for node in nodes.values() if node.tag != "boundaryEvent"] + list(passing.values())
    top = min(rows)
    width = {
        column: max(node.size[0] for node in nodes.values() if node.column == column and node.tag != "boundaryEvent")
        for column in range(last + 1)
    }
    left = {0: 60.0}
    for column in range(1, last + 1):
        left[column] = left[column - 1] + width[column - 1] + GAP

    def middle(row: int) -> float:
        return 90 + (row - top) * ROW

    for node in nodes.values():
        if node.tag != "boundaryEvent":
            node.x = left[node.column] + (width[node.column] - node.size[0]) / 2
            node.y = middle(node.row) - node.size[1] / 2
    for node in nodes.values():
        if node.tag == "boundaryEvent":
            task = nodes[node.source["on"]]
            node.x = task.x + task.size[0] - 46
            node.y = task.y + task.size[1] - 18

    lanes: dict[tuple[int, str], int] = {}

    def gap(column: int, who: str) -> float:
        """A lane of its own for each source, in the gap behind a column."""
        used = [key for key in lanes if key[0] == column]
        number = lanes.setdefault((column, who), len(used))
        return left[column] + width[column] + 14 + (number % 6) * 9

    bottom = max(middle(row) for row in rows) + ROW / 2
    for number, one in enumerate(one for one in flows if one.back):
        start, target = nodes[one.source], nodes[one.target]
        track = bottom + number * TRACK
        out = gap(start.column, one.id)
        into = gap(target.column - 1, one.id)
        one.points = [
            (start.x + start.size[0], start.middle),
            (out, start.middle),
            (out, track),
            (into, track),
            (into, target.middle),
            (target.x, target.middle),
        ]
        one.label = (out + 4, start.middle + 14)
    for one in flows:
        if one.back:
            continue
        node = nodes[one.source]
        start, target = owner(nodes, one.source), nodes[one.target]
        if node.tag == "boundaryEvent":
            height = node.y + node.size[1] + 10
            points = [(node.x + 18, node.y + 36), (node.x + 18, height)]
        else:
            height = start.middle
            points = [(start.x + start.size[0], height)]
        for column in range(start.column, target.column):
            row = passing.get((one.id, column + 1), target.row)
            following = middle(row)
            if abs(following - height) > 0.5:
                lane = gap(column, one.source)
                points += [(lane, height), (lane, following)]
                if one.label is None:
                    one.label = (lane + 5, following - 16)
            elif one.label is None:
                one.label = (points[-1][0] + 5, height - 16)
            height = following
        points.append((target.x, target.middle))
        one.points = points


def paragraphs(text: str) -> str:
    """Lines of a paragraph joined, so that the file reads like the source."""
    return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))


def write(source: dict[str, Any], nodes: dict[str, Node], flows: list[Flow]) -> bytes:
    """The BPMN file."""
    for prefix, uri in PREFIXES.items():
        ElementTree.register_namespace(prefix, uri)

    def tag(prefix: str, name: str) -> str:
        return f"{{{PREFIXES[prefix]}}}{name}"

    root = Element(
        tag("bpmn", "definitions"),
        {"id": f"definitions_{source['id'].replace('-', '_')}", "targetNamespace": IMPETUS},
    )
    process = SubElement(
        root, tag("bpmn", "process"), {"id": source["id"], "name": source["title"], "isExecutable": "true"}
    )
    SubElement(process, tag("bpmn", "documentation")).text = paragraphs(source["summary"])
    for node in nodes.values():
        step = node.source
        element = SubElement(process, tag("bpmn", node.tag), {"id": node.id, "name": step.get("title", "")})
        if not element.get("name"):
            del element.attrib["name"]
        if node.tag == "boundaryEvent":
            element.set("attachedToRef", step["on"])
        if "do" in step:
            SubElement(element, tag("bpmn", "documentation")).text = paragraphs(step["do"])
        if node.tag == "userTask":
            describe_work(SubElement(element, tag("bpmn", "extensionElements")), step)
        if node.tag == "serviceTask":
            holder = SubElement(element, tag("bpmn", "extensionElements"))
            automatic = SubElement(holder, tag("impetus", "automatic"), {"operation": step["operation"]})
            for name, text in step["with"].items():
                SubElement(automatic, tag("impetus", "parameter"), {"name": name}).text = paragraphs(text)
        for one in flows:
            if one.target == node.id:
                SubElement(element, tag("bpmn", "incoming")).text = one.id
        for one in flows:
            if one.source == node.id:
                SubElement(element, tag("bpmn", "outgoing")).text = one.id
        if node.tag in ("boundaryEvent", "intermediateCatchEvent"):
            timer = SubElement(element, tag("bpmn", "timerEventDefinition"), {"id": f"{node.id}_timer"})
            duration = SubElement(timer, tag("bpmn", "timeDuration"), {tag("xsi", "type"): "bpmn:tFormalExpression"})
            duration.text = step["after"]
    for one in flows:
        attributes = {"id": one.id, "sourceRef": one.source, "targetRef": one.target}
        if one.name:
            attributes["name"] = one.name
        element = SubElement(process, tag("bpmn", "sequenceFlow"), attributes)
        if one.condition:
            condition = SubElement(
                element, tag("bpmn", "conditionExpression"), {tag("xsi", "type"): "bpmn:tFormalExpression"}
            )
            condition.text = one.condition
    diagram = SubElement(root, tag("bpmndi", "BPMNDiagram"), {"id": "diagram"})
    plane = SubElement(diagram, tag("bpmndi", "BPMNPlane"), {"id": "plane", "bpmnElement": source["id"]})
    for node in nodes.values():
        shape = SubElement(plane, tag("bpmndi", "BPMNShape"), {"id": f"{node.id}_shape", "bpmnElement": node.id})
        if node.tag == "exclusiveGateway":
            shape.set("isMarkerVisible", "true")
        SubElement(shape, tag("dc", "Bounds"), bounds(node.x, node.y, *node.size))
        if node.tag.endswith(("Gateway", "Event")) and node.source.get("title"):
            label = SubElement(shape, tag("bpmndi", "BPMNLabel"))
            SubElement(
                label, tag("dc", "Bounds"), bounds(node.x + node.size[0] / 2 - 60, node.y + node.size[1] + 4, 120, 40)
            )
    for one in flows:
        edge = SubElement(plane, tag("bpmndi", "BPMNEdge"), {"id": f"{one.id}_edge", "bpmnElement": one.id})
        for x, y in one.points:
            SubElement(edge, tag("di", "waypoint"), {"x": f"{x:g}", "y": f"{y:g}"})
        if one.name and one.label:
            label = SubElement(edge, tag("bpmndi", "BPMNLabel"))
            SubElement(label, tag("dc", "Bounds"), bounds(*one.label, min(14 + 6 * len(one.name), 130), 14))
    ElementTree.indent(root, "  ")
    content: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return content + b"\n"


def describe_work(holder: Element, step: dict[str, Any]) -> None:
    """Who, until when, what to assess and what to answer."""
    work = SubElement(
        holder,
        f"{{{IMPETUS}}}work",
        {"role": step["by"], "organisation": step["org"], "deadline": step["within"]},
    )
    if step.get("then"):
        work.set("escalation", " ".join(step["then"]))
    if step.get("assess"):
        SubElement(work, f"{{{IMPETUS}}}assess").text = paragraphs(step["assess"])
    for ask in step.get("ask", []):
        kind = "choice" if "choices" in ask else ask.get("kind", "text")
        asked = SubElement(work, f"{{{IMPETUS}}}ask", {"id": ask["id"], "label": ask["label"], "kind": kind})
        if not ask.get("required", "choices" in ask):
            asked.set("required", "false")
        for value, label in ask.get("choices", {}).items():
            SubElement(asked, f"{{{IMPETUS}}}choice", {"value": value, "label": label})


def bounds(x: float, y: float, width: float, height: float) -> dict[str, str]:
    """Attributes of a dc:Bounds."""
    return {"x": f"{x:g}", "y": f"{y:g}", "width": f"{width:g}", "height": f"{height:g}"}


def build(path: Path) -> bytes:
    """The BPMN of one source."""
    source, nodes, flows = read(path)
    order(nodes, flows)
    draw(nodes, flows, place(nodes, flows))
    return write(source, nodes, flows)


def main() -> None:
    """Build all."""
    for path in sorted(SOURCES.glob("*.toml")):
        target = TARGET / f"{path.stem}.bpmn"
        target.write_bytes(build(path))
        print(target.name, file=sys.stderr)


if __name__ == "__main__":
    main()
