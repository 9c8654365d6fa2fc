//! How a person looks at a page, and how elements are named.

/// The window and preferences of a person's browser.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Width and height in CSS pixels.
    pub size: (u32, u32),
    /// Whether the person prefers dark colors.
    pub dark: bool,
    /// Whether the pages' scripts run.
    pub javascript: bool,
}

impl Look {
    /// A window of 1280 by 900.
    pub fn desktop() -> Self {
        Self { size: (1280, 900), dark: false, javascript: true }
    }

    /// A telephone of 390 by 844, held upright.
    pub fn phone() -> Self {
        Self { size: (390, 844), ..Self::desktop() }
    }

    /// The same with a preference for dark colors.
    pub fn dark(self) -> Self {
        Self { dark: true, ..self }
    }

    /// The same without JavaScript.
    pub fn without_javascript(self) -> Self {
        Self { javascript: false, ..self }
    }
}

/// An element of a page.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    /// The link, button or field with exactly this accessible name.
    Named(&'a str),
    /// The first element that this CSS selector selects.
    Css(&'a str),
}

/// The links, buttons and fields whose name may match. The browser then returns their accessible names.
pub const CANDIDATES: &str = r#"
const wanted = arguments[0], squeeze = text => (text || "").replace(/\s+/g, " ").trim();
const texts = element => {
  const by = (element.getAttribute("aria-labelledby") || "").split(/\s+/)
    .map(id => squeeze(document.getElementById(id)?.textContent)).join(" ");
  return [by, element.getAttribute("aria-label"), element.textContent, element.value, element.title,
    element.placeholder, element.alt, ...Array.from(element.labels || [], label => label.textContent),
    ...Array.from(element.querySelectorAll("img"), image => image.alt)];
};
return Array.from(document.querySelectorAll(
    "a[href], button, input, select, textarea, summary, [role], [tabindex]"))
  .filter(element => texts(element).some(text => squeeze(text).includes(wanted)))
  .slice(0, 50);
"#;

/// Returns the violations that axe-core finds on the page. By default it does not check the size of targets.
pub const RUN_AXE: &str = r"
const done = arguments[arguments.length - 1];
const options = { rules: { 'target-size': { enabled: true } } };
axe.run(document, options).then(found => done(found.violations), error => done([{ id: String(error) }]));
";
