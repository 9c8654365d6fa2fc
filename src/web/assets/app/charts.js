// Charts: Tab stops once at the values of a chart, and arrow keys, Home and End move between them. Without the script,
// each value is a stop.

const valuesAround = (mark) => [...mark.closest(".plot").querySelectorAll(".mark")];

document.addEventListener("focusin", ({ target }) => {
  if (!target.matches(".plot .mark")) return;
  for (const mark of valuesAround(target)) mark.tabIndex = mark === target ? 0 : -1;
});

document.addEventListener("keydown", (event) => {
  if (!event.target.matches(".plot .mark") || event.altKey || event.ctrlKey || event.metaKey) return;
  const marks = valuesAround(event.target);
  const place = marks.indexOf(event.target);
  const next = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: marks.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  marks[next]?.focus();
});
