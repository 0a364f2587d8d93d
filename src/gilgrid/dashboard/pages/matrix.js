// The pages of a matrix. What is shown is in the address, after the #: `grid?probe=...&cell=...`, `claims`, ...

import { claims } from "./claims.js";
import { address, element, fill, load } from "./dom.js";
import { drawFailed } from "./failed.js";
import { drawGrid, forgetGrid } from "./grid.js";
import { drawVersions } from "./versions.js";

const PAGES = ["grid", "claims", "versions", "failed"];
let matrix = null;

function draw() {
  const { page, wanted } = address();
  const main = document.getElementById("main");
  document.getElementById("title").textContent = matrix.title;
  document.getElementById("measured").textContent = matrix.measured;
  for (const name of PAGES) {
    const tab = document.getElementById(`nav-${name}`);
    if (page === name) {
      tab.setAttribute("aria-current", "page");
    } else {
      tab.removeAttribute("aria-current");
    }
  }
  if (page !== "grid") {
    forgetGrid();
  }
  if (page === "claims") {
    document.title = `Claims: ${matrix.title}`;
    fill(main, ...claims(matrix));
  } else if (page === "versions") {
    document.title = `Versions: ${matrix.title}`;
    drawVersions(main, wanted);
  } else if (page === "failed") {
    document.title = `Failed benchmarks: ${matrix.title}`;
    drawFailed(main, wanted, matrix.failed);
  } else {
    drawGrid(main, wanted, matrix);
  }
}

async function begin() {
  try {
    matrix = await load("matrix.json");
  } catch (error) {
    fill(
      document.getElementById("main"),
      element(
        "p",
        {},
        "The matrix could not be loaded: serve this folder over HTTP (nox -s dashboard does).",
      ),
    );
    return;
  }
  draw();
  addEventListener("hashchange", draw);
}

begin();
