//! The help of every command, and the documents that describe the commands.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::OnceCell;

use super::binary::Data;
use crate::documents::{code_spans, documents, read, section};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        embedded: the_help_explains_every_command_and_flag,
            every_command_is_documented_with_its_flags,
            every_command_and_flag_that_a_document_names_exists
    ]
}

/// Flags that work and that the help leaves out, because few people need them.
const HIDDEN: [&str; 4] = ["--header-timeout", "--body-timeout", "--idle-timeout", "--request-timeout"];

/// The help of one command.
struct Help {
    text: String,
    flags: BTreeSet<String>,
}

impl Help {
    fn of(text: String) -> Self {
        let options = section_of(&text, "Options").into_iter().map(str::trim_start);
        let words = options.filter(|line| line.starts_with('-')).map(str::split_whitespace);
        let flags = words.filter_map(|mut words| words.find(|word| word.starts_with("--")));
        let flags = flags.map(str::to_owned).collect();
        Self { text, flags }
    }

    /// The commands below this one.
    fn commands(&self) -> Vec<&str> {
        // Deeper indentation continues a description.
        let lines = section_of(&self.text, "Commands").into_iter().filter(|line| !line.starts_with("   "));
        lines.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect()
    }

    fn is_group(&self) -> bool {
        !self.commands().is_empty()
    }
}

/// The lines of a section of the help. It ends at the first line without indentation.
fn section_of<'a>(help: &'a str, name: &str) -> Vec<&'a str> {
    let (_, rest) = help.split_once(&format!("\n{name}:\n")).unwrap_or_default();
    rest.lines().take_while(|line| line.is_empty() || line.starts_with(' ')).collect()
}

/// The help of all commands by their words: `account add`, and nothing for the program itself.
type Commands = BTreeMap<String, Help>;

static COMMANDS: OnceCell<Commands> = OnceCell::const_new();

/// Asks every command for its help.
async fn all_commands() -> &'static Commands {
    COMMANDS.get_or_init(ask_all).await
}

async fn ask_all() -> Commands {
    let data = Data::new();
    let (mut commands, mut left) = (Commands::new(), vec![String::new()]);
    while let Some(command) = left.pop() {
        let words: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let help = Help::of(data.holdfast(&words).succeeds().await);
        left.extend(help.commands().into_iter().map(|name| format!("{command} {name}").trim().to_owned()));
        assert!(commands.insert(command, help).is_none(), "a command is listed twice");
    }
    assert!(!data.path().exists(), "nothing was touched");
    commands
}

async fn the_help_explains_every_command_and_flag(_: TestEnvironment) {
    let commands = all_commands().await;
    assert!(commands.len() > 30, "only {} commands", commands.len());
    for (command, Help { text, flags }) in commands {
        let options = section_of(text, "Options");
        let below = options.iter().filter(|line| line.starts_with("          ")).count();
        let beside = options.iter().filter(|line| line.trim_start().split("  ").count() > 1).count();
        assert!(below + beside >= flags.len(), "{command}: {text}");
        assert!(text.lines().next().is_some_and(|line| !line.starts_with("Usage")), "{command}: {text}");
    }
}

/// What `docs/configuration.md` says about flags.
#[derive(Default)]
struct Documented {
    /// The flags of single commands.
    own: BTreeMap<String, BTreeSet<String>>,
    /// The flags of several commands, with the cell that says which.
    shared: Vec<(String, String)>,
}

impl Documented {
    fn read() -> Self {
        let configuration = read("docs/configuration.md");
        let mut documented = Self::default();
        let (mut heading, mut command) = ("", String::new());
        for line in section(&configuration, "## Command line").lines() {
            if let Some(title) = line.strip_prefix("### ") {
                heading = title;
                command.clear();
            } else if line.starts_with('|') {
                let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
                documented.add(heading, &mut command, &cells);
            }
        }
        documented
    }

    /// Adds a row. A row without a command continues the row above.
    fn add(&mut self, heading: &str, command: &mut String, cells: &[&str]) {
        let [first, second, ..] = cells else { return };
        let flags = [first, second].into_iter().flat_map(|cell| flags_in(cell));
        if heading.is_empty() {
            let commands = cells.get(3).copied().unwrap_or_default();
            self.shared.extend(flags.map(|flag| (flag, commands.to_owned())));
            return;
        }
        // The heading of several commands has only their last words, so their table names them.
        let named = if heading.contains(',') { code_spans(first).first().copied() } else { Some(heading) };
        if let Some(name) = named {
            name.clone_into(command);
        }
        if !command.is_empty() {
            self.own.entry(command.clone()).or_default().extend(flags);
        }
    }

    /// The flags that a command has.
    fn of(&self, command: &str) -> BTreeSet<String> {
        let own = self.own.get(if command.is_empty() { "serve" } else { command }).into_iter().flatten();
        let shared = self.shared.iter().filter(|(_, commands)| includes(commands, command));
        own.chain(shared.map(|(flag, _)| flag)).cloned().collect()
    }
}

