// Returns what is wrong with the layout of the open page at the present width, as sentences.
const faults = new Set();
const name = element => {
  const text = (element.textContent || element.value || "").replace(/\s+/g, " ").trim().slice(0, 40);
  const classes = [...element.classList].map(one => "." + one).join("");
  return `${element.tagName.toLowerCase()}${element.id && "#" + element.id}${classes} “${text}”`;
};
const fault = (what, ...elements) => faults.add(`${what}: ${elements.map(name).join(" and ")}`);
const style = element => getComputedStyle(element);

// What only screen readers see is clipped away, and so is all that is in it.
const isClippedAway = element => {
  for (let one = element; one; one = one.parentElement) if (style(one).clipPath !== "none") return true;
  return false;
};
const isSeen = element =>
  element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !isClippedAway(element) && !element.closest(".skip");
const seen = (css, root = document) => [...root.querySelectorAll(css)].filter(isSeen);

// The part of a rectangle that its scrolling and cutting ancestors show.
const cut = (element, box) => {
  let { left, right, top, bottom } = box;
  for (let one = element.parentElement; one && one !== document.body; one = one.parentElement) {
    if (style(one).overflow === "visible") continue;
    const edge = one.getBoundingClientRect();
    [left, right] = [Math.max(left, edge.left), Math.min(right, edge.right)];
    [top, bottom] = [Math.max(top, edge.top), Math.min(bottom, edge.bottom)];
  }
  return { left, right, top, bottom };
};
const boxes = element => [...element.getClientRects()].map(box => cut(element, box));
const overlap = (a, b) =>
  Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;

const page = document.documentElement;
if (page.scrollWidth > page.clientWidth) {
  const beyond = seen("body *").filter(one => cut(one, one.getBoundingClientRect()).right > page.clientWidth + 1);
  fault("the page is too wide", ...beyond.slice(-1));
}

// Rows are as wide as their table, and a table stays in what is around it.
for (const table of seen("table")) {
  const inside = table.getBoundingClientRect();
  for (const row of [...table.rows].filter(isSeen)) {
    const box = row.getBoundingClientRect();
    if (table.matches(".table") && (Math.abs(box.left - inside.left) > 2 || Math.abs(box.right - inside.right) > 2)) {
      fault("a row is not as wide as its table", row);
    }
    const cells = [...row.cells].filter(isSeen);
    // On a telephone a row is a small grid of its own, whose cells need not reach its end.
    const isPhone = style(table).display === "block";
    const end = Math.max(...cells.map(cell => cell.getBoundingClientRect().right));
    if (table.matches(".table") && !isPhone && box.right - end > 10) fault("the cells end before their row", row);
    cells.forEach((cell, at) => {
      for (const other of cells.slice(at + 1)) {
        if (overlap(cell.getBoundingClientRect(), other.getBoundingClientRect())) fault("cells overlap", cell, other);
      }
    });
  }
}

// Content stays in its cell and in its card; where it is cut off, the end is marked and a title has the rest.
for (const box of seen(".card, th, td, .notice, main")) {
  const edge = box.getBoundingClientRect();
  for (const one of seen("*", box)) {
    if (one.closest("svg") !== null && one.tagName !== "svg") continue;
    if (one.closest(".editing") && one.matches(".error")) continue;
    const inside = cut(one, one.getBoundingClientRect());
    if (inside.right > inside.left && (inside.right > edge.right + 1 || inside.left < edge.left - 1)) {
      fault(`content leaves its ${box.tagName.toLowerCase()}`, one);
    }
  }
}
for (const one of seen("body *")) {
  // The error of a narrow field in a row takes the space beside the field.
  if (one.matches(".editing > td")) continue;
  const isField = one.matches("input, select, textarea, progress, meter") || one.closest("svg");
  if (isField || one.scrollWidth <= one.clientWidth + 1 || style(one).display === "inline") continue;
  const how = style(one).overflowX;
  if (how === "visible") {
    // Text that is broken nowhere is wider than its box.
    if (one.matches("th, td, p, li, dd, dt, h1, h2, h3, button, .button, a, summary, label")) fault("content is wider than its box", one);
  } else if (how !== "auto" && how !== "scroll") {
    if (style(one).textOverflow !== "ellipsis") fault("content is cut off without a mark", one);
    else if (!one.closest("[title]")?.title && !one.querySelector("[title]")) fault("cut text has no title", one);
  }
}

// A short word stays whole, because only words that are longer than a line may break anywhere.
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const node = texts.currentNode;
  if (!/^\s*[\p{L}\p{N}]{2,14}\s*$/u.test(node.data) || !isSeen(node.parentElement)) continue;
  const range = document.createRange();
  const start = node.data.search(/\S/);
  range.setStart(node, start);
  range.setEnd(node, start + node.data.trim().length);
  if (range.getClientRects().length > 1) fault("a short word is broken", node.parentElement);
}

// No control lies on another.
const controls = seen("a[href], button, input:not([type=hidden]), select, textarea, summary").filter(one => !one.closest(".toasts"));
const parts = controls.flatMap(control => boxes(control).map(box => ({ control, box }))).sort((a, b) => a.box.top - b.box.top);
parts.forEach(({ control, box }, at) => {
  for (const other of parts.slice(at + 1)) {
    if (other.box.top >= box.bottom) break;
    const isNested = control.contains(other.control) || other.control.contains(control);
    if (!isNested && overlap(box, other.box)) fault("controls overlap", control, other.control);
  }
});
return [...faults];
