import { circle } from "./circle.js";
import { badge, element, fill, human, link, load, wide } from "./dom.js";

// Draws what is behind one record, by the path of its document; `otherwise` is said where there is none.
export async function drawEvidence(path, otherwise) {
  const section = document.getElementById("evidence");
  const asked = location.hash;
  let found = null;
  try {
    found = path ? await load(path) : null;
  } catch (error) {
    // Said below, unless something else is asked for by now.
  }
  if (location.hash === asked) {
    fill(section, ...(found ? evidence(found) : [element("p", {}, otherwise)]));
    const said = found
      ? `${found.probe} in ${found.cell}: ${found.verdict}. What was found is below.`
      : otherwise;
    document.getElementById("status").textContent = said;
  }
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
    element(
      "h2",
      {},
      `${found.probe} in ${found.cell}${found.commit ? ` at ${found.commit.slice(0, 8)}` : ""}`,
    ),
    element("p", {}, badge(found.verdict), " ", found.reason),
    pairs({
      ...(found.cause ? { cause: found.cause } : {}),
      ...(found.expected ? { expected: expectation(found) } : {}),
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
    const told = Object.entries(found.metrics).map(([name, value]) => [
      name,
      human(value, name.startsWith("seconds") ? "seconds" : ""),
    ]);
    parts.push(element("h2", {}, "Measured (median)"), pairs(Object.fromEntries(told)));
  }
  if (found.output) {
    parts.push(element("h2", {}, "Its last output"), element("pre", { tabindex: "0" }, found.output));
  }
  if (found.by_hand) {
    parts.push(element("h2", {}, "The same by hand"), element("pre", { tabindex: "0" }, found.by_hand));
  }
  parts.push(
    element("h2", {}, "Versions"),
    pairs({
      "while it ran": Object.entries(found.versions)
        .map((one) => one.join(" "))
        .join(", "),
      "while it was built":
        Object.entries(found.build_versions)
          .map((one) => one.join(" "))
          .join(", ") || "–",
      build: found.build_key || "–",
      ...(found.build_log
        ? { "build log": element("a", { href: found.build_log }, "its whole output") }
        : {}),
      measured: found.measured_at,
      machine: found.machine,
    }),
  );
  return parts;
}

function expectation(found) {
  if (found.as_expected) {
    return `as expected${found.because ? `: ${found.because}` : ""}`;
  }
  return `${found.expected} was expected${found.because ? `: ${found.because}` : ", as no rule names it"}`;
}

function remedies(tried) {
  const rows = tried.map((one) =>
    element(
      "tr",
      {},
      element("td", {}, one.name),
      element("td", { class: one.cures ? "ok" : "deadlock" }, one.cures ? "✓ cures it" : "⊗ does not"),
      element("td", {}, one.price ? one.price.toFixed(2) : ""),
      element(
        "td",
        {},
        element("a", { href: link("grid", { probe: one.probe, cell: one.cell }) }, one.probe),
      ),
    ),
  );
  return wide("Remedies", ["remedy", "result", "price, over the cheapest cure's", "shown by"], rows, true);
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
  return wide("Checks", ["check", "result", "detail"], rows, true);
}
