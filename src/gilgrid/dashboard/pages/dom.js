// What all pages are made of. All that comes from a record is set as text, never as markup.

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

export function element(name, attributes = {}, ...children) {
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
export function fill(place, ...children) {
  const focused = document.activeElement;
  place.replaceChildren(...children);
  if (focused && !focused.isConnected) {
    (document.getElementById(focused.id) || document.getElementById("main")).focus({ preventScroll: true });
  }
}

export function address() {
  const [page, query] = location.hash.slice(1).split("?");
  return { page: page || "grid", wanted: new URLSearchParams(query) };
}

export function link(page, wanted) {
  const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value)).toString();
  return query ? `#${page}?${query}` : `#${page}`;
}

export async function load(path) {
  const answer = await fetch(path);
  if (!answer.ok) {
    throw new Error(`${path}: ${answer.status}`);
  }
  return answer.json();
}

export function verdict(name) {
  return [element("span", { "aria-hidden": "true" }, SIGNS[name] || "?"), ` ${name}`];
}

export function badge(name) {
  return element("span", { class: `badge ${name}` }, ...verdict(name));
}

// A table that scrolls sideways where it must, by keyboard too. One whose rows are `stacked` has the cells of a row
// one below the other on a phone, each under its heading.
export function wide(label, head, rows, stacked = false) {
  if (stacked) {
    for (const row of rows) {
      [...row.cells].forEach((cell, place) => cell.setAttribute("data-heading", head[place]));
    }
  }
  const heading = element(
    "tr",
    {},
    head.map((text) => element("th", { scope: "col" }, text)),
  );
  const table = element(
    "table",
    { class: stacked ? "stacked" : null },
    element("thead", {}, heading),
    element("tbody", {}, rows),
  );
  return element("div", { class: "wide", role: "region", "aria-label": label, tabindex: "0" }, table);
}

// A choice with a label; what is chosen becomes part of the address.
export function choice(label, id, values, chosen, onChange, text = (value) => value) {
  const select = element(
    "select",
    { id },
    values.map((value) => element("option", { value, selected: value === chosen }, text(value))),
  );
  select.addEventListener("change", () => onChange(select.value));
  return element("label", {}, `${label} `, select);
}

export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export function unique(values) {
  return [...new Set(values)];
}

// A value with its unit, for people.
export function human(value, unit) {
  if (unit === "seconds") {
    const [scale, name] = [
      [1, "s"],
      [1e-3, "ms"],
      [1e-6, "µs"],
      [1e-9, "ns"],
    ].find(([least]) => Math.abs(value) >= least) || [1e-9, "ns"];
    return `${Number((value / scale).toPrecision(3))} ${name}`;
  }
  if (unit === "bytes") {
    return `${Number((value / 2 ** 20).toPrecision(3))} MiB`;
  }
  return `${Number(value.toPrecision(3))}${unit ? ` ${unit}` : ""}`;
}

// The place for evidence, and a line that says to a screen reader what has come there, which may be long.
export function placeOfEvidence() {
  return [
    element("p", { id: "status", role: "status", class: "unseen" }),
    element("section", { id: "evidence" }),
  ];
}
