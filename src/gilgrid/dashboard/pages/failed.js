// The benchmarks that did not end well: of those asv's own pages know only that there is no value.

import { badge, element, fill, link, placeOfEvidence, wide } from "./dom.js";
import { drawEvidence } from "./evidence.js";

export function drawFailed(main, wanted, failed) {
  const parts = [element("h1", {}, "Failed benchmarks")];
  if (!failed.length) {
    fill(main, ...parts, element("p", {}, "Every benchmark that was run has ended well."));
    return;
  }
  const [commit, cell, benchmark] = ["commit", "cell", "benchmark"].map((name) => wanted.get(name));
  const rows = failed.map((one) => {
    const chosen = one.commit === commit && one.cell === cell && one.benchmark === benchmark;
    const to = link("failed", { commit: one.commit, cell: one.cell, benchmark: one.benchmark });
    const name = one.parameters ? `${one.benchmark.replace(/-\d+$/, "")}(${one.parameters})` : one.benchmark;
    return element(
      "tr",
      {},
      element("td", {}, element("a", { href: to, "aria-current": chosen ? "true" : null }, name)),
      element("td", {}, badge(one.verdict)),
      element("td", { class: "short" }, one.cell),
      element("td", {}, one.commit.slice(0, 8)),
      element("td", {}, one.reason),
    );
  });
  fill(
    main,
    ...parts,
    wide("Failed benchmarks", ["benchmark", "verdict", "cell", "commit", "reason"], rows, true),
    ...placeOfEvidence(),
  );
  if (benchmark) {
    const path = ["matrix/benchmarks", ...[commit, cell, benchmark].map(encodeURIComponent)].join("/");
    drawEvidence(`${path}.json`, `Nothing is recorded of ${benchmark} in ${cell}.`).then(() =>
      document.querySelector("#evidence h2")?.scrollIntoView({ block: "nearest" }),
    );
  }
}
