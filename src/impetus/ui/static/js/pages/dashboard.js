// A dashboard: its panels come alive, and a person arranges them.

import { Arranger } from "../dashboard/arrange.js";
import { Board } from "../dashboard/board.js";
import { mount, panelsOf } from "../dashboard/panels.js";
import { find } from "../dom.js";
import { post, remove } from "../http.js";
import { t } from "../i18n.js";
import { toast } from "../toast.js";

const { view, kinds } = JSON.parse(find("#dashboard-data").textContent);
const grid = find("#dash");
const board = new Board();
const arranger = new Arranger(grid, new Map(kinds.map((kind) => [kind.id, kind])));
const path = `/dashboards/${encodeURIComponent(view.name)}/own`;

function bringToLife(panel) {
  mount(panel, board).catch((problem) => toast("bad", `${panel.ariaLabel}: ${problem.message}`, problem.hint));
}

function arrange(wanted) {
  arranger.active = wanted;
  find("#dash-arranging").hidden = !wanted;
  find("#dash-arrange").hidden = wanted;
  find("#dash-arrange").setAttribute("aria-expanded", String(wanted));
  if (wanted) (panelsOf(grid)[0] ?? find("#dash-add")).focus(); else find("#dash-arrange").focus();
}

function tell(problem) {
  if (problem.status === 409) toast("warn", problem.message, t("Nothing was overwritten. Reload the page to see it."));
  else toast("bad", problem.message, problem.hint);
}

async function save() {
  try {
    const kept = await post(path, { version: view.own_version, panels: arranger.placements() });
    view.own_version = kept.own_version;
    find("#dash-origin").textContent = t("arranged by you");
    arrange(false);
    toast("good", t("Your arrangement is kept."));
  } catch (problem) {
    tell(problem);
  }
}

async function reset() {
  try {
    if (view.own_version) await remove(path, { version: view.own_version });
    location.reload();
  } catch (problem) {
    tell(problem);
  }
}

find("#dash-arrange").addEventListener("click", () => arrange(true));
find("#dash-save").addEventListener("click", save);
find("#dash-cancel").addEventListener("click", () => location.reload());
find("#dash-reset").addEventListener("click", reset);
find("#dash-other")?.addEventListener("change", (event) => location.assign(`/dashboards/${encodeURIComponent(event.target.value)}`));
arranger.addEventListener("added", (event) => bringToLife(event.detail));
board.follow();
for (const panel of panelsOf(grid)) bringToLife(panel);
