//! The theme of pages: that of the system, light or dark.
//!
//! A cookie keeps it, because it belongs to a browser and also applies before signing in. The server writes it into
//! every page, so a page never appears in the other theme first.

use http::HeaderMap;

use super::request::cookies_named;
use crate::base::values::text_enum;

/// The name of the cookie, which no other application on the host uses.
const COOKIE: &str = "holdfast-theme";

/// How long the cookie is kept, in seconds: a year.
const MAX_AGE: u32 = 31_536_000;

text_enum! {
    /// A theme. Its text is its name in forms, in the cookie and in the stylesheet.
    #[derive(Default)]
    pub enum Theme, exact, "A theme is system, light, or dark.";
    /// That of the system.
    #[default]
    System = "system",
    /// Always light.
    Light = "light",
    /// Always dark.
    Dark = "dark",
}

impl Theme {
    /// Returns the theme that a browser asks for. An unknown value is skipped.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut named = cookies_named(headers, COOKIE).filter_map(|value| value.parse::<Self>().ok());
        named.find(|theme| *theme != Self::System).unwrap_or_default()
    }

    /// Returns the name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    /// Returns the name if the theme does not follow the system.
    pub fn fixed(self) -> Option<&'static str> {
        (self != Self::System).then(|| self.as_str())
    }

    /// Returns the color schemes that pages support: the value of CSS's `color-scheme`.
    pub fn color_scheme(self) -> &'static str {
        self.fixed().unwrap_or("light dark")
    }

    /// Returns all themes, each with whether it is this one.
    pub fn choices(self) -> [(Self, bool); 3] {
        Self::ALL.map(|theme| (theme, theme == self))
    }

    /// Returns the `Set-Cookie` that keeps the theme under a prefix of paths. The script of pages reads the cookie.
    pub fn cookie(self, base: &str, secure: bool) -> String {
        let path = if base.is_empty() { "/" } else { base };
        let age = if self == Self::System { 0 } else { MAX_AGE };
        let secure = if secure { "; Secure" } else { "" };
        format!("{COOKIE}={}; Path={path}; Max-Age={age}; SameSite=Lax{secure}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;

    #[test]
    fn the_theme_is_that_of_the_cookie_or_the_systems() {
        for (cookie, theme) in [
            ("holdfast-theme=dark", Theme::Dark),
            ("holdfast=abc; holdfast-theme=light", Theme::Light),
            ("holdfast-theme=system", Theme::System),
            ("holdfast-theme=blue; holdfast-theme=dark", Theme::Dark),
            ("holdfast-theme=\"><script>", Theme::System),
            ("holdfast-themes=dark", Theme::System),
            ("theme=dark", Theme::System),
            ("", Theme::System),
        ] {
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(cookie))]);
            assert_eq!(Theme::of(&headers), theme, "{cookie}");
        }
    }

    #[test]
    fn the_cookie_is_sent_to_the_application_only() {
        let dark = "holdfast-theme=dark; Path=/; Max-Age=31536000; SameSite=Lax";
        assert_eq!(Theme::Dark.cookie("", false), dark);
        let light = "holdfast-theme=light; Path=/prod; Max-Age=31536000; SameSite=Lax; Secure";
        assert_eq!(Theme::Light.cookie("/prod", true), light);
        let system = "holdfast-theme=system; Path=/; Max-Age=0; SameSite=Lax";
        assert_eq!(Theme::System.cookie("", false), system);
    }
}
