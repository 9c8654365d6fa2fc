//! Passwords that are guessed first. Pure.
//!
//! Only new passwords are checked (OWASP ASVS 5.0, 6.2.4 and 6.2.11). A password that a person has already stays valid,
//! because refusing it would lock them out.

use super::Password;
use crate::base::values::{Email, Invalid, Name};
use crate::shared::search::fold;

/// Common passwords, in lower case, below comments with their sources and licenses.
const LIST: &str = include_str!("common.txt");

/// The keys of a keyboard, row by row.
const KEYBOARD: &str = "1234567890qwertyuiopasdfghjklzxcvbnm";

/// The name of this program, which is guessed like the name of its owner.
const PRODUCT: &str = "holdfast";

/// The letters and digits that a password needs besides the names in it.
const ENOUGH: usize = 6;

/// The letters of a name that many other words contain by chance.
const SHORT: usize = 3;

impl Password {
    /// Checks that the password is not among those that are guessed first for an account with this name and address: a
    /// common one, a repeated or a sorted text, or hardly more than the name, the address or the name of this program.
    ///
    /// # Errors
    /// [`Invalid`] if it is.
    pub fn check_new(&self, name: &Name, email: &Email) -> Result<(), Invalid> {
        let folded = fold(&self.0);
        let is_personal = is_personal(&folded, name.as_str(), email.as_str());
        if is_personal || is_listed(&folded) || is_repeated(&folded) || is_sequence(&folded) {
            return Err(Invalid::new("This password is too common. Choose another one."));
        }
        Ok(())
    }
}

/// Returns whether it is a common password, with or without other characters around it.
fn is_listed(folded: &str) -> bool {
    let core = folded.trim_matches(|c: char| !c.is_alphanumeric());
    LIST.lines().any(|line| !line.starts_with('#') && (line == folded || line == core))
}

/// Returns whether it repeats a text that would be too short alone.
fn is_repeated(folded: &str) -> bool {
    let chars: Vec<char> = folded.chars().collect();
    let longest = (chars.len() / 2).min(Password::MIN_CHARS - 1);
    (1..=longest).any(|unit| chars.iter().zip(&chars[unit..]).all(|(one, other)| one == other))
}

/// Returns whether it counts up or down, in the alphabet or on a keyboard.
fn is_sequence(folded: &str) -> bool {
    let chars: Vec<char> = folded.chars().collect();
    let counts = |up: bool| {
        chars.windows(2).all(|pair| if up { follows(pair[0], pair[1]) } else { follows(pair[1], pair[0]) })
    };
    let backwards: String = chars.iter().rev().collect();
    counts(true) || counts(false) || [folded, &backwards].into_iter().any(|text| KEYBOARD.contains(text))
}

/// Returns whether `next` is the letter or digit after `one`. The first comes after the last.
fn follows(one: char, next: char) -> bool {
    match one {
        '9' => next == '0',
        'z' => next == 'a',
        _ => one.is_ascii_alphanumeric() && u32::from(next) == u32::from(one) + 1,
    }
}

/// Returns whether little is left without the name and the address of its owner and the name of this program.
fn is_personal(folded: &str, name: &str, email: &str) -> bool {
    let all = letters(folded);
    let (local, domain) = email.split_once('@').unwrap_or((email, ""));
    let parts = [name, email, local, domain, PRODUCT].into_iter();
    let parts = parts.chain(name.split_whitespace()).chain(domain.split('.')).chain(local.split('.'));
    let mut words: Vec<String> = parts.map(|part| letters(&fold(part))).collect();
    words.retain(|word| word.chars().count() >= SHORT);
    // Longer words first, because they contain the others.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let rest = words.iter().fold(all.clone(), |rest, word| rest.replace(word.as_str(), ""));
    rest != all && rest.chars().count() < ENOUGH
}

/// Returns the letters and digits of a text.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "Zoë O'Brien-Lee";
    const EMAIL: &str = "zoe.lee@acme-roofing.example";

    fn is_guessable(text: &str) -> bool {
        let password: Password = text.parse().expect(text);
        password.check_new(&NAME.parse().unwrap(), &EMAIL.parse().unwrap()).is_err()
    }

    #[test]
    fn common_passwords_are_guessable_in_any_case_and_with_other_characters_around_them() {
        for text in ["password1234", "Password1234", "QWERTY123456", "!!password1234??", "1q2w3e4r5t6y "] {
            assert!(is_guessable(text), "{text}");
        }
    }

    #[test]
    fn repeated_texts_and_sequences_are_guessable() {
        for text in [
            "aaaaaaaaaaaa",
            "            ",
            "🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉",
            "abcabcabcabca",
            "qwertyqwerty",
            "abcdefghijkl",
            "zyxwvutsrqponm",
            "123456789012",
            "0987654321098",
            "qwertyuiopas",
            "lkjhgfdsapoi",
        ] {
            assert!(is_guessable(text), "{text}");
        }
    }

    #[test]
    fn the_names_of_the_owner_and_of_the_program_are_guessable() {
        for text in [
            "zoe.lee@acme-roofing.example",
            "Zoe Lee Zoe Lee!",
            "ZoëO'Brien-Lee",
            "acme-roofing2026",
            "Holdfast 2026",
            "holdfastholdfast1",
            "Zoe@Holdfast1",
        ] {
            assert!(is_guessable(text), "{text}");
        }
    }

    #[test]
    fn other_passwords_are_not_guessable() {
        for text in [
            "correct horse battery",
            "another long password",
            "Holdfast opens on Monday",
            "zoe likes the winter",
            "kJ7-wq2L!x9P",
            "вторник утром дождь",
        ] {
            assert!(!is_guessable(text), "{text}");
        }
    }

    #[test]
    fn the_list_is_sorted_lower_case_and_long_enough() {
        let words: Vec<_> = LIST.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(words.len() > 300 && words.is_sorted());
        assert!(words.iter().all(|word| word.len() >= Password::MIN_CHARS && fold(word) == **word));
    }
}
