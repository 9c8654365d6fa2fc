//! Splits names, companies and addresses into words.

/// Splits a text at punctuation. A text of nothing but punctuation and symbols stays whole.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let has_words = text.chars().any(|c| !is_separator(c));
    let whole = (!has_words && !text.is_empty()).then_some(text);
    text.split(is_separator).filter(|piece| !piece.is_empty()).chain(whole)
}

fn is_separator(c: char) -> bool {
    c.is_ascii_punctuation()
        || c.is_whitespace()
        || matches!(c, '\u{2010}'..='\u{205e}' | '¡' | '¿' | '«' | '»' | '·' | '´' | '¨' | '\u{3000}'..='\u{3003}')
}

/// Legal forms of companies, which are no words.
const LEGAL_FORMS: [&str; 10] =
    ["co", "company", "corp", "corporation", "inc", "incorporated", "limited", "llc", "llp", "ltd"];

/// Whether a word is the legal form of a company.
pub(super) fn is_legal_form(word: &str) -> bool {
    LEGAL_FORMS.contains(&word.to_lowercase().as_str())
}

/// The twenty most common hosts of private mail, without their top-level domains.
const MAIL_HOSTS: [&str; 20] = [
    "aol",
    "att",
    "bellsouth",
    "charter",
    "comcast",
    "cox",
    "earthlink",
    "gmail",
    "gmx",
    "googlemail",
    "hotmail",
    "icloud",
    "live",
    "mac",
    "msn",
    "outlook",
    "proton",
    "sbcglobal",
    "verizon",
    "yahoo",
];

/// The second level of domains such as `co.uk`.
const SECOND_LEVEL: [&str; 7] = ["ac", "co", "com", "edu", "gov", "net", "org"];

/// Common top-level domains. A typed text without `@` may be a domain or a name with dots, so only these are left out
/// of it.
///
/// Source: the most frequent top-level domains in the public suffix list's ICANN section, <https://publicsuffix.org>.
const TOP_LEVEL: [&str; 32] = [
    "ai", "app", "at", "au", "biz", "br", "ca", "ch", "com", "de", "dev", "edu", "es", "eu", "example", "fr",
    "gov", "ie", "in", "info", "io", "it", "jp", "mx", "net", "nl", "nz", "online", "org", "test", "uk",
    "us",
];

/// The domain of an email address.
#[derive(Clone, Copy)]
pub(super) struct Domain<'a>(pub(super) &'a str);

/// Returns the words of the domain of an email address: its labels without the top level and without a common mail
/// host.
pub(super) fn domain_words(domain: Domain<'_>) -> Vec<String> {
    let labels: Vec<&str> = domain.0.split('.').filter(|label| !label.is_empty()).collect();
    words_of_labels(registered(&labels), |label| MAIL_HOSTS.contains(&label.to_lowercase().as_str()))
}

/// Does the same with a domain that may be typed only in part. `certain` says that an `@` precedes it; otherwise it may
/// be a name with dots.
pub(super) fn typed_domain_words(domain: Domain<'_>, certain: bool) -> Vec<String> {
    let labels: Vec<&str> = domain.0.split('.').collect();
    let last = labels.last().copied().unwrap_or_default().to_lowercase();
    let is_top = certain || TOP_LEVEL.iter().any(|top| top.starts_with(&last));
    let kept = match labels.len() {
        0 | 1 => &labels[..],
        _ if is_top => registered(&labels),
        _ => &labels[..],
    };
    let is_host = |label: &str| {
        let label = label.to_lowercase();
        certain && !label.is_empty() && MAIL_HOSTS.iter().any(|host| host.starts_with(&label))
    };
    let words = words_of_labels(kept, is_host);
    match words.is_empty() && !certain {
        true => words_of_labels(&labels, |_| false),
        false => words,
    }
}

/// Removes the top level, and the second level of domains such as `co.uk`.
fn registered<'a, 'b>(labels: &'b [&'a str]) -> &'b [&'a str] {
    let [rest @ .., _] = labels else { return labels };
    match rest {
        [first @ .., second]
            if !first.is_empty() && SECOND_LEVEL.contains(&second.to_lowercase().as_str()) =>
        {
            first
        }
        rest => rest,
    }
}

fn words_of_labels(labels: &[&str], is_host: impl Fn(&str) -> bool) -> Vec<String> {
    let last = labels.len().saturating_sub(1);
    let kept = labels.iter().enumerate().filter(|(at, label)| *at != last || !is_host(label));
    kept.flat_map(|(_, label)| pieces(label).map(str::to_owned).collect::<Vec<_>>()).collect()
}
