// What the panels share: elements, and the results of a kind, fetched anew when one changes.

export function node(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function styled(element, context, name) {
  element.classList.add(name);
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = context.file("firearm.css");
  const state = node("p", "firearm-state");
  state.setAttribute("role", "status");
  const body = node("div", "firearm-body");
  element.replaceChildren(style, state, body);
  return { state, body };
}

// Calls `draw` with the results now and whenever one of the kind changes, a few times a second at most.
export function follow(context, kind, limit, state, draw) {
  let gone = false;
  let waiting = null;
  async function load() {
    waiting = null;
    try {
      const found = await context.get(`/tools/${context.tool}/results`, { kind, limit });
      if (gone) return;
      state.textContent = "";
      draw(found.items);
    } catch (error) {
      if (!gone) state.textContent = error.message;
    }
  }
  const stop = context.on("result", (news) => {
    if (news.kind === kind && news.tool === context.tool && waiting === null) waiting = setTimeout(load, 300);
  });
  load();
  return {
    load,
    stop: () => {
      gone = true;
      clearTimeout(waiting);
      stop();
    },
  };
}

// Only pictures that the tool itself made: anything else is not shown.
export function picture(address, words) {
  const made = node("img", "firearm-picture");
  made.alt = words;
  if (typeof address === "string" && address.startsWith("data:image/jpeg;base64,")) made.src = address;
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function overlay() {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("viewBox", "0 0 1 1");
  made.setAttribute("preserveAspectRatio", "none");
  made.setAttribute("class", "firearm-overlay");
  return made;
}

export function polygon(svg, points, name) {
  const made = document.createElementNS(SVG, "polygon");
  made.setAttribute("points", points.map(([x, y]) => `${x},${y}`).join(" "));
  made.setAttribute("class", name);
  svg.append(made);
}

export function rectangle(svg, [x0, y0, x1, y1], name) {
  polygon(svg, [[x0, y0], [x1, y0], [x1, y1], [x0, y1]], name);
}

export function percent(value) {
  return `${Math.round(100 * (value ?? 0))} %`;
}
