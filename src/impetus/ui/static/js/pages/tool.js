// A tool's page: the widgets that draw themselves in the browser.

import { drawWidgets } from "../widgets.js";

drawWidgets();
