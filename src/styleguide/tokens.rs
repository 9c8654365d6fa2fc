//! The tokens of the stylesheet, read from the stylesheet itself.

use crate::web::assets;

/// All tokens, in the order of the stylesheet.
pub(super) struct Tokens(Vec<Token>);

/// A custom property with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) name: String,
    pub(super) value: String,
}

/// A color in both themes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Color {
    pub(super) name: String,
    pub(super) light: String,
    pub(super) dark: String,
}

/// A color on another one, with the contrast ratios.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) front: Color,
    pub(super) back: Color,
    /// The contrast that WCAG 2.2 AA requires: of text, or of the edges of fields and buttons.
    pub(super) required: f64,
    pub(super) light: f64,
    pub(super) dark: f64,
}

/// The pairs that pages use: the front, the grounds below it, and the contrast that WCAG 2.2 AA requires.
static PAIRS: [(&str, &[&str], f64); 10] = [
    ("--text", &["--ground", "--card", "--hover", "--edit"], 4.5),
    ("--faint", &["--ground", "--card", "--hover", "--edit", "--pill"], 4.5),
    ("--accent", &["--ground", "--card", "--hover", "--edit"], 4.5),
    ("--on-accent", &["--accent", "--accent-hover"], 4.5),
    ("--good", &["--good-ground", "--card", "--edit"], 4.5),
    ("--warn", &["--warn-ground", "--card", "--edit"], 4.5),
    ("--bad", &["--bad-ground", "--ground", "--card", "--edit"], 4.5),
    ("--info", &["--info-ground"], 4.5),
    ("--edge", &["--card", "--ground"], 3.0),
    ("--accent", &["--line"], 3.0),
];

/// The scales: what each is for, and the beginning of its names.
const SCALES: [(&str, &str); 7] = [
    ("Space", "--space-"),
    ("Size of text", "--font-size-"),
    ("Weight of text", "--font-weight-"),
    ("Radius", "--radius-"),
    ("Height of controls", "--control-"),
    ("Shadow", "--shadow"),
    ("Layer", "--layer-"),
];

impl Tokens {
    /// Reads the tokens of the stylesheet.
    pub(super) fn of_stylesheet() -> Self {
        let stylesheet = assets::ASSETS.iter().find(|asset| asset.name == "app.css");
        let text = stylesheet.map(|asset| String::from_utf8_lossy(asset.identity)).unwrap_or_default();
        Self::read(&text)
    }

    /// Reads lines such as `--line: light-dark(#e1e5ea, #2a313d);` of the first block with tokens of ours.
    fn read(stylesheet: &str) -> Self {
        let block = stylesheet.split_once("/* Tokens */").map_or("", |(_, rest)| rest);
        let lines = block.lines().take_while(|line| *line != "}").map(str::trim);
        let tokens = lines.filter_map(|line| {
            let (name, value) = line.strip_suffix(';')?.split_once(": ")?;
            let is_ours = name.starts_with("--") && !name.starts_with("--pico-");
            is_ours.then(|| Token { name: name.to_owned(), value: value.to_owned() })
        });
        Self(tokens.collect())
    }

    /// Returns the colors.
    pub(super) fn colors(&self) -> Vec<Color> {
        self.0.iter().filter_map(Color::of).collect()
    }

    /// Returns the pairs of colors that pages use.
    pub(super) fn pairs(&self) -> Vec<Pair> {
        let colors = self.colors();
        let named = |name: &str| colors.iter().find(|color| color.name == name).cloned();
        let pairs = PAIRS.iter().flat_map(|(front, grounds, required)| {
            grounds.iter().filter_map(move |ground| Pair::of(named(front)?, named(ground)?, *required))
        });
        pairs.collect()
    }

    /// Returns the scales that are not colors.
    pub(super) fn scales(&self) -> Vec<(&'static str, Vec<Token>)> {
        let scale = |(title, prefix): (&'static str, &str)| {
            let tokens = self.0.iter().filter(|token| token.name.starts_with(prefix));
            (title, tokens.filter(|token| Color::of(token).is_none()).cloned().collect())
        };
        SCALES.into_iter().map(scale).collect()
    }
}

impl Color {
    fn of(token: &Token) -> Option<Self> {
        let both = token.value.strip_prefix("light-dark(")?.strip_suffix(')')?;
        let (light, dark) = both.split_once(", ")?;
        let [name, light, dark] = [token.name.as_str(), light, dark].map(str::to_owned);
        Some(Self { name, light, dark })
    }
}

impl Pair {
    fn of(front: Color, back: Color, required: f64) -> Option<Self> {
        let light = contrast(&front.light, &back.light)?;
        let dark = contrast(&front.dark, &back.dark)?;
        Some(Self { front, back, required, light, dark })
    }

    /// Returns the ratios of the light and of the dark theme as text.
    pub(super) fn ratios(&self) -> [String; 2] {
        [self.light, self.dark].map(|ratio| format!("{ratio:.1}"))
    }

    /// Returns whether both themes have enough contrast.
    pub(super) fn is_enough(&self) -> bool {
        self.light.min(self.dark) >= self.required
    }
}

/// Returns the contrast ratio of two colors. Source: WCAG 2.2, "contrast ratio" and "relative luminance".
fn contrast(one: &str, other: &str) -> Option<f64> {
    let (one, other) = (luminance(one)?, luminance(other)?);
    Some((one.max(other) + 0.05) / (one.min(other) + 0.05))
}

/// Returns the relative luminance of `#rgb` or `#rrggbb`.
fn luminance(color: &str) -> Option<f64> {
    let digits = color.strip_prefix('#')?;
    let step = match digits.len() {
        3 => 1,
        6 => 2,
        _ => return None,
    };
    let part = |index: usize| {
        let digits = digits.get(index * step..(index + 1) * step)?;
        let value = u8::from_str_radix(digits, 16).ok()?;
        let value = f64::from(if step == 1 { value * 17 } else { value }) / 255.0;
        Some(if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) })
    };
    Some(0.2126 * part(0)? + 0.7152 * part(1)? + 0.0722 * part(2)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_that_of_wcag() {
        let rounded = |one, other| contrast(one, other).map(|ratio| (ratio * 100.0).round() / 100.0);
        assert_eq!(rounded("#000", "#fff"), Some(21.0));
        assert_eq!(rounded("#777777", "#fff"), Some(4.48));
        assert_eq!(rounded("#fff", "#fff"), Some(1.0));
        assert_eq!(rounded("transparent", "#fff"), None);
    }

    #[test]
    fn every_pair_of_colors_has_enough_contrast_in_both_themes() {
        let pairs = Tokens::of_stylesheet().pairs();
        let expected: usize = PAIRS.iter().map(|(_, grounds, _)| grounds.len()).sum();
        assert_eq!(pairs.len(), expected, "a color of a pair is missing in the stylesheet");
        for pair in pairs {
            assert!(pair.is_enough(), "{} on {}: {:?}", pair.front.name, pair.back.name, pair.ratios());
        }
    }

    #[test]
    fn every_token_is_shown() {
        let tokens = Tokens::of_stylesheet();
        let shown: Vec<String> =
            tokens.scales().into_iter().flat_map(|(_, tokens)| tokens).map(|token| token.name).collect();
        let colors: Vec<String> = tokens.colors().into_iter().map(|color| color.name).collect();
        for token in &tokens.0 {
            let is_shown =
                shown.contains(&token.name) || colors.contains(&token.name) || token.name == "--font-mono";
            assert!(is_shown, "{} is not shown", token.name);
        }
        assert!(colors.len() > 15 && shown.len() > 30);
    }
}
