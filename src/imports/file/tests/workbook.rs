//! Tests of workbooks.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::*;

/// A packed file of an archive.
struct Packed {
    name: String,
    bytes: Vec<u8>,
    crc: u32,
    /// The unpacked size that the archive declares.
    size: u32,
}

fn packed(name: &str, content: &[u8]) -> Packed {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(content).unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let bytes = packer.finish().unwrap();
    Packed { name: name.to_owned(), bytes, crc: crc.sum(), size: content.len() as u32 }
}

/// A file of 65 MB that declares another size. Its checksum is at its end, and is never reached.
fn bomb(name: &str, size: u32) -> Packed {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(&vec![b' '; 1024 * 1024]).unwrap();
    packer.flush().unwrap();
    let bytes = packer.get_ref().repeat(65);
    Packed { name: name.to_owned(), bytes, crc: 0, size }
}

/// Makes a ZIP archive.
fn archive(files: &[Packed]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for Packed { name, bytes: packed, crc, size } in files {
        let mut fields = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0];
        fields.extend([crc.to_le_bytes(), (packed.len() as u32).to_le_bytes(), size.to_le_bytes()].concat());
        fields.extend((name.len() as u16).to_le_bytes());
        fields.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&fields);
        directory.extend([0; 10]);
        directory.extend((bytes.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        bytes.extend(b"PK\x03\x04");
        bytes.extend(fields);
        bytes.extend(name.as_bytes());
        bytes.extend(packed);
    }
    let (start, count) = (bytes.len() as u32, (files.len() as u16).to_le_bytes());
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count, count].concat());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const TEXTS: &str = "<si><t>Name</t></si><si><t>E-Mail</t></si><si><r><t xml:space=\"preserve\">Zoe </t></r><r><t>Lind</t></r></si>\
    <si><t xml:space=\"preserve\">a \"b\",\nc &amp; d</t></si>";

