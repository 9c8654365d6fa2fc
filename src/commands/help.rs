//! The help for commands, generated from the table of commands.

use super::specs::{CommandSpec, SPECS};

/// The rules of the grammar, one sentence per line.
pub const GRAMMAR: [&str; 4] = [
    "Write one command per line: its name, then its parameters as name=value, in any order.",
    "Put a value with spaces in quotation marks. Within them, write \\\" for \" and \\\\ for \\.",
    "# begins a comment, at the beginning of a line or after a space.",
    "If any line is invalid, no line runs. If a line fails, the other lines still run.",
];

/// Returns the help for one command, or for all commands and the grammar.
pub fn lines(of: Option<&'static CommandSpec>) -> Vec<String> {
    match of {
        Some(spec) => of_command(spec),
        None => {
            let commands = SPECS.iter().flat_map(|spec| [vec![String::new()], of_command(spec)].concat());
            GRAMMAR.into_iter().map(str::to_owned).chain(commands).collect()
        }
    }
}

fn of_command(spec: &CommandSpec) -> Vec<String> {
    let width = spec.parameters.iter().map(|parameter| parameter.name.len()).max().unwrap_or_default();
    let mut lines = vec![spec.name.to_owned(), format!("  {}", spec.what)];
    for parameter in spec.parameters {
        let needed = if parameter.required { "required" } else { "optional" };
        lines.push(format!("  {:width$}  {needed}  {}", parameter.name, parameter.what));
    }
    lines.push(format!("  Example: {}", spec.example()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_command_and_parameter() {
        let all = lines(None).join("\n");
        for spec in &SPECS {
            assert!(all.contains(spec.what) && all.contains(&spec.example()), "{}", spec.name);
            let own = lines(Some(spec)).join("\n");
            assert!(all.contains(&own), "{}", spec.name);
            for parameter in spec.parameters {
                let line = own.lines().find(|line| line.trim_start().starts_with(parameter.name));
                let line =
                    line.unwrap_or_else(|| panic!("{} does not mention {}", spec.name, parameter.name));
                assert!(line.contains(parameter.what), "{line}");
                assert_eq!(line.contains("required"), parameter.required, "{line}");
            }
        }
        for sentence in GRAMMAR {
            assert!(all.contains(sentence), "{sentence}");
        }
    }
}
