//! The classes that templates, scripts and pages use.

use std::collections::BTreeSet;

/// Names of classes, and the beginnings of names whose end a page fills in.
#[derive(Debug, Default)]
pub struct Classes {
    /// The names.
    pub names: BTreeSet<String>,
    /// The beginnings: `phase-` of `phase-{{ phase.slug() }}`.
    pub prefixes: BTreeSet<String>,
}

impl Classes {
    /// The classes in the `class` attributes of templates.
    pub fn of_templates(templates: &[String]) -> Self {
        let mut classes = Self::default();
        for template in templates {
            let plain = without_statements(template);
            for attribute in plain.split(" class=\"").skip(1) {
                let value = attribute.split('"').next().unwrap_or_default();
                for word in value.split_whitespace() {
                    match word.split_once(FILLED_IN) {
                        None => classes.names.insert(word.to_owned()),
                        Some(("", _)) => false,
                        Some((prefix, _)) => classes.prefixes.insert(prefix.to_owned()),
                    };
                }
            }
        }
        classes
    }

    /// Adds the words of a script's texts.
    pub fn add_scripts(&mut self, scripts: &[String]) {
        for text in scripts
            .iter()
            .flat_map(|script| script.lines())
            .flat_map(|line| line.split(['"', '`']).skip(1).step_by(2))
        {
            self.names.extend(text.split_whitespace().filter(|word| is_name(word)).map(str::to_owned));
        }
    }

    /// Adds the texts of one word: a page's method names a class so.
    pub fn add_sources(&mut self, sources: &[String]) {
        for text in sources
            .iter()
            .flat_map(|source| source.lines())
            .flat_map(|line| line.split('"').skip(1).step_by(2))
        {
            self.names.extend(is_name(text).then(|| text.to_owned()));
        }
    }

    /// Adds the texts of one word in the statements of templates: a list of samples names its classes so.
    pub fn add_statements(&mut self, templates: &[String]) {
        let statements = templates.iter().flat_map(|template| template.split("{%").skip(1));
        let statements = statements.map(|rest| rest.split("%}").next().unwrap_or_default().to_owned());
        self.add_sources(&statements.collect::<Vec<_>>());
    }

    /// Adds the classes in selectors of scripts.
    pub fn add_selectors(&mut self, scripts: &[String]) {
        for script in scripts {
            for literal in script.split(['"', '`']) {
                let words = literal.split('.').skip(1);
                let names = words.map(|word| word.split(|c: char| !is_of_name(c)).next().unwrap_or_default());
                self.names.extend(names.filter(|name| is_name(name)).map(str::to_owned));
            }
        }
    }

    /// Whether this class is used.
    pub fn has(&self, class: &str) -> bool {
        self.names.contains(class) || self.prefixes.iter().any(|prefix| class.starts_with(prefix.as_str()))
    }
}

/// The place of what a template fills in.
const FILLED_IN: char = '\u{fffc}';

/// Replaces `{% … %}` by a space and `{{ … }}` by a mark, so that quotes in them do not end an attribute.
fn without_statements(template: &str) -> String {
    let mut plain = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        plain.push_str(before);
        let (end, mark) = match after.chars().next() {
            Some('%') => ("%}", ' '),
            Some('{') => ("}}", FILLED_IN),
            Some('#') => ("#}", ' '),
            _ => ("", '{'),
        };
        plain.push(mark);
        rest = if end.is_empty() { after } else { after.split_once(end).map_or("", |(_, rest)| rest) };
    }
    plain.push_str(rest);
    plain
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(is_of_name)
}
