//! The name of a customer. Spreadsheets open files with this name, so it must not be a formula.

use crate::base::values::{Invalid, Name, text_type};

text_type!(
    /// A customer's name: a [`Name`] that no spreadsheet treats as a formula.
    CustomerName,
    |text| {
        let name: Name = text.parse()?;
        // Stored names are read with this rule too, so it is not as strict as that of cells, which are escaped anyway.
        if name.as_str().starts_with(['=', '+', '-', '@']) {
            return Err(Invalid::new(
                "A customer name can't begin with =, +, -, or @: a spreadsheet would run it as a formula.",
            ));
        }
        Ok(name.into())
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_a_formula_is_rejected() {
        for text in ["=HYPERLINK(\"x\")", "+1", " -2+3", "@SUM(A1)", "", "a\nb"] {
            let refused = text.parse::<CustomerName>().expect_err(text);
            assert!(refused.to_string().ends_with('.'), "{refused}");
        }
        for text in ["Acme Roofing", "3M", "A=B", "O'Dwyer - Sons"] {
            assert_eq!(text.parse::<CustomerName>().unwrap().as_str(), text);
        }
    }
}
