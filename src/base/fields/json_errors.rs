//! Says what is wrong with JSON, in words for people instead of the parser's.

/// Says where bytes stop being JSON.
pub fn not_json(error: &serde_json::Error) -> String {
    if error.is_eof() {
        "it ends too early".to_owned()
    } else {
        format!("it goes wrong at line {}, column {}", error.line(), error.column())
    }
}

/// Says why JSON does not have the expected structure. `path` is the path of the field, or `.` if it is unknown.
pub fn wrong_structure(path: &str, error: &serde_json::Error) -> String {
    if !error.is_data() {
        return not_json(error);
    }
    let message = error.to_string();
    let named = |before: &str| message.strip_prefix(before)?.split('`').next().map(str::to_owned);
    let within = |name: String| if path == "." { name } else { format!("{path}.{name}") };
    if let Some(name) = named("missing field `") {
        return format!("{} is missing", within(name));
    }
    if let Some(name) = named("unknown field `") {
        return format!("there is no field {}", within(name));
    }
    let parser_messages = [
        "invalid type",
        "invalid value",
        "invalid length",
        "unknown variant",
        "duplicate field",
        "data did not",
    ];
    let place = if path == "." { "it" } else { path };
    if parser_messages.iter().any(|begin| message.starts_with(begin)) {
        return format!("{place} isn't valid");
    }
    // All other messages come from our own types.
    let message = message.split(" at line ").next().unwrap_or_default();
    format!("{place}: {message}")
}
