// What the parts of app.js share. `build.rs` joins the files of this folder inside one function in strict mode, so a
// name that one file declares is visible in all of them, and none is global.
//
// Pages work without the script, except for the check of a draw. No string is evaluated and no inline style is set,
// because the content security policy forbids both.

const byId = (id) => document.getElementById(id);
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// A name for a sentence. A name in Hebrew or Arabic must not change the order of the words after it.
const CHANGES_DIRECTION =
  /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const isolated = (text) => (CHANGES_DIRECTION.test(text) ? `\u2068${balanced(text)}\u2069` : text);
// The text ends the isolates that begin in it, and no other one.
function balanced(text) {
  let open = 0;
  const marks = text.replace(/[\u2066-\u2069]/g, (mark) => {
    if (mark === "\u2069" && open === 0) return "";
    open += mark === "\u2069" ? -1 : 1;
    return mark;
  });
  return marks + "\u2069".repeat(open);
}
