import { element, link, wide } from "./dom.js";

export function claims(matrix) {
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
  const parts = [element("h1", {}, "Claims"), wide("Claims", ["result", "claim", "decided by"], rows, true)];
  if (matrix.remedies) {
    const { title, header, rows: tried } = matrix.remedies;
    parts.push(
      element("h1", {}, "Remedies"),
      element("p", { class: "note" }, title),
      wide(
        "Remedies",
        header,
        tried.map((row) =>
          element(
            "tr",
            {},
            row.map((text) => element("td", {}, text)),
          ),
        ),
        true,
      ),
    );
  }
  return parts;
}

function source(text) {
  return /^https:\/\/\S+$/.test(text) ? element("a", { href: text, rel: "noopener" }, text) : text;
}
