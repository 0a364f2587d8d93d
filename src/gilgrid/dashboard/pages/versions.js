// A benchmark over the versions of one dependency: a line for each choice of all else, steps, and the numbers.

import { chart, MARKS } from "./chart.js";
import { choice, element, fill, human, link, load, unique, wide } from "./dom.js";

const MOST_STEPS = 30;
let loaded = null;

export async function drawVersions(main, wanted) {
  const asked = location.hash;
  try {
    loaded = loaded || (await load("versions.json"));
  } catch (error) {
    fill(main, element("h1", {}, "Versions"), element("p", {}, "The benchmarks could not be loaded."));
    return;
  }
  if (location.hash !== asked) {
    return;
  }
  const { lines, steps } = loaded;
  const parts = [element("h1", {}, "Versions")];
  if (!lines.length) {
    fill(
      main,
      ...parts,
      element("p", {}, "No benchmark was measured with two versions of a dependency yet."),
    );
    return;
  }
  const first = steps[0] || lines[0];
  const names = unique(lines.map((one) => one.benchmark));
  const benchmark = names.includes(wanted.get("benchmark")) ? wanted.get("benchmark") : first.benchmark;
  const ofBenchmark = lines.filter((one) => one.benchmark === benchmark);
  const chosen = (name, among, otherwise) => {
    const values = unique(among.map((one) => one[name]));
    return values.includes(wanted.get(name))
      ? wanted.get(name)
      : values.includes(otherwise)
        ? otherwise
        : values[0];
  };
  const parameters = chosen("parameters", ofBenchmark, first.parameters);
  const ofParameters = ofBenchmark.filter((one) => one.parameters === parameters);
  const axis = chosen("axis", ofParameters, first.axis);
  const shown = ofParameters.filter((one) => one.axis === axis);
  const to = (changed) => {
    location.hash = link("versions", { benchmark, parameters, axis, ...changed });
  };
  const choices = [
    choice("Benchmark", "benchmark", names, benchmark, (value) => to({ benchmark: value })),
    choice(
      "of",
      "parameters",
      unique(ofBenchmark.map((one) => one.parameters)),
      parameters,
      (value) => to({ parameters: value }),
      (value) => value || "it",
    ),
    choice("over", "axis", unique(ofParameters.map((one) => one.axis)), axis, (value) => to({ axis: value })),
  ];
  const title = `${benchmark}${parameters ? ` (${parameters})` : ""} over ${axis}`;
  const present = new Set(shown.flatMap((one) => one.points.map(([version]) => version)));
  const versions = loaded.versions[axis].filter((version) => present.has(version));
  const at = unique(shown.map((one) => one.at))
    .filter(Boolean)
    .join(", ");
  fill(
    main,
    ...parts,
    element("div", {}, choices),
    element("h2", {}, title),
    ...(at ? [element("p", { class: "note" }, at)] : []),
    element(
      "figure",
      { class: "wide", tabindex: "0", "aria-label": `${title}, as a chart` },
      chart(shown, versions),
    ),
    numbers(shown, versions),
    ...allSteps(steps),
  );
}

function numbers(shown, versions) {
  const rows = shown.map((one, place) => {
    const values = new Map(one.points.map(([version, ...told]) => [version, told]));
    return element(
      "tr",
      {},
      element(
        "th",
        { scope: "row" },
        element(
          "span",
          { class: `line${place % MARKS.length}`, "aria-hidden": "true" },
          MARKS[place % MARKS.length],
        ),
        ` ${one.others}`,
      ),
      versions.map((version) => {
        const step = one.steps.find((found) => found.version === version);
        return element(
          "td",
          { class: step ? (step.ratio > 1 ? "deadlock" : "ok") : null },
          ...(values.has(version) ? measured(values.get(version), one.unit) : []),
          step ? element("div", {}, said(step)) : null,
        );
      }),
    );
  });
  return wide("The numbers", ["with", ...versions], rows);
}

// The median, and between what its values lie where these are apart.
function measured([median, least, most], unit) {
  const [low, high] = [human(least, unit), human(most, unit)];
  return [human(median, unit), low === high ? null : element("div", { class: "note" }, `${low} to ${high}`)];
}

function allSteps(found) {
  const rows = found.slice(0, MOST_STEPS).map((step) => {
    const { benchmark, parameters, axis } = step;
    const name = `${benchmark}${parameters ? ` (${parameters})` : ""}`;
    return element(
      "tr",
      {},
      element("td", { class: `short ${step.ratio > 1 ? "deadlock" : "ok"}` }, step.text),
      element("td", {}, element("a", { href: link("versions", { benchmark, parameters, axis }) }, name)),
      element("td", {}, `${step.lines} of ${step.of}`),
    );
  });
  const note =
    "Where a benchmark has one level up to a version and another from there on, found by asv's step detection, " +
    "with three values on either side at least; the greatest first" +
    (found.length > rows.length ? `, ${rows.length} of ${found.length}.` : ".");
  return [
    element("h2", {}, "Steps"),
    ...(rows.length
      ? [
          element("p", { class: "note" }, note),
          wide("Steps", ["step", "benchmark", "seen in lines"], rows, true),
        ]
      : [element("p", {}, "No benchmark has a step between two versions.")]),
  ];
}

function said(step) {
  return `${step.ratio > 1 ? "▲" : "▼"} ${step.text}`;
}
