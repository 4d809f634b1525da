"use strict";
// All texts are in the page already; this only changes numbers, and shows what needs a script.
document.documentElement.classList.add("with-script");

for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      getSelection().selectAllChildren(source);
      document.execCommand("copy");
    }
    button.parentElement.querySelector(".copied").hidden = false;
  });
}

// What is folded is printed, too.
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details:not([open])")) {
    one.open = true;
    one.dataset.folded = "";
  }
});
addEventListener("afterprint", () => {
  for (const one of document.querySelectorAll("details[data-folded]")) one.open = false;
});

const stored = document.getElementById("cut-offs");
if (stored) {
  const { sliders, steps, decades } = JSON.parse(stored.textContent);
  const at = (id) => document.getElementById(id);
  const cutOff = at("cut-off"), cost = at("cost-ratio"), chosen = at("cut-off-class"), matrix = at("moved-matrix");
  const asDecided = at("cut-off-value").textContent;
  let current = sliders[0];
  let isDecided = true;

  const ratio = () => 10 ** (decades * cost.value / steps);
  const probability = (value) => value < 0.5 ? String(Number(value.toPrecision(2))) : String(1 - Number((1 - value).toPrecision(2))).slice(0, 8);
  const share = (part, whole) => whole ? (part / whole).toFixed(3) : "–";
  const sum = (values) => values.reduce((total, value) => total + value, 0);

  function counts() {
    if (isDecided) return current.decided;
    const size = current.decided.length;
    const found = Array.from({ length: size }, () => Array(size).fill(0));
    for (const [row, below, reached, n] of current.cells) {
      found[row][reached > cutOff.value ? current.code : below] += n;
    }
    return found;
  }

  function show() {
    const found = counts(), code = current.code;
    const total = sum(found.map(sum)), own = sum(found[code]), named = sum(found.map((row) => row[code]));
    const recalls = found.map((row, place) => sum(row) ? row[place] / sum(row) : null).filter((value) => value !== null);
    const missed = own - found[code][code];
    const others = total - sum(found.map((row, place) => row[place])) - missed;
    at("cut-off-value").textContent = isDecided && current.own < 0 ? asDecided : probability(current.cutOffs[cutOff.value]);
    at("cost-ratio-value").textContent = String(Number(ratio().toPrecision(3)));
    at("moved-recall").textContent = share(found[code][code], own);
    at("moved-precision").textContent = share(found[code][code], named);
    at("moved-alerts").textContent = (1000 * named / Math.max(total, 1)).toFixed(1);
    at("moved-balanced").textContent = recalls.length ? (sum(recalls) / recalls.length).toFixed(3) : "–";
    at("moved-cost").textContent = (1000 * (ratio() * missed + others) / Math.max(total, 1)).toFixed(1);
    for (const [row, cells] of found.entries()) {
      const size = sum(cells);
      for (const [column, n] of cells.entries()) {
        const cell = matrix.tBodies[0].rows[row].cells[column + 1];
        cell.firstChild.textContent = n;
        cell.lastElementChild.textContent = `${size ? Math.round(100 * n / size) : 0} %`;
        cell.style.setProperty("--shade", size ? n / size : 0);
      }
    }
  }

  function decideAsModel() {
    isDecided = true;
    cutOff.max = current.cutOffs.length - 1;
    cutOff.value = current.own >= 0 ? current.own : Math.floor(current.cutOffs.length / 2);
    show();
  }

  cutOff.addEventListener("input", () => { isDecided = false; show(); });
  cost.addEventListener("input", show);
  at("as-decided").addEventListener("click", decideAsModel);
  at("least-cost").addEventListener("click", () => {
    const wanted = 1 / (1 + ratio());
    const nearest = current.cutOffs.reduce((best, one, place) =>
      Math.abs(Math.log(one / wanted)) < Math.abs(Math.log(current.cutOffs[best] / wanted)) ? place : best, 0);
    isDecided = false;
    cutOff.value = nearest;
    show();
  });
  chosen?.addEventListener("change", () => {
    current = sliders[chosen.value];
    for (const one of document.querySelectorAll(".moving-class")) one.textContent = current.name;
    // A matrix of one class against all others has its name in two headings.
    if (current.decided.length === 2) {
      for (const head of [matrix.tHead.rows[0].cells[2], matrix.tBodies[0].rows[1].cells[0]]) head.textContent = current.name;
    }
    decideAsModel();
  });
}
