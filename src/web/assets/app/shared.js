// What the parts of app.js share. `build.rs` joins the files of this folder inside one function in strict mode, so a
// name that one file declares is visible in all of them, and none is global.
//
// Pages work without the script, except for the check of a draw. No string is evaluated and no inline style is set,
// because the content security policy forbids both.

const byId = (id) => document.getElementById(id);
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
