//! Reads a stylesheet strictly, and collects what it names.

use std::collections::BTreeSet;

/// What a stylesheet contains.
#[derive(Debug, Default)]
pub struct Sheet {
    /// The number of rules with declarations.
    pub rules: usize,
    /// The classes in selectors.
    pub classes: BTreeSet<String>,
    /// The custom properties that declarations define.
    pub defined: BTreeSet<String>,
    /// The custom properties that values use.
    pub used: BTreeSet<String>,
    /// How many colors are inside of `light-dark()`.
    pub colors: usize,
    /// Colors that are not inside of `light-dark()`.
    pub plain_colors: Vec<String>,
    /// What a browser would skip.
    pub faults: Vec<String>,
}

/// The at-rules whose block has rules.
const WITH_RULES: [&str; 4] = ["@media", "@supports", "@layer", "@container"];

/// The pseudo-classes whose parentheses contain selectors.
const WITH_SELECTORS: [&str; 4] = [":is", ":not", ":has", ":where"];

/// The functions that are colors.
const COLORS: [&str; 8] = ["rgb(", "rgba(", "hsl(", "hsla(", "hwb(", "oklch(", "oklab(", "color("];

impl Sheet {
    /// Reads a stylesheet.
    pub fn of(text: &str) -> Self {
        let mut sheet = Self::default();
        match without_comments(text) {
            Ok(plain) => sheet.rules(&plain),
            Err(fault) => sheet.faults.push(fault),
        }
        sheet
    }

    fn fault(&mut self, what: &str, text: &str) {
        let start: String = text.trim().chars().take(80).collect();
        self.faults.push(format!("{what}: {start}"));
    }

    /// Reads rules: a prelude and a block each.
    fn rules(&mut self, text: &str) {
        let mut rest = text.trim();
        while !rest.is_empty() {
            let Some((prelude, block, after)) = rule(rest) else {
                return self.fault("this is no rule with a closed block", rest);
            };
            self.rule(prelude.trim(), block);
            rest = after.trim();
        }
    }

    fn rule(&mut self, prelude: &str, block: &str) {
        let name = prelude.split([' ', '(']).next().unwrap_or_default();
        if WITH_RULES.contains(&name) {
            return self.rules(block);
        }
        match name {
            "@keyframes" => self.keyframes(block),
            "@page" => self.declarations(block),
            _ if name.starts_with('@') => self.fault("an unknown rule", prelude),
            _ => {
                self.selectors(prelude, false);
                self.declarations(block);
            }
        }
    }

    fn keyframes(&mut self, text: &str) {
        let mut rest = text.trim();
        while !rest.is_empty() {
            let Some((prelude, block, after)) = rule(rest) else {
                return self.fault("these are no keyframes", rest);
            };
            let is_step = |step: &str| ["from", "to"].contains(&step) || step.ends_with('%');
            if !prelude.split(',').all(|step| is_step(step.trim())) {
                self.fault("this is no keyframe", prelude);
            }
            self.declarations(block);
            rest = after.trim();
        }
    }

    /// Reads a list of selectors. Inside of `:has()` one may begin with a combinator.
    fn selectors(&mut self, list: &str, nested: bool) {
        for selector in split(list, ',') {
            let selector = selector.trim();
            let parts: Vec<&str> = split(selector, ' ').into_iter().filter(|part| !part.is_empty()).collect();
            let is_combinator = |part: &&str| [">", "+", "~"].contains(part);
            let doubled = parts.windows(2).any(|pair| pair.iter().all(is_combinator));
            let dangling = parts.last().is_none_or(is_combinator)
                || (!nested && parts.first().is_none_or(is_combinator));
            if doubled || dangling {
                self.fault("a selector is missing", selector);
            }
            for part in parts.iter().filter(|part| !is_combinator(part)) {
                self.compound(part, selector);
            }
        }
    }

    /// Reads simple selectors without a combinator between them: `a.button:not(.small)[href]`.
    fn compound(&mut self, compound: &str, selector: &str) {
        let mut rest = compound;
        while let Some(first) = rest.chars().next() {
            let after = rest.get(first.len_utf8()..).unwrap_or_default();
            let name = name_at(after.trim_start_matches(':'));
            rest = match first {
                '.' | '#' if name.is_empty() => return self.fault("a name is missing", selector),
                '.' => {
                    self.classes.insert(name.to_owned());
                    &after[name.len()..]
                }
                '#' => &after[name.len()..],
                ':' if name.is_empty() => return self.fault("a name is missing", selector),
                ':' => self.pseudo(rest, selector),
                '[' => after.split_once(']').map_or("", |(_, after)| after),
                '*' | '&' => after,
                _ if first.is_ascii_alphabetic() => &rest[name_at(rest).len()..],
                _ if first.is_ascii_digit() || first == '%' => return self.fault("a number", selector),
                _ => return self.fault("a selector cannot contain this", rest),
            };
        }
    }

