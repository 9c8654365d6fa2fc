use super::*;

const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

fn one(line: &str) -> Result<Row, RetailError> {
    let file = format!("{HEADER}{line}\n");
    rows(file.as_bytes())?.next().unwrap().map(|(row, read)| {
        assert_eq!(row, 2);
        read
    })
}

fn change(line: &str) -> (String, Kind, u64, String, Option<String>) {
    match one(line) {
        Ok(Row::Product(Change { sku, kind, quantity, reference, name, .. })) => {
            let name = name.map(|name| name.to_string());
            (sku.to_string(), kind, quantity.get(), reference.unwrap().to_string(), name)
        }
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn sales_returns_and_corrections_get_the_right_kind() {
    let fields = |kind, quantity, reference: &str, name: Option<&str>| {
        ("15056BL".to_owned(), kind, quantity, reference.to_owned(), name.map(str::to_owned))
    };
    for (line, expected) in [
        (
            "536365,15056bl, RED  EGG ,6,2010-12-01 08:26:00,2.55,17850.0,UK",
            fields(Kind::Sale, 6, "536365", Some("RED EGG")),
        ),
        (
            "C536379,15056BL,EGG,-1,2010-12-01 09:41:00,2.55,14527.0,UK",
            fields(Kind::Return, 1, "C536379", Some("EGG")),
        ),
        ("536589,15056BL,,-10,2010-12-01 16:50:00,0.0,,UK", fields(Kind::Sale, 10, "write-off 536589", None)),
        (
            "536414,15056BL,amazon,56,2010-12-01 11:52:00,0.0,,UK",
            fields(Kind::Receipt, 56, "found 536414", None),
        ),
        ("537197,15056BL,EGG,1,2010-12-05 14:02:00,0.0,12647.0,UK", fields(Kind::Sale, 1, "537197", None)),
    ] {
        assert_eq!(change(line), expected, "{line}");
    }
}

#[test]
fn postage_and_fees_are_not_products() {
    for code in [
        "POST",
        "DOT",
        "M",
        "D",
        "C2",
        "S",
        "AMAZONFEE",
        "BANK CHARGES",
        "PADS",
        "gift_0001_20",
        "8512",
        "85123ABC",
        "8512é",
    ] {
        let line = format!("536365,{code},WHITE,6,2010-12-01 08:26:00,2.55,17850.0,UK");
        assert_eq!(one(&line), Ok(Row::NoProduct(code.to_ascii_uppercase())), "{code}");
    }
}

#[test]
fn times_are_local_to_the_shop() {
    for (text, moment) in [
        ("2010-12-01 08:26:00", "2010-12-01T08:26:00Z"),
        ("2011-07-01 08:26:00", "2011-07-01T07:26:00Z"),
        ("12/1/2010 8:26", "2010-12-01T08:26:00Z"),
        ("12/1/10 8:26", "2010-12-01T08:26:00Z"),
        ("12/13/10 9:10:30", "2010-12-13T09:10:30Z"),
        ("7/4/99 2:05 PM", "1999-07-04T13:05:00Z"),
        ("12/1/2010", "2010-12-01T00:00:00Z"),
        ("2009-12-01T07:45:00", "2009-12-01T07:45:00Z"),
        ("2009-12-01 07:45", "2009-12-01T07:45:00Z"),
        ("2009-12-01", "2009-12-01T00:00:00Z"),
        ("2009-07-01T07:45:00+02:00", "2009-07-01T05:45:00Z"),
        ("2009-07-01T07:45:00Z", "2009-07-01T07:45:00Z"),
    ] {
        assert_eq!(super::moment(text), moment.parse().ok(), "{text}");
    }
    for text in
        ["12/1/010 8:26", "12/1/1 8:26", "10-12-01 08:26:00", "13/1/2010 8:26", "2/30/10 8:26", "8:26", ""]
    {
        assert_eq!(super::moment(text), None, "{text}");
    }
}

#[test]
fn the_columns_of_online_retail_two_are_recognized() {
    let file = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n\
                489001,85048,GLASS BALL,12,2009-12-01 07:45:00,6.95,13085,United Kingdom\n";
    let (row, read) = rows(file.as_bytes()).unwrap().next().unwrap().unwrap();
    let Row::Product(change) = read else { panic!("{read:?}") };
    assert_eq!((row, change.sku.as_str(), change.kind, change.quantity.get()), (2, "85048", Kind::Sale, 12));
    assert_eq!(change.at, "2009-12-01T07:45:00Z".parse().unwrap());
}

#[test]
fn a_windows_1252_file_is_decoded() {
    let mut file = HEADER.as_bytes().to_vec();
    file.extend_from_slice(b"536365,85123A,CAF\xc9 \x80 TIN,6,2010-12-01 08:26:00,2.55,17850.0,UK\n");
    let (_, read) = rows(file.as_slice()).unwrap().next().unwrap().unwrap();
    let Row::Product(change) = read else { panic!("{read:?}") };
    assert_eq!(change.name.unwrap().as_str(), "CAFÉ € TIN");
}

#[test]
fn an_error_names_its_row() {
    for (line, words) in [
        ("536365,85123A,WHITE,six,2010-12-01 08:26:00,2.55,17850.0,UK", "Quantity"),
        ("536365,85123A,WHITE,0,2010-12-01 08:26:00,2.55,17850.0,UK", "Quantity"),
        ("536365,85123A,WHITE,6,yesterday,2.55,17850.0,UK", "InvoiceDate"),
        ("536365,85123A,WHITE,6,2010-12-01 08:26:00,,17850.0,UK", "UnitPrice"),
        ("536365,85123A", "Quantity"),
    ] {
        let error = one(line).unwrap_err().to_string();
        assert!(error.starts_with("row 2: ") && error.contains(words), "{line}: {error}");
    }
    assert_eq!(rows("name,email\n".as_bytes()).err(), Some(RetailError::Header("InvoiceNo")));
}

#[test]
fn the_opening_stock_covers_all_sales_in_any_order_of_files() {
    let one = format!(
        "{HEADER}536365,85123A,WHITE HEART,6,2010-12-01 08:26:00,2.55,17850.0,UK\n\
         536366,POST,POSTAGE,1,2010-12-01 08:28:00,18.0,17850.0,UK\n"
    );
    let other = format!(
        "{HEADER}536589,85123a,?,-10,2010-12-02 16:50:00,0.0,,UK\n\
         C536379,85123A,OTHER NAME,-1,2010-12-02 09:41:00,2.55,14527.0,UK\n"
    );
    let survey = |files: &[&String]| {
        let mut survey = Survey::default();
        for file in files {
            survey.add(&digest_of(file.as_bytes()).unwrap(), file.as_bytes()).unwrap();
        }
        survey
    };
    let both = survey(&[&one, &other]);
    assert_eq!(both, survey(&[&other, &one, &one]));
    assert_eq!((both.rows, both.products(), both.skipped["POST"]), (4, 1, 1));
    let sku = "85123A".parse().unwrap();
    let opening = both.opening(&sku).unwrap();
    assert_eq!((opening.kind, opening.quantity.get()), (Kind::Count, 16));
    assert_eq!(opening.occurred_at.to_string(), "2010-12-01T08:25:00Z");
    assert_eq!(opening.name.unwrap().as_str(), "WHITE HEART");
    assert_ne!(opening.message_id, survey(&[&one]).opening(&sku).unwrap().message_id, "another set of files");
    assert_eq!(both.opening(&"X".parse().unwrap()), None);
}
