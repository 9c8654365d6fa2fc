//! QR codes as SVG.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};

/// The empty margin around a QR code, in modules, which scanners need.
const MARGIN: i32 = 4;

/// Draws a text as a QR code: an SVG element without styles and ids, with a title for people who do not see it. Returns
/// `None` if the text is too long, which means more than 2 KB.
pub fn qr_svg(text: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let size = code.size() + 2 * MARGIN;
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let length =
                (x..code.size()).take_while(|x| code.get_module(*x, y)).fold(0, |length, _| length + 1);
            if length > 0 {
                // Writing to a text does not fail.
                let _ = write!(path, "M{} {}h{length}v1h-{length}z", x + MARGIN, y + MARGIN);
            }
            x += length + 1;
        }
    }
    // The background is part of the image, because scanners need dark modules on a light ground in a dark theme too.
    Some(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" class="qr" viewBox="0 0 {size} {size}" role="img" aria-label="{TITLE}" shape-rendering="crispEdges"><title>{TITLE}</title><rect width="{size}" height="{size}" fill="#fff"/><path fill="#000" d="{path}"/></svg>"##
    ))
}

const TITLE: &str = "QR code for your authenticator app";

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str =
        "otpauth://totp/Holdfast:ann%40example%2Ecom?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Holdfast";

    /// Reads the modules back from the path.
    fn modules(svg: &str) -> Vec<(i32, i32)> {
        let (_, path) = svg.split_once(" d=\"").unwrap();
        let (path, _) = path.split_once('"').unwrap();
        let mut dark = Vec::new();
        for run in path.split('M').skip(1) {
            let (start, rest) = run.split_once('h').unwrap();
            let (x, y) = start.split_once(' ').unwrap();
            let (length, rest) = rest.split_once('v').unwrap();
            assert_eq!(rest, format!("1h-{length}z"));
            let (x, y): (i32, i32) = (x.parse().unwrap(), y.parse().unwrap());
            dark.extend((0..length.parse().unwrap()).map(|step| (x + step - MARGIN, y - MARGIN)));
        }
        dark
    }

    #[test]
    fn the_image_shows_every_module_of_the_code() {
        let svg = qr_svg(URI).unwrap();
        let code = QrCode::encode_text(URI, QrCodeEcc::Medium).unwrap();
        let size = 0..code.size();
        let expected: Vec<_> = size
            .clone()
            .flat_map(|y| size.clone().map(move |x| (x, y)))
            .filter(|(x, y)| code.get_module(*x, *y))
            .collect();
        assert_eq!(modules(&svg), expected);
        assert!(svg.contains(&format!("viewBox=\"0 0 {0} {0}\"", code.size() + 8)));
    }

    #[test]
    fn the_image_has_a_title_and_no_style_and_does_not_repeat_the_text() {
        let svg = qr_svg(URI).unwrap();
        assert!(svg.contains("role=\"img\"") && svg.contains("<title>QR code for"), "{svg}");
        assert!(!svg.contains("style") && !svg.contains("otpauth") && !svg.contains("GEZD"), "{svg}");
    }

    #[test]
    fn a_text_that_is_too_long_has_no_image() {
        assert!(qr_svg(&"x".repeat(2_000)).is_some());
        assert_eq!(qr_svg(&"x".repeat(3_000)), None);
    }
}
