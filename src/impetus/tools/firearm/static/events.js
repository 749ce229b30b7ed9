// Events: masked frames with boxes, why it was raised, confirm and dismiss by key, and the camera's past events.

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
    const open = node("button", "firearm-open primary", t("Open the alert to confirm or dismiss (Enter)"));
    open.type = "button";
    open.addEventListener("click", () => context.openAlert(item.alert));
    const past = items.filter((each) => each.id !== item.id && each.content.camera === content.camera).length;
    const heading = node("h3", "", item.title);
    view.replaceChildren(
      heading,
      stage,
      strip,
      near,
      facts,
      node("p", "firearm-words", t("Other events of this camera: {count}", { count: past })),
      open,
    );
  }

  list.addEventListener("keydown", (event) => {
    const place = items.findIndex((item) => item.id === chosen);
    if (event.key === "ArrowDown" && place < items.length - 1) choose(items[place + 1].id);
    else if (event.key === "ArrowUp" && place > 0) choose(items[place - 1].id);
    else if (event.key === "ArrowRight") (frame += 1), show();
    else if (event.key === "ArrowLeft") (frame = Math.max(0, frame - 1)), show();
    else if (event.key === "Enter" && place >= 0) context.openAlert(items[place].alert);
    else return;
    event.preventDefault();
  });

  const following = follow(context, "event", 100, state, draw);
  return following.stop;
}
