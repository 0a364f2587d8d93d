import { element, svg } from "./dom.js";

// A box for each thread, one below the other, each with an arrow to the next, and one from the last to the first.
export function circle(waits) {
  const [width, height, gap, left] = [290, 58, 44, 50]; // no wider than a phone
  const total = waits.length * (height + gap) - gap + 20;
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
        {
          id: "head",
          viewBox: "0 0 10 10",
          refX: 9,
          refY: 5,
          markerWidth: 8,
          markerHeight: 8,
          orient: "auto",
        },
        svg("path", { d: "M0 0 10 5 0 10z" }),
      ),
    ),
  );
  waits.forEach((one, number) => {
    const top = 10 + number * (height + gap);
    drawn.append(
      svg("rect", { x: left, y: top, width, height, rx: 6 }),
      svg("text", { x: left + 14, y: top + 24 }, who(one)),
      svg(
        "text",
        { x: left + 14, y: top + 44, class: "faint" },
        one.holds_gil ? "holds the GIL" : one.process,
      ),
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
  const back =
    waits.length > 1
      ? `M${left} ${last}H24V${first}H${left - 2}`
      : `M${left} ${first + 14}H24V${first - 10}H${left - 2}`;
  drawn.append(svg("path", { d: back, "marker-end": "url(#head)" }));
  return element(
    "figure",
    { class: "wide", style: "margin: 0" },
    drawn,
    element(
      "figcaption",
      { class: "note" },
      `and ${who(waits[waits.length - 1])} waits: ${waits[waits.length - 1].waits_for}`,
    ),
  );
}

function who(one) {
  return `thread ${one.thread}${one.main ? " (main)" : ""}`;
}
