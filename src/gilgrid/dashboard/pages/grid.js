// The grid of one probe, and the evidence behind the cell that is chosen in it.

import { badge, choice, element, fill, link, placeOfEvidence, unique, verdict } from "./dom.js";
import { drawEvidence } from "./evidence.js";

const RUNS_WITH = " → ";
const AS_BUILT = "as built";
let shown = null; // what was drawn last, and is still there

export function drawGrid(main, wanted, matrix) {
  const grids = matrix.grids;
  if (!grids.length) {
    fill(
      main,
      element("h1", {}, "Compatibility"),
      element("p", {}, "Nothing is recorded yet: nox measures the matrix."),
    );
    return;
  }
  const asked = wanted.get("probe") || grids[0].probe;
  const ofProbe = grids.filter((grid) => grid.probe === asked);
  const named = ofProbe.find((grid) => grid.group === (wanted.get("group") || "")) || ofProbe[0];
  // What a remedy makes of a probe has evidence, and no grid of its own.
  const grid = named || { probe: asked, group: "", rows: [], columns: [], cells: [] };
  const run = wanted.get("run") || "";
  const cell = wanted.get("cell");
  document.title = `${grid.probe}: ${matrix.title}`;
  // The grid stays as it is while one looks at its cells: focus and scroll position are kept.
  const key = [grid.probe, grid.group, run].join(" ");
  if (shown !== key || !main.querySelector("#evidence")) {
    fill(
      main,
      element("h1", {}, "Compatibility"),
      chooser(grids, grid, run),
      named
        ? element("div", { class: "wide" }, table(grid, run))
        : element(
            "p",
            { class: "note" },
            `${asked} has no grid: no probe is named so, or it was tried where another one hangs, as its remedy.`,
          ),
      legend(grid, matrix),
      ...placeOfEvidence(),
    );
    shown = key;
  }
  for (const one of main.querySelectorAll("td.cell a")) {
    if (one.dataset.cell === cell) {
      one.setAttribute("aria-current", "true");
    } else {
      one.removeAttribute("aria-current");
    }
  }
  if (cell) {
    const path = `matrix/${encodeURIComponent(cell)}/${encodeURIComponent(asked)}.json`;
    drawEvidence(path, `Nothing is recorded of ${asked} in ${cell}.`);
  } else {
    const hint = element("p", { class: "note" }, "Choose a cell to see what was found there.");
    fill(document.getElementById("evidence"), hint);
  }
}

export function forgetGrid() {
  shown = null;
}

function chooser(grids, grid, run) {
  const probes = [...new Map(grids.map((one) => [one.probe, one.subject])).entries()];
  const options = [...new Set(probes.map(([, subject]) => subject))].map((subject) =>
    element(
      "optgroup",
      { label: subject },
      probes
        .filter((one) => one[1] === subject)
        .map(([probe]) => element("option", { value: probe, selected: probe === grid.probe }, probe)),
    ),
  );
  if (!probes.some(([probe]) => probe === grid.probe)) {
    options.unshift(element("option", { value: grid.probe, selected: true }, grid.probe));
  }
  const ofProbe = element("select", { id: "probe" }, options);
  const to = (wanted) => {
    location.hash = link("grid", { probe: grid.probe, group: grid.group, run, ...wanted });
  };
  ofProbe.addEventListener("change", () => to({ probe: ofProbe.value }));
  const groups = grids.filter((one) => one.probe === grid.probe).map((one) => one.group);
  const label = groups.every((group) => /^Python [\d.]+$/.test(group)) ? "Python" : "For";
  const runs = [
    ...new Set([...grid.rows, ...grid.columns].map((one) => one.split(RUNS_WITH)[1]).filter(Boolean)),
  ];
  const words = (value) => ({ "": "every version", [AS_BUILT]: "what it is built with" })[value] || value;
  return element(
    "div",
    {},
    element("label", {}, "Probe ", ofProbe),
    groups.length > 1
      ? choice(
          label,
          "group",
          groups,
          grid.group,
          (group) => to({ group }),
          (group) => group.replace(/^Python /, "") || "all",
        )
      : null,
    runs.length
      ? choice("Run with", "run", ["", AS_BUILT, ...runs], run, (value) => to({ run: value }), words)
      : null,
  );
}

// Of the versions of an axis, those that run with what is chosen.
function shownOf(labels, run) {
  if (!run) {
    return labels;
  }
  const kept = labels.filter((one) => {
    const [built, runs] = one.split(RUNS_WITH);
    return run === AS_BUILT ? !runs : (runs || built) === run;
  });
  return kept.length ? kept : labels; // the other axis
}

function table(grid, run) {
  const rows = shownOf(grid.rows, run);
  const columns = shownOf(grid.columns, run);
  const byPlace = new Map(grid.cells.map((one) => [`${one[0]} ${one[1]}`, one]));
  const corner = [grid.row_axis, grid.column_axis].filter(Boolean).join(" \\ ");
  const head = element(
    "tr",
    {},
    element("th", { scope: "col" }, corner || "cell"),
    columns.map((column) => element("th", { scope: "col" }, column || "result")),
  );
  const body = rows.map((row) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, row || grid.probe),
      columns.map((column) =>
        place(grid, run, byPlace.get(`${grid.rows.indexOf(row)} ${grid.columns.indexOf(column)}`)),
      ),
    ),
  );
  return element(
    "table",
    {},
    element("caption", { class: "note" }, `${grid.probe}${grid.group ? `, ${grid.group}` : ""}`),
    element("thead", {}, head),
    element("tbody", {}, body),
  );
}

function place(grid, run, found) {
  if (!found) {
    return element("td", {}, "");
  }
  const [, , cell, name, asExpected] = found;
  const to = link("grid", { probe: grid.probe, group: grid.group, cell, run });
  return element(
    "td",
    { class: `cell ${name}${asExpected ? "" : " unexpected"}` },
    element(
      "a",
      { href: to, "data-cell": cell, title: asExpected ? null : "not what was expected" },
      ...verdict(name),
      asExpected ? null : " (unexpected)",
    ),
  );
}

function legend(grid, matrix) {
  const names = [...new Set(grid.cells.map((one) => one[3]))];
  return element(
    "dl",
    { style: "margin-top: 1rem" },
    names.flatMap((name) => [element("dt", {}, badge(name)), element("dd", {}, matrix.verdicts[name])]),
  );
}