/// The files of a workbook: its table of texts, and each sheet with its attributes and rows.
fn book(texts: &str, sheets: &[(&str, &str)]) -> Vec<(String, String)> {
    let list = |part: &dyn Fn(usize) -> String| (1..=sheets.len()).map(part).collect::<String>();
    let names =
        list(&|n| format!("<sheet name=\"S{n}\" sheetId=\"{n}\" r:id=\"r{n}\" {}/>", sheets[n - 1].0));
    let targets = list(&|n| {
        format!(
            "<Relationship Id=\"r{n}\" Type=\"{RELATIONS}/worksheet\" Target=\"worksheets/sheet{n}.xml\"/>"
        )
    });
    let package = "http://schemas.openxmlformats.org/package/2006";
    let mut files = vec![
        ("[Content_Types].xml".to_owned(), format!("<Types xmlns=\"{package}/content-types\"></Types>")),
        (
            "_rels/.rels".to_owned(),
            format!(
                "<Relationships xmlns=\"{package}/relationships\"><Relationship Id=\"r1\" Type=\"{RELATIONS}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml".to_owned(),
            format!("<workbook xmlns=\"{MAIN}\" xmlns:r=\"{RELATIONS}\"><sheets>{names}</sheets></workbook>"),
        ),
        (
            "xl/_rels/workbook.xml.rels".to_owned(),
            format!("<Relationships xmlns=\"{package}/relationships\">{targets}</Relationships>"),
        ),
        // The formats of cells: none, a date, a duration, a percentage, a postal code.
        (
            "xl/styles.xml".to_owned(),
            format!(
                "<styleSheet xmlns=\"{MAIN}\"><numFmts><numFmt numFmtId=\"170\" formatCode=\"00000\"/></numFmts><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/><xf numFmtId=\"46\"/><xf numFmtId=\"9\"/><xf numFmtId=\"170\"/></cellXfs></styleSheet>"
            ),
        ),
        ("xl/sharedStrings.xml".to_owned(), texts.to_owned()),
    ];
    for (number, (_, rows)) in (1..).zip(sheets) {
        let sheet = format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData></worksheet>");
        files.push((format!("xl/worksheets/sheet{number}.xml"), sheet));
    }
    files
}

fn zipped(files: &[(String, String)]) -> Vec<u8> {
    let files: Vec<_> = files.iter().map(|(name, text)| packed(name, text.as_bytes())).collect();
    archive(&files)
}

fn workbook(sheets: &[(&str, &str)]) -> Vec<u8> {
    zipped(&book(&format!("<sst xmlns=\"{MAIN}\" count=\"9\" uniqueCount=\"4\">{TEXTS}</sst>"), sheets))
}

fn csv(file: &[u8]) -> Result<String, FileError> {
    Ok(String::from_utf8(csv_of(file)?.into_owned()).unwrap())
}

const HEADER: &str = "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" t=\"s\"><v>1</v></c></row>";

#[test]
fn a_workbook_becomes_csv_with_the_row_numbers_of_its_first_sheet_with_data() {
    let rows = format!(
        "{HEADER}<row r=\"3\"><c r=\"A3\" t=\"s\"><v>2</v></c>\
         <c r=\"B3\" t=\"inlineStr\"><is><t>zoe@example.com</t></is></c></row>"
    );
    let blank = "<row r=\"1\"><c r=\"A1\" s=\"1\"/><c r=\"B1\" t=\"inlineStr\"><is><t> </t></is></c></row>";
    let sheets = [("", blank), ("state=\"hidden\"", HEADER), ("", &*rows), ("", HEADER)];
    let file = workbook(&sheets);
    assert!(is_workbook(&file));
    let text = csv(&file).unwrap();
    assert_eq!(text, "sep=,\r\nName,E-Mail\r\n\r\nZoe Lind,zoe@example.com\r\n");
    let (head, rows) = rows_of(text.as_bytes());
    assert_eq!((head.headers.len(), rows[0].number), (2, 3));
    assert_eq!(csv(&workbook(&sheets[..2])).unwrap(), "sep=,\r\nName,E-Mail\r\n", "hidden sheets come last");
    assert_eq!(csv(&workbook(&sheets[..1])), Err(FileError::Empty));
    assert_eq!(csv_of(b"name,email\n").unwrap(), &b"name,email\n"[..], "other files stay as they are");
}

#[test]
fn every_kind_of_cell_becomes_its_value() {
    let cases = [
        ("<c r=\"B1\"><v>85</v></c>", ",85"),
        ("<c r=\"B1\"><v>85.0</v></c>", ",85"),
        ("<c r=\"B1\"><v>0.30000000000000004</v></c>", ",0.3"),
        ("<c r=\"B1\"><v>-7.25</v></c>", ",-7.25"),
        ("<c r=\"B1\"><v>13125550100</v></c>", ",13125550100"),
        ("<c r=\"B1\" s=\"1\"><v>46082</v></c>", ",2026-03-01"),
        ("<c r=\"B1\" s=\"1\"><v>46082.4375</v></c>", ",2026-03-01T10:30:00"),
        ("<c r=\"B1\" s=\"1\"><v>0.4375</v></c>", ",10:30:00"),
        ("<c r=\"B1\" s=\"2\"><v>1.5</v></c>", ",36:00:00"),
        ("<c r=\"B1\" s=\"3\"><v>0.85</v></c>", ",85%"),
        ("<c r=\"B1\" s=\"3\"><v>0.285</v></c>", ",28.5%"),
        ("<c r=\"B1\" s=\"4\"><v>7501</v></c>", ",07501"),
        ("<c r=\"B1\" t=\"d\"><v>2026-03-01</v></c>", ",2026-03-01"),
        ("<c r=\"B1\" t=\"b\"><v>1</v></c>", ",TRUE"),
        ("<c r=\"B1\" t=\"e\"><v>#N/A</v></c>", ",#N/A"),
        ("<c r=\"B1\"><f>A1+1</f><v>3</v></c>", ",3"),
        ("<c r=\"B1\" t=\"str\"><f>A1&amp;\"x\"</f><v>=a &lt; b</v></c>", ",=a < b"),
        ("<c r=\"B1\" t=\"s\"><v>3</v></c>", ",\"a \"\"b\"\",\nc & d\""),
        ("<c r=\"A1\"><v>1</v></c><c r=\"D1\"><v>2</v></c><c r=\"E1\"><v>3</v></c>", "1,,,2,3"),
    ];
    for (cells, line) in cases {
        let text = csv(&workbook(&[("", &format!("<row r=\"1\">{cells}</row>"))])).unwrap();
        assert_eq!(text, format!("sep=,\r\n{line}\r\n"), "{cells}");
    }
}

#[test]
fn an_archive_that_is_no_workbook_is_rejected() {
    let good = workbook(&[("", HEADER)]);
    assert!(csv(&good).is_ok());
    let mut corrupt = good.clone();
    let middle = good.len() / 2;
    corrupt[middle..middle + 60].fill(0x55);
    let late = "<row r=\"2\"><c r=\"A2\"><v>1</v></c></row><row r=\"1\"><c r=\"A1\"><v>1</v></c></row>";
    let far = "<row r=\"1\"><c r=\"XFE1\"><v>1</v></c></row>";
    let cases = [
        b"PK\x03\x04 nothing".to_vec(),
        good[..good.len() / 2].to_vec(),
        corrupt,
        archive(&[packed("contacts.csv", b"name,email\n")]),
        workbook(&[("", late)]),
        workbook(&[("", far)]),
        workbook(&[("", "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>99</v></c></row>")]),
    ];
    for (number, file) in cases.into_iter().enumerate() {
        assert_eq!(csv(&file), Err(FileError::Workbook), "{number}");
    }
    assert!(FileError::Workbook.to_string().contains("save it as .xlsx"));
    let large = [&good[..], &vec![0; 4 * 1024 * 1024]].concat();
    assert_eq!(csv(&large), Err(FileError::LargeWorkbook));
    assert!(FileError::LargeWorkbook.to_string().contains("at most 4 MB"));
}

#[test]
fn a_bomb_is_rejected_before_it_needs_memory() {
    let too_large = Err(FileError::LargeSheet);
    for name in ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"] {
        for size in [65 * 1024 * 1024, 9] {
            let file = archive(&[bomb(name, size)]);
            assert!(file.len() < 1024 * 1024);
            assert!(matches!(csv(&file), Err(FileError::LargeSheet | FileError::Workbook)), "{name}, {size}");
        }
    }
    let halves = [bomb("a.xml", 40 * 1024 * 1024), bomb("b.xml", 40 * 1024 * 1024)];
    assert!(csv(&archive(&halves)).is_err());
    // Many empty elements, one long text in many cells, a cell that is far away in many rows.
    let many = archive(&[packed("xl/styles.xml", &b"<xf/>".repeat(600_000))]);
    assert_eq!(csv(&many), too_large);
    let long = format!("<sst xmlns=\"{MAIN}\"><si><t>{}</t></si></sst>", "x".repeat(1_000_000));
    let rows: String =
        (1..60).map(|n| format!("<row r=\"{n}\"><c r=\"A{n}\" t=\"s\"><v>0</v></c></row>")).collect();
    assert_eq!(csv(&zipped(&book(&long, &[("", &rows)]))), too_large);
    let rows: String =
        (1..2000).map(|n| format!("<row r=\"{n}\"><c r=\"XFD{n}\"><v>1</v></c></row>")).collect();
    assert_eq!(csv(&workbook(&[("", &rows)])), too_large);
    // A count for which memory would be reserved.
    for count in ["99999999999", "5000000000000000000"] {
        for table in [
            format!("<sst xmlns=\"{MAIN}\" uniqueCount=\"{count}\">{TEXTS}</sst>"),
            format!("<sst uniqueCount =\n '{count}'>{TEXTS}</sst>"),
        ] {
            assert_eq!(csv(&zipped(&book(&table, &[("", HEADER)]))), Err(FileError::Workbook));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_workbook_is_read_or_rejected(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        in_sheet: bool,
    ) {
        let mut files = book(&format!("<sst>{TEXTS}</sst>"), &[("", HEADER)]);
        let mut packed = zipped(&files);
        for (at, byte) in changes {
            if in_sheet {
                let text = &mut files.last_mut().unwrap().1;
                let at = at.index(text.len());
                text.replace_range(at..=at, &char::from(byte & 0x7f).to_string());
            } else {
                let at = at.index(packed.len());
                packed[at] = byte;
            }
        }
        let file = if in_sheet { zipped(&files) } else { packed };
        let _ = csv_of(&file);
    }
}
