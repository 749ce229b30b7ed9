// Plans side by side: a table, the trade-off between time and exposure, playback of two runs, and a sheet for stewards.

import { DENSITIES, Scene, load } from "./crowd.js";

function node(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null).map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

/** Things beside each other. */
function bar(...children) {
  const element = node("div", {}, ...children);
  element.style.cssText = "display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: .4rem 0";
  return element;
}

/** What the colours of people mean. */
function legend(context) {
  return bar(context.t("People per m²"), ...DENSITIES.map(([from, name]) => {
    const swatch = node("span", { "aria-hidden": "true" });
    swatch.style.cssText = `display: inline-block; width: .7em; height: .7em; background: ${context.colour(name)}`;
    return node("small", {}, swatch, ` ≥ ${number(from, 1)}`);
  }));
}

const number = (value, digits = 0) => (value === null || value === undefined ? "–" : value.toLocaleString(undefined, { maximumFractionDigits: digits }));
const percent = (value) => (value === null || value === undefined ? "–" : `${Math.round(100 * value)} %`);

export function mount(element, context) {
  const t = context.t;
  const ours = `/tools/${context.tool}/results`;
  let plan = null;
  let chosen = 0;
  let venues = new Map();
  let running = 0;
  let stopped = false;
  let saidAt = "";

  const choice = node("select", { "aria-label": t("Plan"), onchange: () => show(choice.value) });
  const state = node("p", { role: "status", "aria-live": "polite" });
  const table = node("table", { class: "table" });
  const plot = node("div", { role: "img", "aria-label": t("Time against exposure of each plan") });
  plot.style.height = "15rem";
  const advice = node("ul", {});
  const button = (text, key, action, primary = false) =>
    node("button", { type: "button", class: primary ? "button primary" : "button", "aria-keyshortcuts": key, onclick: action }, `${text} (${key})`);
  const actions = bar(
    button(t("Accept"), "a", () => decide("accept"), true),
    button(t("Reject"), "r", () => decide("reject")),
    button(t("Play"), "p", () => play([chosen])),
    button(t("Compare with nearest exits"), "c", () => play([-1, chosen])),
    button(t("Print for stewards"), "s", print));
  const closing = bar();
  const player = node("div", {});
  element.tabIndex = 0;
  element.replaceChildren(bar(choice), state, table, plot, advice, closing, actions, player);

  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const jobs = { a: () => decide("accept"), r: () => decide("reject"), p: () => play([chosen]), c: () => play([-1, chosen]), s: print,
      ArrowDown: () => select(chosen + 1), ArrowUp: () => select(chosen - 1) };
    if (jobs[event.key]) { event.preventDefault(); event.stopPropagation(); jobs[event.key](); }
  });

  function select(index) {
    if (!plan) return;
    chosen = Math.min(Math.max(index, 0), plan.content.plans.length - 1);
    draw();
  }

  function draw() {
    if (!plan) {
      state.textContent = t("No plan yet. Ask for one below, or confirm an alert with a place.");
      table.replaceChildren(); plot.replaceChildren(); advice.replaceChildren(); closing.replaceChildren();
      actions.hidden = true;
      return;
    }
    actions.hidden = false;
    const content = plan.content;
    const judged = { queue: t("queue model"), agents: t("agent model"), jupedsim: t("JuPedSim") }[content.stage];
    const bound = content.bound_t90_s === null ? "" : ` ${t("No plan can be faster than")} ${number(content.bound_t90_s)} s.`;
    state.textContent = saidAt || `${content.finished ? t("Finished") : t("Still improving")}: ${t("judged by the")} ${judged}, ${number(content.elapsed_s, 1)} s.${bound}`;
    const head = [t("Plan"), "t90 s", t("worst tenth"), t("Exposure person-s"), t("Above 5/m²"), t("Gain t90"), t("Gain exposure"), t("Verified t90"), ""];
    const row = (one, index, label) => {
      const cells = [label, number(one.t90_s), number(one.t90_cvar90_s), number(one.exposure_person_s), number(one.dense_person_s),
        percent(one.gain_t90), percent(one.gain_exposure), one.verified ? number(one.verified.t90_s) : "–",
        [one.on_front ? t("best in something") : "", one.tie ? t("tie") : ""].filter(Boolean).join(", ")];
      const line = node("tr", { "aria-selected": String(index === chosen) },
        ...cells.map((cell, place) => node("td", place > 0 && place < cells.length - 1 ? { class: "number" } : {}, cell)));
      if (index >= 0) line.addEventListener("click", () => select(index));
      if (index === chosen) line.style.outline = `2px solid ${context.colour("accent")}`;
      return line;
    };
    table.replaceChildren(
      node("thead", {}, node("tr", {}, ...head.map((title) => node("th", { scope: "col" }, title)))),
      node("tbody", {}, row(content.baseline, -1, t("Nearest exits")), ...content.plans.map((one, index) => row(one, index, `${index + 1}`))));
    const best = content.plans[chosen];
    advice.replaceChildren(...(best?.advice ?? []).map((line) => node("li", {}, line)));
    const opened = content.scenario?.opened ?? {};
    const shut = new Set([...(best?.closed ?? []), ...Object.keys(opened).filter((id) => !opened[id])]);
    closing.replaceChildren(t("Change: closed exits"), ...Object.keys({ ...content.baseline.exits, ...best?.exits, ...opened }).map((id) =>
      node("label", {}, node("input", { type: "checkbox", value: id, ...(shut.has(id) ? { checked: "" } : {}) }), ` ${nameOf(id)}`)),
      node("button", { type: "button", class: "button", onclick: change }, t("Plan again")));
    scatter(content);
  }

  async function scatter(content) {
    await context.library("charts");
    if (stopped || !plot.isConnected) return;
    const chart = window.echarts.getInstanceByDom(plot) ?? window.echarts.init(plot);
    const points = content.plans.map((one, index) => ({
      name: `${index + 1}`, value: [one.t90_s, one.exposure_person_s ?? 0],
      itemStyle: { color: context.colour(index === chosen ? "accent" : one.on_front ? "good" : "ink-2") },
    })).filter((one) => one.value[0] !== null);
    const base = { name: t("Nearest exits"), value: [content.baseline.t90_s, content.baseline.exposure_person_s ?? 0], itemStyle: { color: context.colour("severity-severe") } };
    const ink = { color: context.colour("ink-2") };
    chart.setOption({
      animation: false, grid: { left: 60, right: 20, top: 32, bottom: 40 },
      xAxis: { type: "value", name: "t90 s", nameLocation: "middle", nameGap: 24, nameTextStyle: ink, axisLabel: ink, scale: true, splitLine: { lineStyle: { color: context.colour("line-2") } } },
      yAxis: { type: "value", name: t("Exposure person-s"), nameTextStyle: { ...ink, align: "left", padding: [0, 0, 0, -50] }, axisLabel: ink, scale: true, splitLine: { lineStyle: { color: context.colour("line-2") } } },
      tooltip: { formatter: (one) => `${one.name}: ${number(one.value[0])} s, ${number(one.value[1])}`, renderMode: "richText" },
      series: [{ type: "scatter", symbolSize: 12, data: [...points, base], label: { show: true, formatter: "{b}", position: "right", color: context.colour("ink-2") } }],
    });
    chart.off("click");
    chart.on("click", (one) => { if (one.dataIndex < points.length) select(one.dataIndex); });
    chart.resize();
  }

  async function ask(task, content, incident = plan?.incident ?? null) {
    saidAt = "";
    state.textContent = t("Working ...");
    try {
      const done = await context.ask(task, content, plan ? { incident, alert: plan.alert } : {});
      saidAt = done.text || (done.state === "done" ? t("Done.") : t("The tool did not say why it failed."));
      state.textContent = saidAt;
      return done.state === "done" ? done : null;
    } catch (problem) {
      state.textContent = problem.message;
      return null;
    }
  }

  /** The incident that a plan is carried out in: its own, that of its alert, or a new one for that alert. */
  async function incidentOf(one) {
    if (one.incident || !one.alert) return one.incident ?? null;
    const alert = await context.get(`/alerts/${encodeURIComponent(one.alert)}`);
    return alert.incident ?? (await context.post("/incidents", { title: one.title, alerts: [one.alert] })).id;
  }

  async function decide(task) {
    if (!plan || !plan.content.plans.length) return;
    const decided = plan;
    let incident = decided.incident ?? null;
    if (task === "accept") {
      try {
        incident = await incidentOf(decided);
      } catch (problem) {
        state.textContent = problem.message;
        return;
      }
    }
    const done = await ask(task, { id: decided.id, number: chosen }, incident);
    if (!done || task !== "accept" || !incident) return;
    try {
      await context.post(`/incidents/${encodeURIComponent(incident)}/procedures`, { procedure: "evacuation" });
      saidAt = t("Accepted. The tasks of the evacuation are in the incident room.");
    } catch (problem) {
      saidAt = `${t("Accepted; its procedure could not be started:")} ${problem.message}`;
    }
    state.textContent = saidAt;
  }

  async function change() {
    const boxes = [...closing.querySelectorAll("input")];
    await ask("change", { id: plan.id, closed: boxes.filter((box) => box.checked).map((box) => box.value), opened: boxes.filter((box) => !box.checked).map((box) => box.value) });
  }

  function venueOf(content) {
    return venues.get(content.venue);
  }

  /** What people call an exit, a gate or a zone of the plan's venue. */
  function nameOf(id) {
    return venueOf(plan.content)?.features.find((feature) => feature.id === id)?.properties.name ?? id;
  }

  async function play(numbers) {
    if (!plan) return;
    const id = plan.id;
    const scenes = [];
    player.replaceChildren(node("p", { role: "status" }, t("The run is made ...")));
    for (const one of numbers) {
      let run = await load(context, id, one);
      if (!run) {
        if (!(await ask("play", { id, number: one }))) { player.replaceChildren(); return; }
        for (let tries = 0; !run && tries < 20; tries += 1) {
          await new Promise((resolve) => setTimeout(resolve, 250));
          run = await load(context, id, one);
        }
      }
      const venue = venueOf(plan.content);
      if (!run || !venue) { player.replaceChildren(t("The playback cannot be shown.")); return; }
      const canvas = node("canvas", { role: "img", "aria-label": one < 0 ? t("Nearest exits") : `${t("Plan")} ${one + 1}` });
      canvas.style.width = "100%";
      const caption = node("figcaption", {});
      const figure = node("figure", {}, canvas, caption);
      figure.style.cssText = "flex: 1; margin: 0; min-width: 0";
      scenes.push({ run, figure, caption, label: one < 0 ? t("Nearest exits") : `${t("Plan")} ${one + 1}`, scene: new Scene(canvas, context, venue, run.head) });
    }
    const longest = Math.max(...scenes.map(({ run }) => (run.head.frames - 1) * run.head.frame_s));
    const slider = node("input", { type: "range", min: "0", max: String(longest), step: "0.5", value: "0", "aria-label": t("Time") });
    slider.style.flex = "1";
    const clock = node("output", {}, "0 s");
    const speed = node("select", { "aria-label": t("Speed") }, ...[1, 4, 10, 20].map((value) => node("option", { value, ...(value === 10 ? { selected: "" } : {}) }, `${value}×`)));
    let playing = true;
    const toggle = node("button", { type: "button", class: "button", onclick: () => { playing = !playing; toggle.textContent = playing ? t("Pause") : t("Play"); } }, t("Pause"));
    const rate = node("small", {});
    const side = node("div", {}, ...scenes.map(({ figure }) => figure));
    side.style.cssText = "display: flex; gap: .5rem";
    player.replaceChildren(bar(toggle, slider, clock, speed, rate), side, legend(context));
    player.scrollIntoView({ block: "nearest" });
    saidAt = "";
    draw();
    running += 1;
    const mine = running;
    let time = 0;
    let before = performance.now();
    let count = 0;
    let since = before;
    slider.addEventListener("input", () => { time = Number(slider.value); });
    const step = (now) => {
      if (stopped || mine !== running || !player.isConnected) return;
      if (playing) time = Math.min(time + ((now - before) / 1000) * Number(speed.value), longest);
      before = now;
      for (const { run, scene, caption, label } of scenes) {
        const inside = scene.draw(run, time);
        const text = `${label}: ${number(inside)} ${t("inside")}`;
        if (caption.textContent !== text) caption.textContent = text;
      }
      slider.value = String(time);
      clock.textContent = `${Math.round(time)} s`;
      count += 1;
      if (now - since > 1000) {
        player.dataset.framesPerSecond = String(Math.round((1000 * count) / (now - since)));
        rate.textContent = `${player.dataset.framesPerSecond} ${t("frames/s")}`;
        count = 0;
        since = now;
      }
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  function print() {
    const best = plan?.content.plans[chosen];
    if (!best) return;
    const style = new CSSStyleSheet();
    // Only the sheet is printed, from the top of the paper, black on white whatever the page looks like.
    style.replaceSync("@media print { html, body { background: #fff; overflow: visible; height: auto } body > :not(dialog.stewards) { display: none } dialog.stewards { position: static; margin: 0; border: 0; max-width: none; max-height: none; width: auto; color: #000; background: #fff; font-size: 16pt } dialog.stewards * { color: #000 } } dialog.stewards :is(h2, p:last-child) { margin-block-start: 1rem } dialog.stewards li { margin-inline-start: 1.2rem; list-style: disc }");
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, style];
    const places = (best.stewards ?? []).map((id) => node("li", {}, nameOf(id)));
    const sheet = node("dialog", { class: "stewards" }, node("h1", {}, plan.title), node("p", {}, new Date(plan.time).toLocaleString(context.locale, { timeZone: context.zone })),
      node("h2", {}, t("What to do")), node("ul", {}, ...best.advice.map((line) => node("li", {}, line))),
      node("h2", {}, t("Stewards")), places.length ? node("ul", {}, ...places) : node("p", {}, t("none")),
      node("h2", {}, t("Expected at each exit")), node("ul", {}, ...Object.entries(best.exits).map(([id, count]) => node("li", {}, `${nameOf(id)}: ${number(count)}`))),
      node("p", {}, t("Carry this out when the person in charge says so. Follow the police and fire service where they say otherwise.")));
    const end = () => { sheet.remove(); document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== style); };
    document.body.append(sheet);
    sheet.addEventListener("close", end);
    window.addEventListener("afterprint", () => sheet.close(), { once: true });
    sheet.showModal();
    window.print();
  }

  async function show(id = null) {
    const [page, places] = await Promise.all([context.get(ours, { kind: "plan", limit: 30 }), context.get(ours, { kind: "venue", limit: 100 })]);
    venues = new Map(places.items.map((item) => [item.content.venue?.id, item.content.venue]));
    const wanted = id ?? (plan && page.items.some((item) => item.id === plan.id) && page.items[0]?.id === plan.id ? plan.id : page.items[0]?.id);
    const next = page.items.find((item) => item.id === wanted) ?? null;
    if (next?.id !== plan?.id) { chosen = 0; saidAt = ""; }
    plan = next;
    if (plan) chosen = Math.min(chosen, Math.max(plan.content.plans.length - 1, 0));
    choice.replaceChildren(...page.items.map((item) => node("option", { value: item.id, ...(item.id === plan?.id ? { selected: "" } : {}) },
      `${item.title}, ${new Date(item.time).toLocaleTimeString(context.locale, { timeZone: context.zone })}`)));
    choice.hidden = page.items.length === 0;
    draw();
  }

  const stop = context.on("result", (news) => { if (news.kind === "plan" || news.kind === "venue") show(); });
  show();
  return () => { stopped = true; stop(); window.echarts?.getInstanceByDom(plot)?.dispose(); };
}
