//! Finds the fields, forms and links of a page, as a browser would send and follow them.

/// The value of the hidden field with this name.
pub fn hidden(html: &str, name: &str) -> String {
    let (_, rest) = html.split_once(&format!("name=\"{name}\" value=\"")).expect("the field is there");
    unescaped(rest.split_once('"').expect("it ends").0)
}

/// The value of the hidden field with this name, in the form with this id.
pub fn hidden_in(html: &str, form: &str, name: &str) -> String {
    let (_, rest) = html.split_once(&format!("id=\"{form}\"")).expect("the form is there");
    hidden(rest, name)
}

/// The value of the first field with this name, of any kind.
pub fn field(html: &str, name: &str) -> String {
    let (_, rest) = html.split_once(&format!("name=\"{name}\"")).expect("the field is there");
    attribute(rest, "value")
}

/// The value of the first attribute with this name.
pub fn attribute(tag: &str, name: &str) -> String {
    let value = tag.split_once(&format!("{name}=\"")).expect("the attribute is there").1;
    unescaped(value.split_once('"').expect("it ends").0)
}

fn unescaped(text: &str) -> String {
    let escapes = [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")];
    escapes.iter().fold(text.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
}

/// The inputs and hidden fields of the last form in an answer, as a browser would send them.
pub fn sent_by(html: &str) -> Vec<(String, String)> {
    let (_, form) = html.rsplit_once("<form").expect("a form");
    form.split("<input ")
        .skip(1)
        .map(|input| input.split_once('>').expect("an input ends").0)
        .filter(|input| !input.contains("type=\"radio\""))
        .map(|input| (attribute(input, "name"), attribute(input, "value")))
        .collect()
}

/// The address of the first link whose address contains this text.
pub fn link<'a>(html: &'a str, words: &str) -> &'a str {
    let mut links = html.split("href=\"").skip(1).filter_map(|link| Some(link.split_once('"')?.0));
    links.find(|address| address.contains(words)).expect("such a link")
}

/// The page has an error beside these fields, and beside no other of `fields`.
#[track_caller]
pub fn assert_errors(html: &str, fields: &[&str], wrong: &[&str]) {
    for field in fields {
        let has_error = html.contains(&format!("id=\"{field}-error\""));
        assert_eq!(has_error, wrong.contains(field), "{field}: {html}");
    }
}

/// The button of a form is in a closed element that a person opens first, without JavaScript too.
#[track_caller]
pub fn assert_asks(html: &str, action: &str) {
    let forms: Vec<_> = html.match_indices("<form").collect();
    let sends =
        |at: usize| html[at..].split_once('>').is_some_and(|(tag, _)| tag.contains(&format!("{action}\"")));
    let forms: Vec<_> = forms.into_iter().filter(|(at, _)| sends(*at)).collect();
    assert!(!forms.is_empty(), "no form sends {action}: {html}");
    for (at, _) in forms {
        assert_closed(&html[..at], 1, action);
    }
}

/// A page up to a control ends inside this number of elements that a person opens, of which the innermost is closed.
#[track_caller]
pub fn assert_closed(before: &str, depth: usize, control: &str) {
    let opened = before.matches("<details").count() - before.matches("</details>").count();
    assert_eq!(opened, depth, "{control} does not ask: {before}");
    let (_, asking) = before.rsplit_once("<details").expect("it is inside");
    assert!(!asking.split_once('>').expect("it ends").0.contains(" open"), "{control} is open");
}
