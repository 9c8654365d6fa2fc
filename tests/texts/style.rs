//! The rules of style that a program can check: plain American English, in sentence case.

/// Words that no text has, and what to write instead.
const BANNED: [(&str, &str); 46] = [
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
    if is_title_case(text) {
        faults.push("capitals (write it in sentence case)".to_owned());
    }
    faults
}

/// A text without its values, such as `{name}`.
fn without_values(text: &str) -> String {
    text.split('{').map(|part| part.rsplit('}').next().unwrap_or_default()).collect()
}

/// Whether a text has these words, and not only as a part of longer words.
fn has_word(text: &str, words: &str) -> bool {
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
    for wrong in
        ["Please wait", "Fulfil it", "Loading...", "Ann’s lead", "Two  spaces", "Save Changes", "It stands."]
    {
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
    ] {
        assert_eq!(faults(right), Vec::<String>::new());
    }
}