    /// Reads a pseudo-class or pseudo-element, and returns what is after it.
    fn pseudo<'a>(&mut self, text: &'a str, selector: &str) -> &'a str {
        let colons = text.len() - text.trim_start_matches(':').len();
        let (name, rest) = text.split_at(colons + name_at(&text[colons..]).len());
        if colons > 2 {
            self.fault("too many colons", selector);
        }
        let Some(inside) = rest.strip_prefix('(') else { return rest };
        let Some(end) = closing(inside, ')') else {
            self.fault("a parenthesis is open", selector);
            return "";
        };
        if WITH_SELECTORS.contains(&name) {
            self.selectors(&inside[..end], true);
        }
        &inside[end + 1..]
    }

    fn declarations(&mut self, block: &str) {
        self.rules += 1;
        for declaration in split(block, ';') {
            let declaration = declaration.trim();
            if declaration.is_empty() {
                continue;
            }
            let Some((name, value)) = declaration.split_once(':') else {
                self.fault("this is no declaration", declaration);
                continue;
            };
            if name_at(name).len() != name.len() || name.is_empty() {
                self.fault("this is no property", declaration);
            }
            if name.starts_with("--") {
                self.defined.insert(name.to_owned());
            }
            if value.trim().is_empty() || value.contains([':', '<', '>', '=', '{', '}', '@']) {
                self.fault("this is no value", declaration);
            }
            self.value(name, value);
        }
    }

    fn value(&mut self, name: &str, value: &str) {
        for used in value.split("var(").skip(1) {
            self.used.insert(name_at(used).to_owned());
        }
        let mut plain = String::new();
        let mut rest = value;
        while let Some((before, after)) = rest.split_once("light-dark(") {
            plain.push_str(before);
            let end = closing(after, ')').unwrap_or(after.len());
            match name.starts_with("--") {
                true => self.colors += colors(&after[..end]),
                false => plain.push_str(&after[..end]),
            }
            rest = &after[end..];
        }
        plain.push_str(rest);
        if colors(&plain) > 0 {
            self.plain_colors.push(format!("{name}:{value}"));
        }
    }
}

/// How many colors a value has. Names of colors are not found, except for those of the system they are not used.
fn colors(value: &str) -> usize {
    let functions: usize = COLORS.iter().map(|function| value.matches(function).count()).sum();
    functions + value.matches('#').count()
}

/// Splits a rule into its prelude, its block, and what is after it.
fn rule(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find(['{', '}', ';'])?;
    let (prelude, rest) = text.split_at(start);
    let inside = rest.strip_prefix('{')?;
    let end = closing(inside, '}')?;
    Some((prelude, &inside[..end], &inside[end + 1..]))
}

/// Returns where the bracket that is open before this text closes.
fn closing(text: &str, bracket: char) -> Option<usize> {
    let mut open = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '{' => open.push('}'),
            '(' => open.push(')'),
            '[' => open.push(']'),
            '}' | ')' | ']' => match open.pop() {
                None => return (c == bracket).then_some(at),
                Some(expected) if expected != c => return None,
                Some(_) => {}
            },
            _ => {}
        }
    }
    None
}

/// Splits a text at a separator, but not inside of brackets. A space as the separator is any white space.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ if depth == 0 && (c == separator || (separator == ' ' && c.is_whitespace())) => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Returns the name at the beginning of a text, which may be empty.
fn name_at(text: &str) -> &str {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let end = text.find(|c| !is_of_name(c)).unwrap_or(text.len());
    if text.starts_with(|c: char| c.is_ascii_digit()) { "" } else { &text[..end] }
}

/// Removes comments, and empties strings and addresses.
fn without_comments(text: &str) -> Result<String, String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['/', '"', '\'']) {
        plain.push_str(&rest[..at]);
        let (end, skip) = match &rest[at..] {
            found if found.starts_with("/*") => ("*/", 2),
            found if found.starts_with('"') => ("\"", 1),
            found if found.starts_with('\'') => ("'", 1),
            found => {
                plain.push('/');
                rest = &found[1..];
                continue;
            }
        };
        let Some((inside, after)) = rest[at + skip..].split_once(end) else {
            return Err(format!(
                "a comment or text is not closed: {}",
                rest[at..].lines().next().unwrap_or_default()
            ));
        };
        if skip == 1 && inside.contains('\n') {
            return Err(format!("a text is not closed: {inside}"));
        }
        plain.push_str(if skip == 1 { "none" } else { " " });
        rest = after;
    }
    plain.push_str(rest);
    Ok(plain)
}
