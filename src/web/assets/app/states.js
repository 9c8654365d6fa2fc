// States of a new order: typing filters them, Enter selects the first match.
function findState(input) {
  const choices = [...input.closest("[data-states]").querySelectorAll("[data-name]")];
  const noMatch = input.closest("[data-states]").querySelector("[data-no-match]");
  // A state that does not match keeps its room, so the page below stays where it is.
  const show = (left) => {
    for (const choice of choices) choice.classList.toggle("missed", !left.has(choice));
    noMatch.textContent = left.size ? "" : "No states match.";
  };
  const matching = () => {
    const typed = input.value.trim().toLowerCase();
    const fits = (choice) => choice.dataset.name.split(" ").some((word) => word.startsWith(typed)) || choice.dataset.name.includes(typed);
    const first = choices.filter((choice) => choice.dataset.name.split(" ")[0] === typed);
    return [...first, ...choices.filter((choice) => !first.includes(choice) && fits(choice))];
  };
  input.addEventListener("input", () => show(new Set(matching())));
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    const [choice] = input.value.trim() ? matching() : [];
    if (!choice) return;
    choice.querySelector("input").click();
    input.value = "";
    show(new Set(choices));
  });
  // This input is not a field of the order, so its events must not reach the form.
  for (const kind of ["change", "search"]) input.addEventListener(kind, (event) => event.stopPropagation());
}
document.querySelectorAll("[data-find-state]").forEach(findState);
