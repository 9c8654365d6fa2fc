//! The headers that known products write in Spanish, German and French.

use super::{guess, strings};
use crate::imports::mapping::{Field, Mapping};

mod french;
mod german;
mod spanish;

/// Headers with the slugs of their meanings.
type Case = (&'static str, &'static [(&'static str, &'static str)]);

fn check(cases: &[Case]) {
    for (product, columns) in cases {
        let (headers, slugs): (Vec<&str>, Vec<&str>) = columns.iter().copied().unzip();
        assert_eq!(guess(&headers), slugs, "{product}: {headers:?}");
    }
}

#[test]
fn the_usual_address_comes_before_another() {
    let best = |headers: &[&str], field: Field| {
        let mapping = Mapping::guess(&strings(headers));
        mapping.columns_of(field).map(|(at, _)| at).collect::<Vec<_>>()
    };
    assert_eq!(best(&["Estado de envío", "Estado de facturación", "Estado"], Field::State), [2, 1, 0]);
    assert_eq!(best(&["Nombre (envío)", "Nombre (facturación)", "Apellidos"], Field::FirstName), [1, 0]);
    assert_eq!(best(&["Otro correo", "Correo de trabajo", "Correo"], Field::Email), [2, 1, 0]);
    assert_eq!(best(&["Adresse 2 (Land)", "Adresse 1 (Land)"], Field::Country), [1, 0]);
}

#[test]
fn two_columns_that_may_be_the_whole_name_are_its_parts_only_together() {
    for header in ["Nombre / Apellido", "Name, Vorname", "Nom Prénom", "Nom / Prénom", "Nombre"] {
        assert_eq!(guess(&[header]), ["full-name"], "{header}");
    }
    assert_eq!(guess(&["Nombre / Nombre", "Nombre / Apellido"]), ["first-name", "last-name"]);
}
