// AG Grid in the colours of the house.

import { harmless } from "./dom.js";
import { t } from "./i18n.js";
import { MONO, SANS, colour } from "./palette.js";

const { agGrid } = window;
agGrid.ModuleRegistry.registerModules([agGrid.AllCommunityModule]);

const dense = matchMedia("(max-width: 1500px)").matches;
const narrow = matchMedia("(max-width: 1760px)").matches;

const theme = agGrid.themeQuartz.withParams({
  browserColorScheme: "dark",
  backgroundColor: colour("surface-2"),
  foregroundColor: colour("ink-2"),
  textColor: colour("ink-2"),
  chromeBackgroundColor: colour("surface-2"),
  headerBackgroundColor: colour("surface-2"),
  headerTextColor: colour("ink-3"),
  headerFontWeight: 600,
  headerFontSize: 12,
  borderColor: colour("line-1"),
  rowBorder: { color: colour("line-1") },
  wrapperBorder: false,
  wrapperBorderRadius: 0,
  headerColumnResizeHandleColor: "transparent",
  rowHoverColor: "rgb(255 255 255 / 3%)",
  selectedRowBackgroundColor: "rgb(74 168 255 / 15%)",
  accentColor: colour("accent"),
  fontFamily: SANS,
  fontSize: dense ? 12 : 13,
  rowHeight: dense ? 28 : 30,
  headerHeight: 32,
  cellHorizontalPadding: dense ? 6 : 8,
  iconSize: 12,
});

/** A grid whose rows are known by their `id`. It says that it loads until `loaded(grid)`. */
export function makeGrid(place, options) {
  return agGrid.createGrid(place, {
    theme,
    styleNonce: document.querySelector("script[nonce]").nonce,
    getRowId: (row) => row.data.id,
    animateRows: false,
    suppressCellFocus: true,
    suppressMovableColumns: true,
    suppressContextMenu: true,
    suppressColumnVirtualisation: true,
    suppressNoRowsOverlay: false,
    asyncTransactionWaitMillis: 60,
    rowBuffer: 3,
    deltaSort: true,
    rowSelection: { mode: "singleRow", checkboxes: false, enableClickSelection: true },
    loading: true,
    ...options,
    localeText: { noRowsToShow: t("Nothing to show"), noMatchingRows: t("Nothing to show"), loadingOoo: t("Loading"), ...options.localeText },
    defaultColDef: {
      resizable: true, sortable: false, suppressHeaderMenuButton: true, suppressHeaderContextMenu: true,
      ...options.defaultColDef,
    },
  });
}

/** All rows that there are now are in the grid, and be it none. */
export function loaded(grid) {
  grid.setGridOption("loading", false);
}

/** A cell whose element is made by `draw(data)` and drawn again when its row changes. */
export function cell(draw) {
  return class {
    init(parameters) {
      this.shown = document.createElement("span");
      this.refresh(parameters);
    }

    getGui() {
      return this.shown;
    }

    refresh(parameters) {
      if (parameters.data) draw(this.shown, parameters.data);
      return true;
    }
  };
}

/** A cell of plain text, made harmless. */
export function textCell(text, name = "clip") {
  return cell((shown, data) => {
    shown.className = name;
    const wanted = harmless(text(data));
    if (shown.textContent !== wanted) { shown.textContent = wanted; shown.title = wanted; }
  });
}

export { MONO, dense, narrow };
