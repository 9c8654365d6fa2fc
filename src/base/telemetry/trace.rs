//! The trace of a request (AWS X-Ray), read from the request's headers.

use http::HeaderMap;

/// The tracing header (source: "AWS X-Ray concepts: tracing header").
pub const TRACE_HEADER: &str = "x-amzn-trace-id";

/// The longest header that is forwarded, in bytes. X-Ray's own headers have about a hundred.
const LONGEST: usize = 512;

/// The content of a tracing header: `Root=…;Parent=…;Sampled=…`, in visible ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceId(String);

impl TraceId {
    /// Creates a trace from text, if a header can contain it.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// Reads the trace from a request's headers.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        Self::new(headers.get(TRACE_HEADER)?.to_str().ok()?)
    }

    /// Returns the trace's id, by which X-Ray finds it.
    pub fn root(&self) -> Option<&str> {
        self.0.split(';').find_map(|part| part.strip_prefix("Root="))
    }

    /// Returns the whole content of the header.
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_printable_ascii_and_names_its_root() {
        let whole = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0";
        assert_eq!(TraceId::new(whole).unwrap().root(), Some("1-5bef4de7-ad49b0e87f6ef6c87fc2e700"));
        assert_eq!(TraceId::new("Self=1-2-3").unwrap().root(), None);
        for text in ["", "a b", "a\r\nb: c", "é", &"x".repeat(LONGEST + 1)] {
            assert_eq!(TraceId::new(text), None, "{text:?}");
        }
    }
}
