"use strict";

// The page of a matrix. What it shows is in the address, after the #: `grid?probe=...&cell=...` or `claims`.
// All that comes from a record is set as text, never as markup.

const SIGNS = {
  ok: "✓",
  wrong: "≠",
  failed: "!",
  crash: "✸",
  deadlock: "⊗",
  timeout: "◷",
  flaky: "~",
  "build-failed": "⚒",
  unavailable: "–",
  error: "?",
};

let matrix = null;
let shown = null; // the address that was drawn last

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(key, value === true ? "" : value);
    }
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

// Replaces what is in a place. Focus on what is gone goes to what has its id now, or else to the page's beginning.
function fill(place, ...children) {
  const focused = document.activeElement;
  place.replaceChildren(...children);
  if (focused && !focused.isConnected) {
    (document.getElementById(focused.id) || document.getElementById("main")).focus({ preventScroll: true });
  }
}

function address() {
  const [page, query] = location.hash.slice(1).split("?");
  return { page: page || "grid", wanted: new URLSearchParams(query) };
}

function link(page, wanted) {
  const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value)).toString();
  return query ? `#${page}?${query}` : `#${page}`;
}

function verdict(name) {
  return [element("span", { "aria-hidden": "true" }, SIGNS[name] || "?"), ` ${name}`];
}

function badge(name) {
  return element("span", { class: `badge ${name}` }, ...verdict(name));
}

function draw() {
  const { page, wanted } = address();
  const main = document.getElementById("main");
  document.getElementById("title").textContent = matrix.title;
  for (const name of ["grid", "claims"]) {
    const tab = document.getElementById(`nav-${name}`);
    if (page === name) {
      tab.setAttribute("aria-current", "page");
    } else {
      tab.removeAttribute("aria-current");
    }
  }
  if (page === "claims") {
    document.title = `Claims: ${matrix.title}`;
    fill(main, ...claims());
  } else {
    drawGrid(main, wanted);
  }
}

function drawGrid(main, wanted) {
  const grids = matrix.grids;
  const ofProbe = grids.filter((grid) => grid.probe === wanted.get("probe"));
  const named = ofProbe.find((grid) => grid.group === (wanted.get("group") || "")) || ofProbe[0];
  const grid = named || grids[0];
  const cell = wanted.get("cell");
  document.title = `${grid.probe}: ${matrix.title}`;
  // The grid stays as it is while one looks at its cells: focus and scroll position are kept.
  const key = `${grid.probe} ${grid.group}`;
  if (shown !== key) {
    fill(
      main,
      element("h1", {}, "Compatibility"),
      chooser(grid),
      element("div", { class: "wide" }, table(grid)),
      legend(grid),
      element("section", { id: "evidence", "aria-live": "polite" }),
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
  drawEvidence(wanted.get("probe") || grid.probe, cell);
}

function chooser(grid) {
  const probes = [...new Map(matrix.grids.map((one) => [one.probe, one.subject])).entries()];
  const options = [...new Set(probes.map(([, subject]) => subject))].map((subject) =>
    element(
      "optgroup",
      { label: subject },
      probes
        .filter((one) => one[1] === subject)
        .map(([probe]) => element("option", { value: probe, selected: probe === grid.probe }, probe)),
    ),
  );
  const ofProbe = element("select", { id: "probe" }, options);
  ofProbe.addEventListener("change", () => {
    location.hash = link("grid", { probe: ofProbe.value });
  });
  const groups = matrix.grids.filter((one) => one.probe === grid.probe);
  const further = element(
    "select",
    { id: "group" },
    groups.map((one) => element("option", { value: one.group, selected: one === grid }, one.group || "all")),
  );
  further.addEventListener("change", () => {
    location.hash = link("grid", { probe: grid.probe, group: further.value });
  });
  return element(
    "div",
    {},
    element("label", {}, "Probe ", ofProbe),
    groups.length > 1 ? element("label", {}, "For ", further) : null,
  );
}

function table(grid) {
  const byPlace = new Map(grid.cells.map((one) => [`${one[0]} ${one[1]}`, one]));
  const corner = [grid.row_axis, grid.column_axis].filter(Boolean).join(" \\ ");
  const head = element(
    "tr",
    {},
    element("th", { scope: "col" }, corner || "cell"),
    grid.columns.map((column) => element("th", { scope: "col" }, column || "result")),
  );
  const rows = grid.rows.map((row, i) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, row || grid.probe),
      grid.columns.map((_, j) => place(grid, byPlace.get(`${i} ${j}`))),
    ),
  );
  return element(
    "table",
    {},
    element("caption", { class: "note" }, `${grid.probe}${grid.group ? `, ${grid.group}` : ""}`),
    element("thead", {}, head),
    element("tbody", {}, rows),
  );
}

