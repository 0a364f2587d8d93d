// Lines over versions, drawn from zero; each line has a mark of its own besides its colour.

import { human, svg } from "./dom.js";

export const MARKS = ["●", "■", "▲", "◆", "▼", "✚"];
const [HEIGHT, LEFT, TOP, BOTTOM, STEP] = [240, 70, 12, 34, 90];

export function chart(lines, versions) {
  const values = lines.flatMap((line) => line.points.map(([, value]) => value));
  const [low, high] = [Math.min(0, ...values), Math.max(...values, 0) || 1];
  const width = LEFT + Math.max(versions.length, 2) * STEP;
  const x = (version) => LEFT + STEP / 2 + versions.indexOf(version) * STEP;
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low));
  const unit = lines[0].unit;
  const drawn = svg("svg", {
    class: "chart",
    width,
    height: HEIGHT,
    viewBox: `0 0 ${width} ${HEIGHT}`,
    "aria-hidden": "true",
  });
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    const value = low + part * (high - low);
    drawn.append(
      svg("path", { class: "rule", d: `M${LEFT} ${y(value)}H${width}` }),
      svg("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, human(value, unit)),
    );
  }
  for (const version of versions) {
    drawn.append(svg("text", { x: x(version), y: HEIGHT - 10, "text-anchor": "middle" }, version));
  }
  lines.forEach((line, place) => {
    const kind = place % MARKS.length;
    const path = line.points
      .map(([version, value], at) => `${at ? "L" : "M"}${x(version)} ${y(value)}`)
      .join("");
    drawn.append(svg("path", { class: `line line${kind}`, d: path }));
    for (const [version, value] of line.points) {
      const title = svg("title", {}, `${line.others}, ${line.axis} ${version}: ${human(value, unit)}`);
      drawn.append(
        svg(
          "text",
          { class: `mark line${kind}`, x: x(version), y: y(value) + 5, "text-anchor": "middle" },
          MARKS[kind],
          title,
        ),
      );
    }
  });
  return drawn;
}
