// The evaluation of the model in use: figures with intervals, curves, what is taken for what, and the worst mistakes.

import { follow, node, percent, picture, styled } from "./shared.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 420;
const HEIGHT = 260;
const MARGIN = { left: 44, right: 12, top: 10, bottom: 36 };

function svg(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function figure(title, ...parts) {
  const made = node("figure", "firearm-plot");
  made.append(node("figcaption", "", title), ...parts);
  return made;
}

function interval(measure) {
  if (measure?.value == null) return "–";
  return measure.low == null ? percent(measure.value) : `${percent(measure.value)} (${percent(measure.low)} – ${percent(measure.high)})`;
}

export function mount(element, context) {
  const t = context.t;
  const { state, body } = styled(element, context, "firearm-evaluation");
  const NAMES = { person: t("person"), weapon: t("weapon"), nothing: t("nothing") };

  function axes(words, across, up) {
    const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "firearm-drawing-area", role: "img", "aria-label": words });
    const x = (share) => MARGIN.left + share * (WIDTH - MARGIN.left - MARGIN.right);
    const y = (share) => HEIGHT - MARGIN.bottom - share * (HEIGHT - MARGIN.top - MARGIN.bottom);
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      drawing.append(
        svg("line", { x1: x(0), x2: x(1), y1: y(share), y2: y(share), class: "firearm-rule" }),
        svg("text", { x: x(0) - 6, y: y(share) + 4, "text-anchor": "end" }, percent(share)),
      );
    }
    drawing.append(svg("text", { x: x(0.5), y: HEIGHT - 4, "text-anchor": "middle" }, across), svg("text", { x: x(0) + 4, y: y(1) + 12 }, up));
    return { drawing, x, y };
  }

  function curves(found) {
    const { drawing, x, y } = axes(t("Precision at each recall"), t("Recall"), t("Precision"));
    for (const share of [0, 0.25, 0.5, 0.75, 1]) drawing.append(svg("text", { x: x(share), y: y(0) + 16, "text-anchor": "middle" }, percent(share)));
    Object.entries(found).forEach(([kind, points]) => {
      drawing.append(svg("polyline", { points: points.map(([recall, precision]) => `${x(recall)},${y(precision)}`).join(" "), class: `firearm-curve ${kind}` }));
      const last = points.at(-1);
      if (last) drawing.append(svg("text", { x: Math.min(x(last[0]) + 4, WIDTH - 60), y: y(last[1]) - 6, class: `firearm-label ${kind}` }, NAMES[kind] ?? kind));
    });
    return figure(t("Precision at each recall"), drawing);
  }

  function sizes(rows) {
    const { drawing, x, y } = axes(t("Weapons found, by their size in pixels"), t("Size in pixels"), t("Found"));
    rows.forEach((row, place) => {
      const left = x((place + 0.15) / rows.length);
      const width = x((place + 0.85) / rows.length) - left;
      const share = row.recall ?? 0;
      drawing.append(
        svg("rect", { x: left, y: y(share), width, height: y(0) - y(share), class: "firearm-column" }),
        svg("text", { x: left + width / 2, y: y(share) - 4, "text-anchor": "middle" }, row.recall == null ? "–" : percent(share)),
        svg("text", { x: left + width / 2, y: y(0) + 16, "text-anchor": "middle" }, `${row.size_px} (${row.weapons})`),
      );
    });
    return figure(t("Weapons found, by their size in pixels"), drawing);
  }

  function matrix(counts) {
    const table = node("table", "firearm-matrix");
    const head = node("tr");
    head.append(node("th", "", t("There was")), ...Object.keys(counts).map((name) => node("th", "", t("found: {what}", { what: NAMES[name] ?? name }))));
    table.append(head);
    for (const [truth, row] of Object.entries(counts)) {
      const line = node("tr");
      line.append(node("th", "", NAMES[truth] ?? truth));
      for (const [found, count] of Object.entries(row)) {
        line.append(node("td", truth === found ? "right" : "wrong", truth === "nothing" && found === "nothing" ? "" : String(count)));
      }
      table.append(line);
    }
    return figure(t("What was taken for what"), table);
  }

  function mistakes(found, missed) {
    const row = node("div", "firearm-mistakes");
    for (const one of found.filter((each) => each.missed === missed)) {
      const made = node("figure", "firearm-before");
      made.append(picture(one.picture, ""), node("figcaption", "", missed ? `${one.size_px} px` : `${percent(one.score)} · ${one.size_px} px`));
      row.append(made);
    }
    return figure(missed ? t("The largest weapons that were missed") : t("What was surest taken for a weapon"), row);
  }

  function draw([model]) {
    const found = model?.content.evaluation;
    if (!found?.curves) {
      body.replaceChildren(node("p", "firearm-words", t("The model in use was not evaluated here yet: press Evaluate in the panel Model; it takes some minutes.")));
      return;
    }
    const facts = node("dl", "firearm-facts");
    for (const [name, value] of [
      [t("Model"), model.title],
      [t("Pictures"), found.data],
      [t("Weapon AP50"), interval(found.weapon_ap50)],
      [t("Person AP50"), interval(found.person_ap50)],
      [t("Pictures told apart (AUC)"), interval(found.picture_auc)],
      [t("Recall at 5 % false alarms"), interval(found.recall_at_5_percent_false_alarms)],
      [t("False weapons a picture"), String(found.false_weapons_a_picture)],
      [t("ms a picture"), String(found.ms_a_picture)],
    ]) facts.append(node("dt", "", name), node("dd", "", value));
    body.replaceChildren(facts, matrix(found.confusion), curves(found.curves), sizes(found.weapon_recall_by_size),
      mistakes(found.mistakes, false), mistakes(found.mistakes, true));
  }

  return follow(context, "model", 1, state, draw).stop;
}
