// Returns what is wrong with the open page on paper, as sentences.
const faults = [];
const all = css => [...document.querySelectorAll(css)];
const seen = css => all(css).filter(element => element.checkVisibility());
const style = (element, property) => getComputedStyle(element)[property];
const fault = (what, element) => faults.push(`${what}: ${element.outerHTML.slice(0, 100)}`);

// A summary that stays is the heading of what is open below it, and that is no form.
const isHeading = summary => summary.parentElement.open && !summary.parentElement.querySelector("form, input, button");
for (const element of seen("nav, button, .button, summary, .toolbar, .toasts, .menu, dialog, input[type=file]")) {
  if (!element.matches("summary") || !isHeading(element)) fault("this can be pressed", element);
}
for (const field of seen(".buy *, .dismissing *")) fault("this can be typed into", field);
for (const card of seen(".card, details")) {
  if (card.innerText.trim() === "" && !card.querySelector("svg, img, input")) fault("this is an empty frame", card);
}

for (const table of seen(".table")) {
  const cells = [...table.querySelectorAll(":scope > :is(thead, tbody) > tr:not(.tail, .editing) > :not(.do)")];
  for (const cell of cells.filter(cell => style(cell, "display") !== "table-cell")) fault("a column is missing", cell);
  const heads = table.querySelectorAll(":scope > thead");
  for (const head of heads) if (style(head, "display") !== "table-header-group") fault("not on each sheet", head);
  for (const row of table.querySelectorAll(":scope > tbody > tr")) {
    if (style(row, "breakInside") !== "avoid") fault("a row may be divided", row);
  }
  for (const cell of table.querySelectorAll("td")) if (style(cell, "color") !== "rgb(0, 0, 0)") fault("not black", cell);
}
// The last line says how many rows there are.
for (const line of all("[data-count], .tail [role=status]")) {
  const { left, right } = line.getBoundingClientRect();
  if (!line.checkVisibility()) fault("the count is missing", line);
  else if (left < 0 || right > document.documentElement.clientWidth + 1) fault("the count leaves the sheet", line);
}

if (style(document.body, "backgroundColor") !== "rgb(255, 255, 255)") fault("the ground is not white", document.body);
for (const card of seen(".card")) if (style(card, "boxShadow") !== "none") fault("a card has a shadow", card);
return faults;
