// The page of the shift, drawn again when somebody decides, gives or hands over, but never under what is being written.

import { find, findAll, settled } from "../dom.js";
import { stream } from "../stream.js";

const PACE = 800;
const AGES = 30_000; // how long an alert has been held is counted in minutes

const shift = find("#shift");

function writing() {
  return shift.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")
    || findAll("textarea, input:not([type=hidden], [type=checkbox])", shift).some((field) => field.value)
    || findAll("[type=checkbox]", shift).some((box) => box.checked);
}

const again = settled(() => { if (!writing()) shift.dispatchEvent(new Event("changed")); }, PACE);

stream.want("alerts", "shift");
stream.on("assessment", again);
stream.on("handover", again);
stream.on("reset", again);
stream.on("open", again);
shift.addEventListener("focusout", again);
setInterval(again, AGES);
