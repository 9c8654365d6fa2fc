//! The rules of style that a program can check: plain American English, in sentence case.

/// Words that no text has, and what to write instead.
const BANNED: [(&str, &str); 48] = [
    ("analyse", "analyze"),
    ("behaviour", "behavior"),
    ("cancelled", "canceled"),
    ("cancelling", "canceling"),
    ("catalogue", "catalog"),
    ("centre", "center"),
    ("colour", "color"),
    ("colours", "colors"),
    ("dialogue", "dialog"),
    ("e-mail", "email"),
    ("e-mails", "emails"),
    ("email address", "email"),
    ("email addresses", "emails"),
    ("enrol", "enroll"),
    ("favourite", "favorite"),
    ("fulfil", "fulfill"),
    ("fulfils", "fulfills"),
    ("fulfilment", "fulfillment"),
    ("grey", "gray"),
    ("labelled", "labeled"),
    ("licence", "license"),
    ("modelled", "modeled"),
    ("organise", "organize"),
    ("recognise", "recognize"),
    ("summarise", "summarize"),
    ("travelling", "traveling"),
    ("whilst", "while"),
    ("deserialize", "what the person sent"),
    ("enum", "what the values mean"),
    ("invalid input", "what is wrong"),
    ("missing field", "what is missing"),
    ("panicked", "what failed"),
    ("struct", "what the values mean"),
    ("unwrap", "what failed"),
    ("meanwhile", "what happened"),
    ("nobody", "no one"),
    ("one's own", "your own"),
    ("oops", "what is wrong"),
    ("parked", "dead letter, or needs attention"),
    ("please", "the sentence without it"),
    ("same again", "what is the same"),
    ("somebody", "someone"),
    ("sorry", "what is wrong"),
    ("stands", "is"),
    ("told", "what was said"),
    ("whoever", "who"),
    ("whomever", "who"),
    ("you would get", "what is available"),
];
/// Marks that no text has, and what to write instead.
const MARKS: [(&str, &str); 4] = [("...", "…"), ("’", "'"), ("  ", "one space"), ("!!", "a period")];
/// Names, and terms that are always capitalized.
const NAMES: [&str; 17] = [
    "Carolina",
    "Columbia",
    "Cookie",
    "Dakota",
    "Hampshire",
    "Holdfast",
    "Internet",
    "Island",
    "Jersey",
    "Kafka",
    "Lee",
    "Mexico",
    "Roofing",
    "Time",
    "Virginia",
    "X",
    "York",
];

/// What is wrong with a text.
pub fn faults(text: &str) -> Vec<String> {
    // Words in capitals are names of the API, and a quoted beginning is of a library's message.
    let is_constant =
        |word: &&str| word.chars().any(char::is_uppercase) && !word.chars().any(char::is_lowercase);
    let words: Vec<&str> = text.split(' ').filter(|word| !is_constant(word)).collect();
    let prose = without_values(&words.join(" ")).to_lowercase();
    let banned = BANNED.iter().filter(|(word, _)| has_word(&prose, word) && !text.ends_with('`'));
    // Columns on the command line are aligned with spaces.
    let is_aligned = text.starts_with("holdfast") || text.contains("}  ") || text.contains("  {");
    let marks = MARKS.iter().filter(|(mark, _)| text.contains(mark) && !(*mark == "  " && is_aligned));
    let mut faults: Vec<String> =
        banned.chain(marks).map(|(found, instead)| format!("“{found}” (write: {instead})")).collect();
    let mut add = |is_wrong: bool, fault: &str| is_wrong.then(|| faults.push(fault.to_owned()));
    add(is_title_case(text), "capitals (write it in sentence case)");
    add(has_plain_id(text), "“id” (write: ID)");
    add(has_long_number(text), "a number without commas (write: 1,000)");
    add(lacks_serial_comma(text), "a list without a comma before its last part (write: a, b, and c)");
    add(
        has_plural_of_one(text),
        "a count with a plural only (1 rows; write it with `counted` or a condition)",
    );
    faults
}

/// Whether a text has the word ID in lower case.
fn has_plain_id(text: &str) -> bool {
    let ids = ["id", "Id", "ids", "Ids"];
    let prose = without_values(text);
    prose.split_whitespace().any(|word| ids.contains(&word.trim_matches(|c: char| c.is_ascii_punctuation())))
        && text != KEY_LABEL
}

/// Not a text, but a label for the derivation of a key.
const KEY_LABEL: &str = "holdfast data key id";

/// Whether a text has a number of four or more digits without commas that is not a year, a port, or the number of an RFC.
fn has_long_number(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_long = |at: &usize| {
        let number = words[*at].trim_matches(|c: char| c.is_ascii_punctuation());
        let is_year = number.len() == 4 && (number.starts_with("19") || number.starts_with("20"));
        let is_named = *at > 0 && ["--port", "RFC"].contains(&words[*at - 1]);
        number.len() > 3 && number.bytes().all(|byte| byte.is_ascii_digit()) && !is_year && !is_named
    };
    (0..words.len()).any(|at| is_long(&at)) && !text.starts_with("A port is")
}

