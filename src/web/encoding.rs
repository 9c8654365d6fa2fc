//! The encoding of an answer, which `Accept-Encoding` negotiates.

use http::{HeaderMap, header};

/// The encoding of an answer's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Brotli.
    Brotli,
    /// gzip.
    Gzip,
    /// Not compressed.
    Identity,
}

impl Encoding {
    /// Returns the encoding with the highest weight among those that the server has, and the earliest among equal
    /// weights. Without the header, it is the uncompressed form.
    pub fn best(request: &HeaderMap, available: &[Self]) -> Self {
        let accepted: Vec<(&str, f32)> = request
            .get_all(header::ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(parse_coding)
            .collect();
        let weight = |name: &str| {
            let named =
                |wanted: &str| accepted.iter().find(|(coding, _)| coding.eq_ignore_ascii_case(wanted));
            named(name).or_else(|| named("*")).map_or(0.0, |(_, weight)| *weight)
        };
        // Without a weight of its own, `identity` counts as 0 here: it is always acceptable, but never preferred.
        let mut best = (Self::Identity, weight("identity"));
        for encoding in available.iter().copied().rev() {
            let weight = encoding.name().map_or(0.0, weight);
            if weight > 0.0 && weight >= best.1 {
                best = (encoding, weight);
            }
        }
        best.0
    }

    /// Returns the value of `Content-Encoding`, or `None` for the uncompressed form.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }
}

/// Parses `gzip;q=0.8` to `("gzip", 0.8)`. An invalid weight counts as 0, which excludes the coding.
fn parse_coding(text: &str) -> Option<(&str, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let coding = parts.next().filter(|coding| !coding.is_empty())?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let valid = |text: &str| text.parse().ok().filter(|weight| (0.0..=1.0).contains(weight));
    Some((coding, weight.map_or(1.0, |text| valid(text).unwrap_or(0.0))))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::Encoding::{self, Brotli, Gzip, Identity};
    use super::*;

    fn best(accept: &'static str, available: &[Encoding]) -> Encoding {
        let value = HeaderValue::from_static(accept);
        Encoding::best(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)]), available)
    }

    #[test]
    fn the_encoding_with_the_highest_weight_is_chosen() {
        for (accept, of_both, of_gzip) in [
            ("gzip, deflate, br, zstd", Brotli, Gzip),
            ("gzip", Gzip, Gzip),
            ("GZIP", Gzip, Gzip),
            ("br", Brotli, Identity),
            ("br;q=0, gzip", Gzip, Gzip),
            ("br;q=0.5, gzip;q=0.8", Gzip, Gzip),
            ("br;q=0.8, gzip;q=0.5", Brotli, Gzip),
            ("*", Brotli, Gzip),
            ("*, br;q=0", Gzip, Gzip),
            ("*;q=0", Identity, Identity),
            ("br;q=0, gzip;q=0", Identity, Identity),
            ("br;q=0.2, identity", Identity, Identity),
            ("gzip;q=0.5, identity;q=0.4", Gzip, Gzip),
            ("gzip;q=0.5, identity;q=0.6", Identity, Identity),
            ("identity;q=0, gzip;q=0.1", Gzip, Gzip),
            ("gzip; q=1", Gzip, Gzip),
            ("gzip;q=much", Identity, Identity),
            ("gzip;q=7", Identity, Identity),
            ("gzip;q=nan", Identity, Identity),
            ("deflate", Identity, Identity),
            ("", Identity, Identity),
        ] {
            assert_eq!(best(accept, &[Brotli, Gzip]), of_both, "{accept}");
            assert_eq!(best(accept, &[Gzip]), of_gzip, "only gzip is available: {accept}");
        }
        assert_eq!(Encoding::best(&HeaderMap::new(), &[Brotli, Gzip]), Identity, "there is no header");
    }
}