/// Whether a cell includes a command: `all`, `all except` those that it names, `without a command`, or all commands that
/// begin with the words that it names.
fn includes(cell: &str, command: &str) -> bool {
    let named = code_spans(cell);
    let is_named = named.iter().any(|name| command.starts_with(name));
    match cell.starts_with("all") {
        true => !is_named,
        false if named.is_empty() => command.is_empty(),
        false => is_named,
    }
}

/// The flags in the code of a text.
fn flags_in(text: &str) -> Vec<String> {
    let words = code_spans(text).into_iter().flat_map(str::split_whitespace);
    words.filter(|word| word.starts_with("--") && word.len() > 2).map(flag_of).collect()
}

/// A flag without its value.
fn flag_of(word: &str) -> String {
    word.split('=').next().unwrap_or_default().to_owned()
}

async fn every_command_is_documented_with_its_flags(_: TestEnvironment) {
    let commands = all_commands().await;
    let documented = Documented::read();
    for (command, help) in commands {
        // A group has no work of its own, and so no section.
        let is_documented = command.is_empty() || help.is_group() || documented.own.contains_key(command);
        assert!(is_documented, "docs/configuration.md has no `{command}`");
        let group: BTreeSet<String> = ["--help", "--log"].map(str::to_owned).into();
        let mut expected =
            if help.is_group() && !command.is_empty() { group } else { documented.of(command) };
        expected.retain(|flag| !HIDDEN.contains(&flag.as_str()));
        assert_eq!(help.flags, expected, "`holdfast {command}`: its help, and docs/configuration.md");
    }
    for command in documented.own.keys() {
        assert!(
            commands.contains_key(command),
            "docs/configuration.md has `{command}`, which does not exist"
        );
    }
    let data = Data::new();
    for flag in HIDDEN {
        assert!(documented.of("serve").contains(flag), "docs/configuration.md has no {flag}");
        let refused = data.holdfast(&["serve", flag, "x"]).fails(2).await;
        assert!(refused.contains("invalid value 'x'"), "{refused}");
    }
}

async fn every_command_and_flag_that_a_document_names_exists(_: TestEnvironment) {
    let commands = all_commands().await;
    let all: BTreeSet<&str> =
        commands.values().flat_map(|help| help.flags.iter().map(String::as_str)).chain(HIDDEN).collect();
    let mut named = 0;
    for file in documents().iter().filter(|file| *file != "CHANGELOG.md") {
        let text = read(file);
        for span in code_spans(&text) {
            if let Some(flag) = span.split_whitespace().next().filter(|word| word.starts_with("--")) {
                let flag = flag_of(flag);
                assert!(flag == "--" || all.contains(flag.as_str()), "{file} names {flag}");
            }
        }
        for words in invocations(&text) {
            named += 1;
            check(commands, &words).unwrap_or_else(|wrong| panic!("{file}: {words:?} has {wrong}"));
        }
    }
    assert!(named > 60, "only {named} commands are named");
}

/// Checks the words after `holdfast`: the commands and flags among them exist.
fn check(commands: &Commands, words: &[String]) -> Result<(), String> {
    let mut command = String::new();
    let mut rest = words.iter();
    while commands.get(&command).is_some_and(Help::is_group) {
        // A word in capitals is a placeholder, and without a command the program serves.
        let Some(word) = rest.as_slice().first().filter(|word| is_command_word(word)) else { break };
        command = format!("{command} {word}").trim().to_owned();
        rest.next();
    }
    let help = commands.get(&command).ok_or_else(|| format!("no command {command}"))?;
    for flag in rest.filter(|word| word.starts_with("--")).map(|word| flag_of(word)) {
        if !help.flags.contains(&flag) && !HIDDEN.contains(&flag.as_str()) {
            return Err(format!("no flag {flag}"));
        }
    }
    Ok(())
}

fn is_command_word(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_lowercase())
}

/// The words after `holdfast` in the inline code and in the shell blocks of a document.
fn invocations(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, part) in text.split("```").enumerate() {
        if at % 2 == 0 {
            found.extend(code_spans(part).into_iter().filter_map(after_program));
            continue;
        }
        let (language, code) = part.split_once('\n').unwrap_or_default();
        if ["sh", "ini", "crontab"].contains(&language) {
            let code = code.replace("\\\n", " ");
            let commands = code.split(['\n', '|', ';', '&', '(', ')', '<', '>', '#']);
            found.extend(commands.filter_map(after_program));
        }
    }
    found
}

/// The words after the program `holdfast`, if this runs it.
fn after_program(command: &str) -> Option<Vec<String>> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let after = match &words[..] {
        ["holdfast", after @ ..] | ["sudo", "-u", _, "holdfast", after @ ..] => Some(after),
        ["cargo", "run", options @ ..] => {
            let end = options.iter().position(|word| *word == "--")?;
            options.get(end + 1..)
        }
        words => {
            let at = words.iter().position(|word| word.ends_with("bin/holdfast"))?;
            words.get(at + 1..)
        }
    };
    Some(after?.iter().map(|&word| word.to_owned()).collect())
}