function place(grid, found) {
  if (!found) {
    return element("td", {}, "");
  }
  const [, , cell, name, asExpected] = found;
  const to = link("grid", { probe: grid.probe, group: grid.group, cell });
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

function legend(grid) {
  const names = [...new Set(grid.cells.map((one) => one[3]))];
  return element(
    "dl",
    { style: "margin-top: 1rem" },
    names.flatMap((name) => [element("dt", {}, badge(name)), element("dd", {}, matrix.verdicts[name])]),
  );
}

async function drawEvidence(probe, cell) {
  const section = document.getElementById("evidence");
  if (!cell) {
    fill(section, element("p", { class: "note" }, "Choose a cell to see what was found there."));
    return;
  }
  const asked = location.hash;
  let found = null;
  try {
    found = await load(`matrix/${encodeURIComponent(cell)}/${encodeURIComponent(probe)}.json`);
  } catch (error) {
    // Said below, unless something else is asked for by now.
  }
  if (location.hash !== asked) {
    return;
  }
  fill(section, ...(found ? evidence(found) : [element("p", {}, `Nothing is recorded of ${probe} in ${cell}.`)]));
}

function evidence(found) {
  const pairs = (values) =>
    element(
      "dl",
      {},
      Object.entries(values).flatMap(([name, value]) => [
        element("dt", {}, name),
        element("dd", {}, value instanceof Node ? value : String(value)),
      ]),
    );
  const counts = Object.entries(found.counts).map(([name, count]) => `${count} × ${name}`);
  const parts = [
    element("h2", {}, `${found.probe} in ${found.cell}`),
    element("p", {}, badge(found.verdict), " ", found.reason),
    pairs({
      ...(found.cause ? { cause: found.cause } : {}),
      expected: found.as_expected
        ? `as expected${found.because ? `: ${found.because}` : ""}`
        : `${found.expected} was expected${found.because ? `: ${found.because}` : ", as no rule names it"}`,
      repeats: `${counts.join(", ")} (${found.seconds.map((s) => `${s.toFixed(2)} s`).join(", ")})`,
      command: element("code", {}, found.command),
    }),
  ];
  if (found.circle.length) {
    parts.push(element("h2", {}, "Who waits for whom"), circle(found.circle));
  }
  for (const told of found.hangs) {
    parts.push(element("h2", {}, "The stacks, and what to change"), element("pre", { tabindex: "0" }, told));
  }
  if (found.remedies.length) {
    parts.push(element("h2", {}, "Remedies that were tried here"), remedies(found.remedies));
  }
  if (found.checks.length) {
    parts.push(element("h2", {}, "Checks"), checks(found.checks));
  }
  if (Object.keys(found.metrics).length) {
    const told = Object.entries(found.metrics).map(([name, value]) => [name, value.toPrecision(4)]);
    parts.push(element("h2", {}, "Measured (median)"), pairs(Object.fromEntries(told)));
  }
  if (found.output) {
    parts.push(element("h2", {}, "Its last output"), element("pre", { tabindex: "0" }, found.output));
  }
  parts.push(element("h2", {}, "The same by hand"), element("pre", { tabindex: "0" }, found.by_hand || "–"));
  parts.push(
    element("h2", {}, "Versions"),
    pairs({
      "while it ran": Object.entries(found.versions).map((one) => one.join(" ")).join(", "),
      "while it was built": Object.entries(found.build_versions).map((one) => one.join(" ")).join(", ") || "–",
      build: found.build_key || "–",
      measured: found.measured_at,
      machine: found.machine,
    }),
  );
  return parts;
}

function remedies(tried) {
  const rows = tried.map((one) =>
    element(
      "tr",
      {},
      element("td", {}, one.name),
      element("td", { class: one.cures ? "ok" : "deadlock" }, one.cures ? "✓ cures it" : "⊗ does not"),
      element("td", {}, one.price ? one.price.toFixed(2) : ""),
      element("td", {}, element("a", { href: link("grid", { probe: one.probe, cell: one.cell }) }, one.probe)),
    ),
  );
  return wide(["remedy", "result", "price, over the cheapest cure's", "shown by"], rows);
}

function checks(made) {
  const rows = made.map((one) =>
    element(
      "tr",
      {},
      element("td", {}, one.name),
      element("td", { class: one.ok ? "ok" : "wrong" }, one.ok ? "✓ held" : "≠ failed"),
      element("td", {}, one.detail),
    ),
  );
  return wide(["check", "result", "detail"], rows);
}

function wide(head, rows) {
  const heading = element("tr", {}, head.map((text) => element("th", { scope: "col" }, text)));
  const table = element("table", {}, element("thead", {}, heading), element("tbody", {}, rows));
  return element("div", { class: "wide" }, table);
}

function claims() {
  shown = null;
  const rows = matrix.claims.map((one) =>
    element(
      "tr",
      {},
      element(
        "td",
        { class: `short ${{ confirmed: "ok", refuted: "deadlock" }[one.outcome] || "unavailable"}` },
        `${{ confirmed: "✓", refuted: "⊗" }[one.outcome] || "–"} ${one.outcome}`,
      ),
      element(
        "td",
        {},
        element("strong", {}, one.text),
        element("br"),
        element("span", { class: "note" }, source(one.source)),
      ),
      element(
        "td",
        {},
        one.cells.flatMap(([cell, probe, name]) => [
          element("a", { href: link("grid", { probe, cell }) }, `${cell} ${probe}`),
          `: ${name}`,
          element("br"),
        ]),
        one.further ? `and ${one.further} more` : null,
      ),
    ),
  );
  const parts = [element("h1", {}, "Claims"), wide(["result", "claim", "decided by"], rows)];
  if (matrix.remedies) {
    const { title, header, rows: tried } = matrix.remedies;
    parts.push(
      element("h1", {}, "Remedies"),
      element("p", { class: "note" }, title),
      wide(header, tried.map((row) => element("tr", {}, row.map((text) => element("td", {}, text))))),
    );
  }
  return parts;
}

function source(text) {
  return /^https:\/\/\S+$/.test(text) ? element("a", { href: text, rel: "noopener" }, text) : text;
}

// A box for each thread, one below the other, each with an arrow to the next, and one from the last to the first.
function circle(waits) {
  const [width, height, gap, left] = [290, 58, 44, 50]; // no wider than a phone
  const total = waits.length * (height + gap) - gap + 20;
  const svg = (name, attributes, ...children) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) {
      made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  };
  const drawn = svg("svg", {
    class: "circle",
    width: width + left + 20,
    height: total,
    viewBox: `0 0 ${width + left + 20} ${total}`,
    role: "img",
    "aria-label": waits.map((one) => `${who(one)} waits: ${one.waits_for}`).join("; then "),
  });
  drawn.append(
    svg(
      "defs",
      {},
      svg(
        "marker",
        { id: "head", viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 8, markerHeight: 8, orient: "auto" },
        svg("path", { d: "M0 0 10 5 0 10z" }),
      ),
    ),
  );
  waits.forEach((one, number) => {
    const top = 10 + number * (height + gap);
    drawn.append(
      svg("rect", { x: left, y: top, width, height, rx: 6 }),
      svg("text", { x: left + 14, y: top + 24 }, who(one)),
      svg("text", { x: left + 14, y: top + 44, class: "faint" }, one.holds_gil ? "holds the GIL" : one.process),
    );
    if (number + 1 < waits.length) {
      const middle = left + 40;
      drawn.append(
        svg("path", { d: `M${middle} ${top + height}v${gap - 2}`, "marker-end": "url(#head)" }),
        svg("text", { x: middle + 12, y: top + height + gap / 2 + 5 }, `waits: ${one.waits_for}`),
      );
    }
  });
  const [first, last] = [10 + height / 2, 10 + (waits.length - 1) * (height + gap) + height / 2];
  const back = waits.length > 1 ? `M${left} ${last}H24V${first}H${left - 2}` : `M${left} ${first + 14}H24V${first - 10}H${left - 2}`;
  drawn.append(svg("path", { d: back, "marker-end": "url(#head)" }));
  return element(
    "figure",
    { class: "wide", style: "margin: 0" },
    drawn,
    element("figcaption", { class: "note" }, `and ${who(waits[waits.length - 1])} waits: ${waits[waits.length - 1].waits_for}`),
  );
}

function who(one) {
  return `thread ${one.thread}${one.main ? " (main)" : ""}`;
}

async function load(path) {
  const answer = await fetch(path);
  if (!answer.ok) {
    throw new Error(`${path}: ${answer.status}`);
  }
  return answer.json();
}

async function begin() {
  try {
    matrix = await load("matrix.json");
  } catch (error) {
    document.getElementById("main").replaceChildren(
      element("p", {}, "The matrix could not be loaded: serve this folder over HTTP (nox -s dashboard does)."),
    );
    return;
  }
  draw();
  addEventListener("hashchange", draw);
}

begin();
