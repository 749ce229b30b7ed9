// What both panels of this tool draw with.

export function node(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Things side by side, with room between them. */
export function row(...children) {
  const box = node("div", {}, ...children);
  Object.assign(box.style, { display: "flex", flexWrap: "wrap", gap: ".5rem", alignItems: "center" });
  return box;
}

/** Parts of a page side by side where there is room, below each other where there is not. */
export function columns(...children) {
  const box = node("div", {}, ...children);
  Object.assign(box.style, { display: "grid", gap: "1rem 2rem", gridTemplateColumns: "repeat(auto-fit, minmax(20rem, 1fr))" });
  return box;
}

export const STATES = {
  overload: ["severity-severe", "Overloaded"],
  normal: ["good", "As it should be"],
  underload: ["accent", "Under-used"],
  unknown: ["ink-3", "Not known"],
};

/** A word with a coloured mark before it; the word alone says it too. */
export function stateMark(context, t, state) {
  const [colour, words] = STATES[state] ?? STATES.unknown;
  const dot = node("span", { "aria-hidden": "true" }, "● ");
  dot.style.color = context.colour(colour);
  return node("strong", {}, dot, t(words));
}

/** Rows of a name and a value; rows without a value are left out. */
export function facts(rows) {
  const list = node("dl", { class: "facts" });
  list.style.display = "grid";
  list.style.gridTemplateColumns = "max-content 1fr";
  list.style.gap = ".2rem 1rem";
  for (const [name, value] of rows) {
    if (value === null || value === undefined || value === "") continue;
    list.append(node("dt", {}, name), node("dd", {}, value instanceof Node ? value : String(value)));
  }
  return list;
}

/** A bar of three parts: under-used, as it should be, overloaded. */
export function bar(context, t, now) {
  const box = node("div", {
    role: "img",
    "aria-label": `${t("Under-used")} ${percent(now.underload)}, ${t("As it should be")} ${percent(now.normal)}, ${t("Overloaded")} ${percent(now.overload)}`,
  });
  Object.assign(box.style, { display: "flex", height: "1.4rem", borderRadius: "4px", overflow: "hidden" });
  for (const [name, state] of [["underload", "underload"], ["normal", "normal"], ["overload", "overload"]]) {
    const part = node("div", { title: `${t(STATES[state][1])} ${percent(now[name])}` });
    part.style.flexGrow = String(now[name] ?? 0);
    part.style.background = context.colour(STATES[state][0]);
    box.append(part);
  }
  return box;
}

export function percent(value) {
  return value === null || value === undefined ? "–" : `${Math.round(100 * value)} %`;
}

/** A line through [time in s, value 0..1 or null] rows, drawn into an SVG. */
export function course(context, rows, label) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 600 80");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.style.height = "80px";
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  svg.style.width = "100%";
  const shown = rows.slice(-120);
  const piece = (points, colour) => {
    const line = document.createElementNS(space, "polyline");
    line.setAttribute("points", points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "));
    line.setAttribute("fill", "none");
    line.setAttribute("stroke", colour);
    line.setAttribute("stroke-width", "2");
    line.setAttribute("vector-effect", "non-scaling-stroke");
    svg.append(line);
  };
  piece([[0, 40], [600, 40]], context.colour("line-3"));
  let run = [];
  shown.forEach(([, value], place) => {
    if (value === null) {
      if (run.length) piece(run, context.colour("accent"));
      run = [];
    } else run.push([(600 * place) / Math.max(shown.length - 1, 1), 76 - 72 * value]);
  });
  if (run.length) piece(run, context.colour("accent"));
  return svg;
}
