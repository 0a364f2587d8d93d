// The benchmarks that did not end well: of those asv's own pages know only that there is no value.

import { badge, element, fill, link, placeOfEvidence, wide } from "./dom.js";
import { drawEvidence } from "./evidence.js";

export function drawFailed(main, wanted, failed) {
  const parts = [element("h1", {}, "Failed benchmarks")];
  if (!failed.length) {
    fill(main, ...parts, element("p", {}, "Every benchmark that was run has ended well."));
    return;
  }
  const what = ["commit", "environment", "benchmark"];
  const chosen = failed.find((one) => what.every((name) => one[name] === wanted.get(name)));
  const rows = failed.map((one) => {
    const to = link("failed", Object.fromEntries(what.map((name) => [name, one[name]])));
    const name = one.parameters ? `${one.benchmark.replace(/-\d+$/, "")}(${one.parameters})` : one.benchmark;
    return element(
      "tr",
      {},
      element("td", {}, element("a", { href: to, "aria-current": one === chosen ? "true" : null }, name)),
      element("td", {}, badge(one.verdict)),
      element("td", { class: "short" }, one.environment),
      element("td", {}, one.commit.slice(0, 8)),
      element("td", {}, one.reason),
    );
  });
  fill(
    main,
    ...parts,
    wide("Failed benchmarks", ["benchmark", "verdict", "environment", "commit", "reason"], rows, true),
    ...placeOfEvidence(),
  );
  const benchmark = wanted.get("benchmark");
  if (benchmark) {
    const otherwise = `Nothing is recorded of ${benchmark} in ${wanted.get("environment")}.`;
    drawEvidence(chosen?.evidence, otherwise).then(() =>
      document.querySelector("#evidence h2")?.scrollIntoView({ block: "nearest" }),
    );
  }
}
