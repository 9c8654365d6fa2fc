//! Compresses stored items.
//!
//! Items are small and similar: they share attribute names, ids and timestamps. A dictionary that contains
//! the shared parts makes compression effective. A compressed item starts with a zero byte. An uncompressed
//! item starts with the length of its first attribute name, which is never zero. The zero byte is followed by
//! the number of the dictionary and a Zstandard frame without its first four bytes, which are always the
//! same. Items that compression would not shrink are stored uncompressed.
//!
//! A dictionary is part of the file format and never changes. A better dictionary gets the next number, and
//! the old ones remain so that old items can be read. The last test in this file shows how [`DICTIONARY`] was
//! made.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::LazyLock;

use zstd_safe::{CCtx, CDict, CParameter, DCtx, DDict};

use super::Damaged;

/// The first byte of a compressed item.
const COMPRESSED: u8 = 0;
const NUMBER: u8 = 1;
/// The parts that most items share.
const DICTIONARY: &[u8] = include_bytes!("items-1.dictionary");
/// The compression level. Higher levels save 1% more and take twice as long.
const LEVEL: i32 = 3;
/// The minimum length of a compressed item. Compression does not shrink shorter items.
const SHORTEST: usize = 48;
/// The maximum length of an item: DynamoDB's limit plus a margin for the encoding.
const LONGEST: usize = 2 * 1024 * 1024;
/// The first bytes of every frame (RFC 8878, section 3.1.1).
const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

static COMPRESSION: LazyLock<CDict<'static>> = LazyLock::new(|| CDict::create(DICTIONARY, LEVEL));
static DECOMPRESSION: LazyLock<DDict<'static>> = LazyLock::new(|| DDict::create(DICTIONARY));

thread_local! {
    static COMPRESSOR: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

pub fn compress(item: &[u8]) -> Cow<'_, [u8]> {
    if !(SHORTEST..=LONGEST).contains(&item.len()) {
        return Cow::Borrowed(item);
    }
    let compressed = COMPRESSOR.with_borrow_mut(|context| {
        let context = match context {
            Some(context) => context,
            None => context.insert(compressor()?),
        };
        let mut frame = Vec::with_capacity(zstd_safe::compress_bound(item.len()));
        context.compress2(&mut frame, item).ok()?;
        Some([&[COMPRESSED, NUMBER], frame.get(MAGIC.len()..)?].concat())
    });
    match compressed {
        Some(compressed) if compressed.len() < item.len() => Cow::Owned(compressed),
        _ => Cow::Borrowed(item),
    }
}

/// Creates a context whose frames omit the dictionary id and the checksum. Returns `None` if memory is
/// exhausted.
fn compressor() -> Option<CCtx<'static>> {
    let mut context = CCtx::try_create()?;
    for parameter in [CParameter::DictIdFlag(false), CParameter::ChecksumFlag(false)] {
        context.set_parameter(parameter).ok()?;
    }
    context.ref_cdict(&COMPRESSION).ok()?;
    Some(context)
}

