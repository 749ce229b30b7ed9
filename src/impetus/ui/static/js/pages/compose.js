// An administrator composes the dashboard of a role and gives it to people.

import { Arranger } from "../dashboard/arrange.js";
import { element, find } from "../dom.js";
import { post, remove } from "../http.js";
import { t } from "../i18n.js";
import { toast } from "../toast.js";

const { view, kinds, people } = JSON.parse(find("#dashboard-data").textContent);
const form = find("#compose-form");
const arranger = new Arranger(find("#dash"), new Map(kinds.map((kind) => [kind.id, kind])), { schematic: true });

function tell(problem) {
  if (problem.status === 409) toast("warn", problem.message, t("Nothing was overwritten. Reload the page to see it."));
  else toast("bad", problem.message, problem.hint);
}

async function save() {
  const values = Object.fromEntries(new FormData(form));
  const dashboard = { title: values.title.trim(), summary: values.summary.trim(), panels: arranger.placements() };
  try {
    const kept = await post(`/dashboards/${encodeURIComponent(values.name)}`, { version: view.version, dashboard });
    view.version = kept.version;
    toast("good", t("The dashboard is kept."));
    // A new one has an address of its own from now on, where it can be given to people.
    if (!view.name) location.assign(`/dashboards/${encodeURIComponent(kept.name)}?compose=true`);
  } catch (problem) {
    tell(problem);
  }
}

async function assign(person, assigned) {
  try {
    const { items } = await post(`/dashboards/${encodeURIComponent(view.name)}/people`, { person: person.id, assigned, before: person.dashboard });
    showPeople(items);
    toast("good", assigned ? t("{person} begins here from now on.", { person: person.full_name }) : t("{person} does not begin here any more.", { person: person.full_name }));
  } catch (problem) {
    tell(problem);
    showPeople(people);
  }
}

function showPeople(items) {
  people.splice(0, people.length, ...items);
  find("#people").replaceChildren(...people.map((person) => {
    const here = person.dashboard === view.name;
    const other = person.dashboard && !here ? t("begins on {dashboard}", { dashboard: person.dashboard }) : person.role;
    return element("li", {}, element("label", {},
      element("input", { type: "checkbox", checked: here, "data-person": person.name, onchange: (event) => assign(person, event.target.checked) }),
      element("span", {}, person.full_name, element("small", {}, other))));
  }));
}

form.addEventListener("submit", (event) => { event.preventDefault(); save(); });
find("#compose-remove")?.addEventListener("click", async () => {
  try {
    await remove(`/dashboards/${encodeURIComponent(view.name)}`, { version: view.version });
    location.assign("/dashboards");
  } catch (problem) {
    tell(problem);
  }
});
arranger.active = true;
if (view.name && (view.version || view.shipped)) showPeople([...people]);
