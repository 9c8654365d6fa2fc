//! The trace that a request belongs to (AWS X-Ray), taken from whoever sent it.

use http::HeaderMap;

/// The header, as "AWS X-Ray concepts: tracing header" has it.
pub const TRACE_HEADER: &str = "x-amzn-trace-id";

/// The longest header that is passed on. X-Ray's own have some hundred characters.
const LONGEST: usize = 512;

/// What a tracing header says: `Root=…;Parent=…;Sampled=…`. Visible ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceId(String);

impl TraceId {
    /// What the text says, if a header can hold it.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// What a request's headers say.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        Self::new(headers.get(TRACE_HEADER)?.to_str().ok()?)
    }

    /// The part that names the trace, by which X-Ray finds it.
    pub fn root(&self) -> Option<&str> {
        self.0.split(';').find_map(|part| part.strip_prefix("Root="))
    }

    /// All of what the header says.
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_visible_ascii_and_names_its_root() {
        let whole = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0";
        assert_eq!(TraceId::new(whole).unwrap().root(), Some("1-5bef4de7-ad49b0e87f6ef6c87fc2e700"));
        assert_eq!(TraceId::new("Self=1-2-3").unwrap().root(), None);
        for text in ["", "a b", "a\r\nb: c", "é", &"x".repeat(LONGEST + 1)] {
            assert_eq!(TraceId::new(text), None, "{text:?}");
        }
    }
}