/// Whether a text has a list such as `a, b and c` or `a red, a blue or a green`.
fn lacks_serial_comma(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_article = |word: &str| ["a", "an", "the"].contains(&word);
    let is_plain = |word: &str| !word.ends_with([',', ';', ':', '.', '…']);
    let joins = |at: usize| matches!(words.get(at), Some(&"and" | &"or"));
    let follows = |at: usize, is: &dyn Fn(&str) -> bool| words.get(at).is_some_and(|word| is(word));
    // As in "a whole number, 1 or more" and "if no row was applied, now or before".
    let ends = |word: &str| word.starts_with("more") || word.starts_with("before");
    (0..words.len()).filter(|at| words[*at].ends_with(',')).any(|at| {
        let is_word = follows(at + 1, &is_plain) && joins(at + 2) && !follows(at + 3, &ends);
        let is_named = |length: usize| {
            (2..=length).all(|word| follows(at + word, &is_plain))
                && joins(at + length + 1)
                && follows(at + length + 2, &is_article)
        };
        is_word || (follows(at + 1, &is_article) && (is_named(2) || is_named(3)))
    })
}

/// Nouns that pages count.
const COUNTED: [&str; 32] = [
    "accounts",
    "attempts",
    "bytes",
    "characters",
    "codes",
    "columns",
    "commands",
    "custom",
    "days",
    "dead",
    "entries",
    "fields",
    "files",
    "hours",
    "items",
    "keys",
    "leads",
    "letters",
    "lines",
    "messages",
    "minutes",
    "movements",
    "orders",
    "partitions",
    "parts",
    "products",
    "rows",
    "rules",
    "seconds",
    "sessions",
    "tickets",
    "tokens",
];
/// Texts whose number is never 1, or that only a log has.
const MANY: [&str; 13] = [
    "Depth {MAX_DEPTH} reached: {} rules in a row led to this event, so this rule did not run. Rules that trigger each other would never stop by themselves.",
    "Last {…} days",
    "Only its first {kept} of {bytes} bytes were kept. Send it again in fewer than {} bytes.",
    "Only {remaining} tickets left",
    "Show all {…} bytes",
    "The disk of the data has {free} bytes left.",
    "The file has {0} columns; at most {MAX_COLUMNS} can be imported. Remove those you don't need.",
    "none of {0} messages was finished",
    "{bytes} bytes",
    "{} orders",
    "{count} sessions of {label} have IDs that begin with {prefix}; give more digits",
    "{} fields need attention",
    "{} tokens of {} are called {text}; name one by its ID: {}",
];

/// Whether a value is followed by a noun in the plural, outside of a condition. A constant is not 1. A number in a
/// column of the command line has one label, and attempts are counted only in the log.
fn has_plural_of_one(text: &str) -> bool {
    let starts = text.match_indices('{').map(|(at, _)| at);
    let counts = starts.filter(|at| {
        let Some((value, after)) = text[at + 1..].split_once('}') else { return false };
        let before = &text[..*at];
        let is_number = !matches!(value, "if" | "else" | "end") && !value.contains(":>");
        let is_constant = value.starts_with(|c: char| c.is_ascii_uppercase())
            || ["at most ", "At least "].iter().any(|bound| before.ends_with(bound));
        let is_conditional = before.matches("{if}").count() > before.matches("{end}").count();
        let noun = after.strip_prefix(' ').and_then(|after| after.split(|c: char| !c.is_alphabetic()).next());
        is_number && !is_constant && !is_conditional && noun.is_some_and(|noun| COUNTED.contains(&noun))
    });
    counts.count() > 0 && !MANY.contains(&text) && !text.contains("{attempts}")
}

/// A text without its values, such as `{name}`.
fn without_values(text: &str) -> String {
    text.split('{').map(|part| part.rsplit('}').next().unwrap_or_default()).collect()
}

/// Whether a text has these words, and not only as a part of longer words.
pub fn has_word(text: &str, words: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric();
    text.match_indices(words)
        .any(|(at, _)| !text[..at].ends_with(is_letter) && !text[at + words.len()..].starts_with(is_letter))
}

/// Whether a text of two to six words capitalizes each of them, as in "Save Changes".
fn is_title_case(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_capitalized = |word: &&str| {
        let mut letters = word.chars();
        letters.next().is_some_and(char::is_uppercase) && letters.any(char::is_lowercase)
    };
    let is_name = |word: &&str| NAMES.contains(&word.trim_matches(|c: char| !c.is_alphabetic()));
    (2..=6).contains(&words.len())
        && !text.contains(':')
        && words.iter().all(is_capitalized)
        && !words.iter().skip(1).any(is_name)
}

#[test]
fn words_marks_and_capitals_are_found() {
    for wrong in [
        "Please wait",
        "Fulfil it",
        "Loading...",
        "Ann’s lead",
        "Two  spaces",
        "Save Changes",
        "It stands.",
        "Enter an email address.",
        "Email or id",
        "From 1 to 1000.",
        "Commas, tabs or bars",
        "Give a name, a score or a source.",
        "{count} rows shown",
        "{…} of {if}about {end}{…} rows",
    ] {
        assert!(!faults(wrong).is_empty(), "{wrong}");
    }
    for right in [
        "Fulfill",
        "Understands it",
        "PARKED",
        "Ann's lead",
        "Loading…",
        "Save changes",
        "New York",
        "Use the API",
        "Email or ID",
        "From 1 to 1,000. See RFC 9457, of 2023.",
        "Commas, tabs, or bars; 1, 2, or more",
        "A whole number, 1 or more",
        "{…} {if}row{else}rows{end}{if} · {…} rows{end}",
        "{MAX_ROWS} rows",
    ] {
        assert_eq!(faults(right), Vec::<String>::new());
    }
}
