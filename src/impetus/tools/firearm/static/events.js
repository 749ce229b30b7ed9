// Events: masked frames with boxes, why it was raised, confirm and dismiss by key, and similar events of the past.

import { follow, node, overlay, percent, picture, rectangle, styled } from "./shared.js";

export function mount(element, context) {
  const t = context.t;
  const { state, body } = styled(element, context, "firearm-events");
  const list = node("ul", "firearm-list");
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", t("Events"));
  list.tabIndex = 0;
  const view = node("article", "firearm-view");
  view.setAttribute("aria-live", "polite");
  body.append(list, view);
  let items = [];
  let chosen = null;
  let frame = 0;
  let alerts = new Map();
  let deciding = false;

  const STATES = {
    new: t("new"), acknowledged: t("acknowledged"), confirmed: t("confirmed"), dismissed: t("dismissed"), escalated: t("escalated"),
  };
  const stateOf = (item) => alerts.get(item.alert)?.state;
  const isOpen = (item) => ["new", "acknowledged", "escalated"].includes(stateOf(item));

  async function load() {
    const found = await context.get("/alerts", { tool: context.tool, limit: 200 });
    alerts = new Map(found.items.map((alert) => [alert.id, alert]));
    draw(items);
  }

  // The same camera first, then guns of about the same size, at about the same hour.
  function similar(item) {
    const hour = (each) => new Date(each.time).getUTCHours();
    const apart = (each) => {
      const hours = Math.abs(hour(each) - hour(item));
      return (each.content.camera === item.content.camera ? 0 : 2) + Math.min(hours, 24 - hours) / 12
        + Math.abs(Math.log2(Math.max(1, each.content.size_px) / Math.max(1, item.content.size_px)));
    };
    return items.filter((each) => each.id !== item.id && each.time <= item.time).sort((one, other) => apart(one) - apart(other)).slice(0, 4);
  }

  async function decide(item, action) {
    if (deciding || !isOpen(item)) return;
    deciding = true;
    try {
      await context.decide(item.alert, action);
      state.textContent = "";
    } catch (error) {
      state.textContent = [error.message, error.hint].filter(Boolean).join(". ");
    }
    deciding = false;
    await load();
    list.focus();
  }

  function draw(found) {
    items = found;
    if (!items.some((item) => item.id === chosen)) {
      chosen = items[0]?.id ?? null;
      frame = 0;
    }
    list.replaceChildren(
      ...items.map((item) => {
        const row = node("li", "firearm-row");
        row.id = `firearm-${item.id}`;
        row.setAttribute("role", "option");
        row.setAttribute("aria-selected", String(item.id === chosen));
        row.append(
          node("span", "firearm-score", percent(item.content.confidence)),
          node("span", "", item.title),
          node("span", "firearm-mark", STATES[stateOf(item)] ?? ""),
          node("time", "", new Date(item.time).toLocaleTimeString(context.locale, { timeZone: context.zone })),
        );
        row.addEventListener("click", () => choose(item.id));
        return row;
      }),
    );
    show();
  }

  function choose(id) {
    chosen = id;
    frame = 0;
    draw(items);
    list.focus();
  }

  function show() {
    const item = items.find((each) => each.id === chosen);
    if (!item) {
      view.replaceChildren(node("p", "", t("No event was raised yet")));
      return;
    }
    const content = item.content;
    const frames = content.frames;
    frame = Math.min(frame, Math.max(0, frames.length - 1));
    const stage = node("div", "firearm-stage");
    if (frames.length) {
      const now = frames[frame];
      stage.append(picture(now.picture, t("Masked frame {number} of {count}", { number: frame + 1, count: frames.length })));
      const lines = overlay();
      for (const box of now.boxes) rectangle(lines, box, "firearm-box");
      stage.append(lines);
    }
    const strip = node("div", "firearm-strip");
    frames.forEach((each, number) => {
      const button = node("button", "firearm-thumb");
      button.type = "button";
      button.setAttribute("aria-pressed", String(number === frame));
      button.append(picture(each.picture, ""), node("span", "", `${each.after_s.toFixed(1)} s · ${percent(each.score)}`));
      button.addEventListener("click", () => {
        frame = number;
        show();
      });
      strip.append(button);
    });
    const near = node("figure", "firearm-near");
    near.append(picture(content.close_up, t("The object, enlarged, heads covered")), node("figcaption", "", t("Enlarged; heads are covered")));
    const facts = node("dl", "firearm-facts");
    for (const [name, value] of [
      [t("Confidence"), percent(content.confidence)],
      [t("Frames"), `${content.hits} / ${content.window}`],
      [t("Size"), `${content.size_px} px`],
      [t("Seen for"), `${content.length_s} s`],
      [t("Threshold"), String(content.threshold)],
      [t("Model"), `${content.model} ${content.sha256.slice(0, 12)}`],
    ]) {
      facts.append(node("dt", "", name), node("dd", "", value));
    }
    const button = (name, words, act) => {
      const made = node("button", `button small ${name}`, words);
      made.type = "button";
      made.addEventListener("click", act);
      return made;
    };
    const bar = node("div", "firearm-bar");
    if (isOpen(item) && context.may("alerts:decide")) {
      bar.append(
        button("primary", t("Confirm (c)"), () => decide(item, "confirm")),
        button("", t("Dismiss (d)"), () => decide(item, "dismiss")),
      );
    }
    bar.append(button("quiet", t("Open the alert (Enter)"), () => context.openAlert(item.alert)));
    const past = node("section", "firearm-past");
    past.append(node("h4", "", t("Similar events before")));
    const before = similar(item);
    if (!before.length) past.append(node("p", "firearm-words", t("There was none")));
    for (const each of before) {
      const made = node("figure", "firearm-before");
      const words = [new Date(each.time).toLocaleString(context.locale, { timeZone: context.zone, dateStyle: "short", timeStyle: "short" }),
        percent(each.content.confidence), STATES[stateOf(each)]];
      made.append(picture(each.content.close_up, ""), node("figcaption", "", words.filter(Boolean).join(" · ")));
      made.addEventListener("click", () => choose(each.id));
      past.append(made);
    }
    view.replaceChildren(
      node("h3", "", [item.title, STATES[stateOf(item)]].filter(Boolean).join(" · ")),
      bar,
      stage,
      strip,
      near,
      facts,
      past,
    );
  }

  list.addEventListener("keydown", (event) => {
    const place = items.findIndex((item) => item.id === chosen);
    if (event.key === "ArrowDown" && place < items.length - 1) choose(items[place + 1].id);
    else if (event.key === "ArrowUp" && place > 0) choose(items[place - 1].id);
    else if (event.key === "ArrowRight") (frame += 1), show();
    else if (event.key === "ArrowLeft") (frame = Math.max(0, frame - 1)), show();
    else if (event.key === "c" && place >= 0) decide(items[place], "confirm");
    else if (event.key === "d" && place >= 0) decide(items[place], "dismiss");
    else if (event.key === "Enter" && place >= 0) context.openAlert(items[place].alert);
    else return;
    event.preventDefault();
  });

  const following = follow(context, "event", 100, state, (found) => { items = found; load().catch((error) => { state.textContent = error.message; draw(found); }); });
  const heard = context.on("alert", (news) => { if (news.tool === context.tool || alerts.has(news.id)) load().catch(() => {}); });
  return () => { following.stop(); heard(); };
}