/// Restores an item from the output of [`compress`].
pub fn decompress(stored: &[u8]) -> Result<Cow<'_, [u8]>, Damaged> {
    let frame = match stored {
        [COMPRESSED, NUMBER, frame @ ..] => [&MAGIC, frame].concat(),
        [COMPRESSED, ..] => return Err(Damaged),
        item => return Ok(Cow::Borrowed(item)),
    };
    let length = zstd_safe::get_frame_content_size(&frame).map_err(|_| Damaged)?.ok_or(Damaged)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= LONGEST).ok_or(Damaged)?;
    let mut item = Vec::with_capacity(length);
    DECOMPRESSOR.with_borrow_mut(|context| {
        let context = match context {
            Some(context) => context,
            None => context.insert(DCtx::try_create().ok_or(Damaged)?),
        };
        context.decompress_using_ddict(&mut item, &frame, &DECOMPRESSION).map_err(|_| Damaged)
    })?;
    if item.len() == length { Ok(Cow::Owned(item)) } else { Err(Damaged) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aws_sdk_dynamodb::types::AttributeValue;
    use proptest::prelude::*;

    use super::super::{Attributes, encode_item};
    use super::*;

    fn lead() -> Vec<u8> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let id = "01a2026b-c5cf-79f7-872a-da997d57c0da";
        let item: Attributes = [
            ("pk", text(&format!("LEAD#{id}"))),
            ("sk", text("LEAD")),
            ("id", text(id)),
            ("name", text("Ann Lee")),
            ("email", text("ann.lee@example.com")),
            ("state", text("NY")),
            ("status", text("PROSPECT")),
            ("stock", text("UNASSIGNED")),
            ("version", AttributeValue::N("1".to_owned())),
            ("createdAt", text("2026-11-22T08:42:27.123456789Z")),
            ("updatedAt", text("2026-11-22T08:42:27.123456789Z")),
            ("listAll", text("LEADS")),
            ("sortNewest", text(id)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        encode_item(&item).unwrap()
    }

    #[test]
    fn a_compressed_lead_is_less_than_half_the_size_and_decompresses() {
        let item = lead();
        let stored = compress(&item);
        assert!(stored.len() * 2 < item.len(), "{} of {} bytes", stored.len(), item.len());
        assert_eq!(decompress(&stored).unwrap(), item);
    }

    #[test]
    fn an_item_that_compression_would_not_shrink_is_stored_uncompressed() {
        assert_eq!(compress(b"\x02pk\x02\x01a"), Cow::Borrowed(b"\x02pk\x02\x01a"));
    }

    #[test]
    fn damaged_bytes_are_rejected() {
        let stored = compress(&lead()).into_owned();
        let mut other_dictionary = stored.clone();
        other_dictionary[1] = NUMBER + 1;
        for damaged in [&stored[..stored.len() - 1], &stored[..2], &stored[..1], &other_dictionary] {
            assert_eq!(decompress(damaged), Err(Damaged));
        }
        // A single-segment frame whose eight length bytes claim a size of one terabyte.
        let huge = [&[COMPRESSED, NUMBER, 0xE0][..], &(1_u64 << 40).to_le_bytes()].concat();
        assert_eq!(decompress(&huge), Err(Damaged));
    }

    proptest! {
        #[test]
        fn every_item_decompresses_to_itself(name in "[a-zA-Z]{1,20}", value in ".{0,2000}", times in 1..20_usize) {
            let value = AttributeValue::S(value.repeat(times));
            let item = encode_item(&Attributes::from([(name, value)])).unwrap();
            let stored = compress(&item);
            prop_assert_eq!(decompress(&stored).unwrap(), &item[..]);
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decompress(&[&[COMPRESSED, NUMBER], &bytes[..]].concat());
        }
    }

    /// Returns distinct items, each a lead.
    fn leads() -> Vec<Vec<u8>> {
        let lead = |number: u32| {
            let mut item = lead();
            // The last bytes of the item are part of the id.
            let end = item.len() - 1;
            for (byte, digit) in item[end - 8..end].iter_mut().zip(format!("{number:08}").bytes()) {
                *byte = digit;
            }
            item
        };
        (0..2_000).map(lead).collect()
    }

    /// Reads the items of a data file.
    fn items_of(file: &Path) -> Vec<Vec<u8>> {
        let connection = rusqlite::Connection::open(file).unwrap();
        let mut statement = connection.prepare("SELECT value FROM items").unwrap();
        let values = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        values.map(|value| decompress(&value.unwrap()[4..]).unwrap().into_owned()).collect()
    }

    /// Shows how a dictionary is made. `HOLDFAST_DICTIONARY_DATA` is the path of a data file to train with.
    /// Its leads, orders and messages must be invented. `HOLDFAST_DICTIONARY` is the path of the new
    /// dictionary, which gets the next number.
    #[test]
    fn a_trained_dictionary_improves_compression() {
        const SIZE: usize = 6 * 1024;
        let path = |name: &str| std::env::var_os(name).map(std::path::PathBuf::from);
        let items = path("HOLDFAST_DICTIONARY_DATA").map_or_else(leads, |file| items_of(&file));
        let lengths: Vec<usize> = items.iter().map(Vec::len).collect();
        let mut dictionary = Vec::with_capacity(SIZE);
        zstd_safe::train_from_buffer(&mut dictionary, &items.concat(), &lengths).unwrap();
        let mut context = CCtx::create();
        let mut length = |dictionary: &[u8]| {
            let mut frame = Vec::with_capacity(zstd_safe::compress_bound(items[0].len()));
            context.compress_using_dict(&mut frame, &items[0], dictionary, LEVEL).unwrap()
        };
        assert!(length(&dictionary) * 2 < length(&[]));
        if let Some(path) = path("HOLDFAST_DICTIONARY") {
            std::fs::write(path, dictionary).unwrap();
        }
    }
}
