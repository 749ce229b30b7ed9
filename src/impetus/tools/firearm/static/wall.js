// The camera wall: masked pictures, made only while somebody looks.

import { follow, node, overlay, picture, polygon, styled } from "./shared.js";

const ASK_MS = 10000;

export function mount(element, context) {
  const { state, body } = styled(element, context, "firearm-wall");
  const tiles = new Map();

  function draw(items) {
    const shown = new Set();
    for (const item of [...items].sort((a, b) => (a.title < b.title ? -1 : 1))) {
      const content = item.content;
      shown.add(content.camera);
      let tile = tiles.get(content.camera);
      if (!tile) {
        tile = node("figure", "firearm-tile");
        tile.tabIndex = 0;
        tiles.set(content.camera, tile);
        body.append(tile);
      }
      const stage = node("div", "firearm-stage");
      stage.append(picture(content.picture, context.t("Masked picture of {camera}", { camera: item.title })));
      const lines = overlay();
      for (const area of content.zones.watched) polygon(lines, area, "firearm-watched");
      for (const area of content.zones.hidden) polygon(lines, area, "firearm-hidden");
      stage.append(lines);
      const caption = node("figcaption");
      const mark = node("span", "firearm-mark", content.event ? context.t("event") : content.state);
      mark.dataset.state = content.event ? "event" : content.state;
      caption.append(mark, node("strong", "", item.title), node("span", "firearm-words", content.words));
      tile.dataset.event = String(content.event);
      tile.replaceChildren(stage, caption);
    }
    for (const [id, tile] of tiles) {
      if (!shown.has(id)) {
        tile.remove();
        tiles.delete(id);
      }
    }
    if (!items.length) state.textContent = context.t("No camera is analysed: none is set, or the model is not approved");
  }

  async function ask() {
    if (document.hidden) return;
    try {
      await context.ask("watch", {});
    } catch (error) {
      state.textContent = error.message;
    }
  }

  const following = follow(context, "camera", 200, state, draw);
  const timer = setInterval(ask, ASK_MS);
  ask();
  return () => {
    clearInterval(timer);
    following.stop();
  };
}
