//! Small pictures of pages, and how much two of them differ.

use std::io::Cursor;
use std::path::Path;

use png::{BitDepth, ColorType, Compression, Transformations};

/// The difference of a channel, of 255, from which a pixel counts as changed. Smoothed edges of letters differ less.
const VISIBLE: u8 = 40;

/// Channels are stored in steps of this size, which makes the files small.
const STEP: u8 = 16;

/// A picture of RGB pixels, row by row from the top left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// Reads a PNG.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        decoder.set_transformations(Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().expect("the picture is a PNG");
        let size = reader.output_buffer_size().expect("the picture fits into memory");
        let mut buffer = vec![0; size];
        let frame = reader.next_frame(&mut buffer).expect("the picture is whole");
        let channels = frame.color_type.samples();
        assert!(channels >= 3, "the picture has colors");
        let pixels =
            buffer[..frame.buffer_size()].chunks(channels).map(|pixel| [pixel[0], pixel[1], pixel[2]]);
        Self { width: frame.width, height: frame.height, pixels: pixels.collect() }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The same with few colors.
    pub fn coarse(mut self) -> Self {
        let round =
            |channel: u8| u8::try_from((u16::from(channel) + 8) / 16 * 16).unwrap_or(u8::MAX) / STEP * STEP;
        for pixel in &mut self.pixels {
            *pixel = pixel.map(|channel| if channel >= 248 { u8::MAX } else { round(channel) });
        }
        self
    }

    /// Writes the picture as a PNG.
    pub fn save(&self, file: &Path) {
        std::fs::create_dir_all(file.parent().expect("a file is in a folder"))
            .expect("the folder can be made");
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::High);
        let mut writer = encoder.write_header().expect("memory takes everything");
        writer.write_image_data(self.pixels.as_flattened()).expect("the pixels fill the picture");
        writer.finish().expect("memory takes everything");
        std::fs::write(file, bytes).expect("the picture can be written");
    }

    /// The share of pixels that visibly differ: 1 if the widths differ. What only the taller picture has differs.
    pub fn difference(&self, other: &Self) -> f64 {
        if self.width != other.width {
            return 1.0;
        }
        let changed = self.pixels.iter().zip(&other.pixels).filter(|(one, other)| differ(**one, **other));
        let only_one = self.pixels.len().abs_diff(other.pixels.len());
        (changed.count() + only_one) as f64 / self.pixels.len().max(other.pixels.len()) as f64
    }

    /// This picture, the other, and this one in gray with what differs in red, side by side.
    pub fn beside(&self, other: &Self) -> Self {
        let height = self.height.max(other.height);
        let at = |picture: &Self, x: u32, y: u32| {
            let inside = x < picture.width && y < picture.height;
            inside.then(|| picture.pixels[(y * picture.width + x) as usize])
        };
        let marked = |x, y| match (at(self, x, y), at(other, x, y)) {
            (Some(one), Some(other)) if !differ(one, other) => {
                [one.into_iter().map(u16::from).sum::<u16>() as u8 / 6 + 85; 3]
            }
            _ => [220, 0, 0],
        };
        let width = self.width.max(other.width);
        let mut pixels = Vec::new();
        for y in 0..height {
            pixels.extend((0..width).map(|x| at(self, x, y).unwrap_or_default()));
            pixels.extend((0..width).map(|x| at(other, x, y).unwrap_or_default()));
            pixels.extend((0..width).map(|x| marked(x, y)));
        }
        Self { width: 3 * width, height, pixels }
    }
}

fn differ(one: [u8; 3], other: [u8; 3]) -> bool {
    one.into_iter().zip(other).any(|(one, other)| one.abs_diff(other) > VISIBLE)
}
