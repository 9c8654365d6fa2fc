// Returns what is wrong with the layout of the open page at the present width, as sentences.
const faults = new Set();
const name = element => {
  const text = (element.textContent || element.value || "").replace(/\s+/g, " ").trim().slice(0, 40);
  const classes = [...element.classList].map(one => "." + one).join("");
  return `${element.tagName.toLowerCase()}${element.id && "#" + element.id}${classes} “${text}”`;
};
const fault = (what, ...elements) => faults.add(`${what}: ${elements.map(name).join(" and ")}`);

// What is found out about an element from its ancestors is found out once.
const cached = find => {
  const known = new Map();
  return element => {
    if (!known.has(element)) known.set(element, find(element));
    return known.get(element);
  };
};
const style = cached(element => getComputedStyle(element));
const box = cached(element => element.getBoundingClientRect());

// What only screen readers see is clipped away, and so is all that is in it.
const isClippedAway = cached(
  element => element !== null && (style(element).clipPath !== "none" || isClippedAway(element.parentElement)));
const isSeen = element =>
  element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) &&
  !isClippedAway(element) && !element.closest(".skip, svg *");
const all = [...document.querySelectorAll("body *")].filter(isSeen);
const seen = css => all.filter(element => element.matches(css));

// The part of a rectangle that its scrolling and cutting ancestors show.
const cutter = cached(element => {
  const parent = element.parentElement;
  if (parent === null || parent === document.body) return null;
  return style(parent).overflow === "visible" ? cutter(parent) : parent;
});
const cut = (element, { left, right, top, bottom }) => {
  for (let one = cutter(element); one; one = cutter(one)) {
    const edge = box(one);
    [left, right] = [Math.max(left, edge.left), Math.min(right, edge.right)];
    [top, bottom] = [Math.max(top, edge.top), Math.min(bottom, edge.bottom)];
  }
  return { left, right, top, bottom };
};
const overlap = (a, b) =>
  Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;

const page = document.documentElement;
if (page.scrollWidth > page.clientWidth) {
  const beyond = all.filter(one => cut(one, box(one)).right > page.clientWidth + 1);
  fault("the page is too wide", ...beyond.slice(-1));
}

// Rows are as wide as their table, and their cells fill them.
for (const table of seen("table")) {
  const isOurs = table.matches(".table");
  // On a telephone a row is a small grid of its own, whose cells need not reach its end.
  const isPhone = style(table).display === "block";
  for (const row of [...table.rows].filter(isSeen)) {
    const [inside, outside] = [box(row), box(table)];
    const isWhole = Math.abs(inside.left - outside.left) <= 2 && Math.abs(inside.right - outside.right) <= 2;
    if (isOurs && !isWhole) fault("a row is not as wide as its table", row);
    const cells = [...row.cells].filter(isSeen);
    const end = Math.max(...cells.map(cell => box(cell).right));
    if (isOurs && !isPhone && inside.right - end > 10) fault("the cells end before their row", row);
    cells.forEach((cell, at) => {
      for (const other of cells.slice(at + 1)) if (overlap(box(cell), box(other))) fault("cells overlap", cell, other);
    });
  }
}

// Content stays in its cell and in its card, except what sticks to the window.
const frames = cached(element => {
  const parent = element.parentElement;
  if (parent === null || /sticky|fixed/.test(style(element).position)) return [];
  return parent.matches(".card, th, td, .notice, main") ? [...frames(parent), parent] : frames(parent);
});
for (const one of all) {
  // The error of a narrow field in a row takes the space beside the field.
  if (one.matches(".editing .error")) continue;
  const inside = cut(one, box(one));
  if (inside.right <= inside.left) continue;
  for (const frame of frames(one)) {
    const isInside = inside.right <= box(frame).right + 1 && inside.left >= box(frame).left - 1;
    if (!isInside) fault(`content leaves its ${frame.tagName.toLowerCase()}`, one);
  }
}

// Text that is cut off has a mark at its end and a title with the rest.
const TEXTS = "th, td, p, li, dd, dt, h1, h2, h3, button, .button, a, summary, label";
for (const one of all) {
  const isOther = one.matches(".editing > td, input, select, textarea, progress, meter, svg");
  if (isOther || one.scrollWidth <= one.clientWidth + 1 || style(one).display === "inline") continue;
  const { overflowX, textOverflow } = style(one);
  if (overflowX === "visible") {
    if (one.matches(TEXTS)) fault("content is wider than its box", one);
  } else if (overflowX !== "auto" && overflowX !== "scroll") {
    const hasTitle = one.closest("[title]") !== null || one.querySelector("[title]") !== null;
    if (textOverflow !== "ellipsis") fault("content is cut off without a mark", one);
    else if (!hasTitle) fault("cut text has no title", one);
  }
}

// The chosen option of a list and the placeholder of a field are cut off without a mark, so a title has the rest.
const ruler = document.createElement("canvas").getContext("2d");
const plain = text => text.replace(/[\u2066-\u2069]/g, "").replace(/\s+/g, " ").trim();
for (const field of seen("select, input[placeholder]")) {
  const text = field.localName === "select" ? field.selectedOptions[0]?.label : field.value ? "" : field.placeholder;
  const { font, paddingLeft, paddingRight } = style(field);
  ruler.font = font;
  const space = field.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
  const isCut = text && ruler.measureText(text).width > space + 1;
  if (isCut && !plain(field.title).includes(plain(text))) faults.add(`“${text}” is cut off without a title: ${name(field)}`);
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
const controls = seen("a[href], button, input:not([type=hidden]), select, textarea, summary")
  .filter(control => !control.closest(".toasts"));
const parts = controls
  .flatMap(control => [...control.getClientRects()].map(part => ({ control, part: cut(control, part) })))
  .sort((a, b) => a.part.top - b.part.top);
parts.forEach(({ control, part }, at) => {
  for (const other of parts.slice(at + 1)) {
    if (other.part.top >= part.bottom) break;
    const isNested = control.contains(other.control) || other.control.contains(control);
    if (!isNested && overlap(part, other.part)) fault("controls overlap", control, other.control);
  }
});
return [...faults];
