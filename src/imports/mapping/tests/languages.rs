//! The headers that known products write in Spanish, German and French.

use super::{guess, strings};
use crate::imports::mapping::{Field, Mapping};

/// Headers with the slugs of their meanings.
type Case = (&'static str, &'static [(&'static str, &'static str)]);

fn check(cases: &[Case]) {
    for (product, columns) in cases {
        let (headers, slugs): (Vec<&str>, Vec<&str>) = columns.iter().copied().unzip();
        assert_eq!(guess(&headers), slugs, "{product}: {headers:?}");
    }
}

#[test]
fn products_in_spanish() {
    check(&[
        (
            "Salesforce",
            &[
                ("Nombre", "first-name"),
                ("Apellidos", "last-name"),
                ("Compañía", "company"),
                ("Correo electrónico", "email"),
                ("Estado o provincia", "state"),
                ("País", "country"),
                ("Estado del candidato", "status"),
                ("Origen del candidato", "source"),
                ("Propietario del candidato", "owner"),
            ],
        ),
        (
            "Salesforce, contacts",
            &[
                ("Estado/Provincia de facturación", "state"),
                ("País de facturación", "country"),
                ("Estado de envío", "state"),
                ("País de envío", "country"),
            ],
        ),
        (
            "HubSpot",
            &[
                ("Correo", "email"),
                ("Número de teléfono", "phone"),
                ("Estado/región", "state"),
                ("País/región", "country"),
                ("Etapa del ciclo de vida", "status"),
                ("Propietario del contacto", "owner"),
                ("Nombre de la empresa", "company"),
            ],
        ),
        ("Zoho", &[("Estado de Posible cliente", "status"), ("Fuente de Posible cliente", "source")]),
        (
            "Pipedrive",
            &[
                ("Persona - Nombre", "full-name"),
                ("Persona - Correo electrónico - Trabajo", "email"),
                ("Persona - Correo electrónico - Casa", "email"),
                ("Persona - Teléfono - Móvil", "phone"),
                ("Persona - Organización", "company"),
                ("Persona - Estado/condado de Dirección postal", "state"),
                ("Persona - País de Dirección postal", "country"),
            ],
        ),
        (
            "Dynamics",
            &[
                ("(No modificar) Cliente potencial", "keep"),
                ("Nombre completo", "full-name"),
                ("Dirección 1: Estado o provincia", "state"),
                ("Dirección 1: País o región", "country"),
                ("Razón para el estado", "status"),
            ],
        ),
        (
            "SuiteCRM",
            &[
                ("Estado/Provincia de Dirección Principal", "state"),
                ("País de Dirección Principal", "country"),
                ("Dirección alternativa - Estado", "state"),
                ("Dirección alternativa - País", "country"),
            ],
        ),
        ("EspoCRM", &[("Dirección Estado", "state"), ("Dirección País", "country")]),
        (
            "Odoo",
            &[
                ("Nombre del contacto", "full-name"),
                ("Nombre de la compañía", "company"),
                ("Comercial", "owner"),
            ],
        ),
        (
            "Twenty",
            &[
                ("Nombre / Nombre", "first-name"),
                ("Nombre / Apellido", "last-name"),
                ("Correos electrónicos / Correo electrónico principal", "email"),
                ("Teléfonos / Número de teléfono principal", "phone"),
                ("Empresa / Nombre", "company"),
            ],
        ),
        (
            "Krayin",
            &[("Nombre", "full-name"), ("Correos electrónicos", "email"), ("Números de contacto", "phone")],
        ),
        (
            "Google",
            &[
                ("Nombre", "first-name"),
                ("Apellido", "last-name"),
                ("Correo electrónico 1 - Etiqueta", "keep"),
                ("Correo electrónico 1 - Valor", "email"),
                ("Teléfono 1 - Valor", "phone"),
                ("Organización 1 - Nombre", "company"),
                ("Dirección 1 - Región", "state"),
                ("Dirección 1 - País", "country"),
                ("Dirección 1 - Ciudad", "keep"),
            ],
        ),
        (
            "Outlook",
            &[
                ("Provincia o estado de domicilio", "state"),
                ("Provincia o estado del domicilio", "state"),
                ("País o región del domicilio", "country"),
                ("Provincia o estado de trabajo", "state"),
                ("País o región de trabajo", "country"),
                ("Teléfono particular", "phone"),
                ("Teléfono del trabajo", "phone"),
                ("Fax del trabajo", "keep"),
            ],
        ),
        ("Mailchimp", &[("Dirección de correo electrónico", "email"), ("Número de teléfono", "phone")]),
        (
            "Constant Contact",
            &[("Estado - Casa", "state"), ("País - Casa", "country"), ("Estado - Trabajo", "state")],
        ),
        (
            "Facebook",
            &[
                ("correo_electrónico", "email"),
                ("correo_electrónico_laboral", "email"),
                ("nombre_completo", "full-name"),
                ("número_de_teléfono", "phone"),
                ("país", "country"),
                ("provincia", "state"),
            ],
        ),
        ("LinkedIn", &[("Correo electrónico profesional", "email"), ("País/región", "country")]),
        (
            "WooCommerce",
            &[
                ("Nombre (facturación)", "first-name"),
                ("Apellidos (facturación)", "last-name"),
                ("Nombre (envío)", "first-name"),
                ("Correo electrónico (facturación)", "email"),
                ("Código de estado (facturación)", "state"),
                ("Código de país (facturación)", "country"),
                ("Empresa (facturación)", "company"),
            ],
        ),
        ("Shopify", &[("Nombre de facturación", "full-name"), ("Provincia de facturación", "state")]),
        (
            "Gravity Forms",
            &[
                ("Nombre (Nombre)", "first-name"),
                ("Nombre (Apellidos)", "last-name"),
                ("Dirección (Ciudad)", "keep"),
                ("Dirección (Estado / Provincia)", "state"),
                ("Dirección (País)", "country"),
                ("Correo electrónico (Introduce el correo electrónico)", "email"),
            ],
        ),
        (
            "People",
            &[("País de residencia", "country"), ("Correo de trabajo", "email"), ("Email cliente", "email")],
        ),
    ]);
}

#[test]
fn products_in_german() {
    check(&[
        (
            "Salesforce",
            &[
                ("Vorname", "first-name"),
                ("Nachname", "last-name"),
                ("Firma / Account", "company"),
                ("E-Mail", "email"),
                ("Bundesland/Kanton", "state"),
                ("Land", "country"),
                ("Lead-Status", "status"),
                ("Leadquelle", "source"),
                ("Lead-Inhaber", "owner"),
            ],
        ),
        (
            "Salesforce, contacts",
            &[
                ("Postanschrift (Bundesland/Kanton)", "state"),
                ("Postanschrift (Land)", "country"),
                ("Rechnungsbundesland", "state"),
                ("Rechnungsland", "country"),
                ("Lieferland", "country"),
            ],
        ),
        (
            "HubSpot",
            &[
                ("Telefonnummer", "phone"),
                ("Bundesland/Region", "state"),
                ("Land/Region", "country"),
                ("Lifecycle-Phase", "status"),
                ("Zuständiger Mitarbeiter", "owner"),
                ("Ursprüngliche Quelle", "source"),
            ],
        ),
        ("Zoho", &[("Lead-Quelle", "source"), ("Lead-Besitzer", "owner"), ("Mobil", "phone")]),
        (
            "Pipedrive",
            &[
                ("Person - Name", "full-name"),
                ("Person - E-Mail - Arbeit", "email"),
                ("Person - E-Mail - Privat", "email"),
                ("Person - Telefon - Mobil", "phone"),
                ("Person - Bundesland/Landkreis der Postadresse", "state"),
                ("Person - Land der Postadresse", "country"),
            ],
        ),
        (
            "Dynamics",
            &[
                ("Vollständiger Name", "full-name"),
                ("Adresse 1: Bundesland/Kanton", "state"),
                ("Adresse 1: Land/Region", "country"),
                ("Statusgrund", "status"),
            ],
        ),
        (
            "SuiteCRM",
            &[
                ("Hauptadresse Bundesland", "state"),
                ("Hauptadresse Land", "country"),
                ("Weitere Adresse: Bundesland", "state"),
                ("Weitere Adresse: Land", "country"),
            ],
        ),
        ("EspoCRM", &[("Adresse Bundesland", "state"), ("Adresse Land", "country")]),
        ("Odoo", &[("Kontaktname", "full-name"), ("Unternehmensname", "company"), ("Verkäufer", "owner")]),
        (
            "Twenty",
            &[
                ("Name / Vorname", "first-name"),
                ("Name / Nachname", "last-name"),
                ("E-Mails / Primäre E-Mail", "email"),
                ("Telefone / Primäre Telefonnummer", "phone"),
                ("Unternehmen / Name", "company"),
            ],
        ),
        ("Krayin", &[("Name", "full-name"), ("E-Mails", "email"), ("Kontaktnummern", "phone")]),
        (
            "Google",
            &[
                ("E-Mail 1 - Typ", "keep"),
                ("E-Mail 1 - Wert", "email"),
                ("E-Mail 2 - Wert", "email"),
                ("Telefon 1 - Wert", "phone"),
                ("Adresse 1 - Region", "state"),
                ("Adresse 1 - Land", "country"),
                ("Adresse 1 - Stadt", "keep"),
            ],
        ),
        (
            "Outlook",
            &[
                ("Bundesland/Kanton geschäftlich", "state"),
                ("Land/Region geschäftlich", "country"),
                ("Telefon geschäftlich", "phone"),
                ("Telefon privat", "phone"),
                ("Fax privat", "keep"),
            ],
        ),
        ("Mailchimp", &[("E-Mail-Adresse", "email"), ("Telefonnummer", "phone")]),
        ("Constant Contact", &[("Bundesland - Privat", "state"), ("Land - Privat", "country")]),
        (
            "Facebook",
            &[
                ("geschäftliche_e-mail-adresse", "email"),
                ("vollständiger_name", "full-name"),
                ("bundesland", "state"),
            ],
        ),
        ("LinkedIn", &[("Geschäftliche E-Mail", "email"), ("Land/Region", "country")]),
        (
            "WooCommerce",
            &[
                ("Vorname (Rechnung)", "first-name"),
                ("Nachname (Rechnung)", "last-name"),
                ("E-Mail (Rechnung)", "email"),
                ("Bundesland (Rechnung)", "state"),
                ("Ländercode (Rechnung)", "country"),
            ],
        ),
        ("Shopify", &[("Rechnung: Provinz", "state"), ("Rechnung: Land", "country")]),
        (
            "Gravity Forms",
            &[
                ("Name (Präfix)", "keep"),
                ("Name (Vorname)", "first-name"),
                ("Name (Nachname)", "last-name"),
                ("Adresse (Ort)", "keep"),
                ("Adresse (Bundesland / Provinz)", "state"),
                ("Adresse (Land)", "country"),
                ("E-Mail (E-Mail eingeben)", "email"),
            ],
        ),
        (
            "People",
            &[
                ("Wohnland", "country"),
                ("Arbeits-E-Mail", "email"),
                ("E-Mail des Kunden", "email"),
                ("Bundesland/Provinz", "state"),
            ],
        ),
    ]);
}

#[test]
fn products_in_french() {
    check(&[
        (
            "Salesforce",
            &[
                ("Prénom", "first-name"),
                ("Nom", "last-name"),
                ("Société / Compte", "company"),
                ("Adresse e-mail", "email"),
                ("État/Province", "state"),
                ("Pays", "country"),
                ("Statut de la piste", "status"),
                ("Origine de la piste", "source"),
            ],
        ),
        (
            "Salesforce, contacts",
            &[
                ("État de facturation", "state"),
                ("Pays de facturation", "country"),
                ("État/Province d'expédition", "state"),
                ("Pays d'expédition", "country"),
            ],
        ),
        (
            "HubSpot",
            &[
                ("Numéro de téléphone", "phone"),
                ("État/région", "state"),
                ("Pays/région", "country"),
                ("Phase du cycle de vie", "status"),
                ("Propriétaire du contact", "owner"),
                ("Nom de l'entreprise", "company"),
            ],
        ),
        ("Zoho", &[("Statut du prospect", "status"), ("Source du prospect", "source")]),
        (
            "Pipedrive",
            &[
                ("Personne - Nom", "full-name"),
                ("Personne - E-mail - Bureau", "email"),
                ("Personne - E-mail - Domicile", "email"),
                ("Personne - Téléphone - Bureau", "phone"),
                ("Personne - État/région de Adresse postale", "state"),
                ("Personne - Pays de Adresse postale", "country"),
            ],
        ),
        (
            "Dynamics",
            &[
                ("Nom complet", "full-name"),
                ("Adresse 1 : Département/État", "state"),
                ("Adresse 1 : Pays/Région", "country"),
                ("Raison du statut", "status"),
            ],
        ),
        (
            "SuiteCRM",
            &[
                ("Adresse principale - État", "state"),
                ("Adresse principale - Pays", "country"),
                ("Autre adresse - État", "state"),
                ("Autre adresse - Pays", "country"),
            ],
        ),
        ("EspoCRM", &[("Adresse État", "state"), ("Adresse Pays", "country")]),
        ("Odoo", &[("Nom du contact", "full-name"), ("Nom de la société", "company"), ("Vendeur", "owner")]),
        (
            "Twenty",
            &[
                ("Nom / Prénom", "first-name"),
                ("Nom / Nom de famille", "last-name"),
                ("E-mails / E-mail principal", "email"),
                ("Téléphones / Numéro de téléphone principal", "phone"),
                ("Entreprise / Nom", "company"),
            ],
        ),
        ("Krayin", &[("Nom", "full-name"), ("E-mails", "email"), ("Numéros de contact", "phone")]),
        (
            "Google",
            &[
                ("E-mail 1 - Libellé", "keep"),
                ("E-mail 1 - Valeur", "email"),
                ("Téléphone 1 - Valeur", "phone"),
                ("Organisation 1 - Nom", "company"),
                ("Adresse 1 - Région", "state"),
                ("Adresse 1 - Pays", "country"),
            ],
        ),
        (
            "Outlook",
            &[
                ("Dép/Région (domicile)", "state"),
                ("Pays/Région (domicile)", "country"),
                ("Téléphone (bureau)", "phone"),
                ("Télécopie (bureau)", "keep"),
            ],
        ),
        ("Mailchimp", &[("Adresse e-mail", "email"), ("Numéro de téléphone", "phone")]),
        ("Constant Contact", &[("État - Domicile", "state"), ("Pays - Domicile", "country")]),
        (
            "Facebook",
            &[
                ("adresse_e-mail_professionnelle", "email"),
                ("nom_complet", "full-name"),
                ("numéro_de_téléphone_professionnel", "phone"),
                ("province/état", "state"),
            ],
        ),
        ("LinkedIn", &[("E-mail professionnel", "email"), ("Pays/région", "country")]),
        (
            "WooCommerce",
            &[
                ("Prénom (facturation)", "first-name"),
                ("Nom (facturation)", "last-name"),
                ("E-mail (facturation)", "email"),
                ("Code d'état (facturation)", "state"),
                ("Code pays (facturation)", "country"),
            ],
        ),
        ("Shopify", &[("Nom de facturation", "full-name"), ("Province de livraison", "state")]),
        (
            "Gravity Forms",
            &[
                ("Nom (Prénom)", "first-name"),
                ("Nom (Nom)", "last-name"),
                ("Adresse (Ville)", "keep"),
                ("Adresse (État / Province)", "state"),
                ("Adresse (État, Province ou Région)", "state"),
                ("Adresse (Pays)", "country"),
            ],
        ),
        (
            "People",
            &[
                ("Pays de résidence", "country"),
                ("Adresse e-mail professionnelle", "email"),
                ("Email du client", "email"),
                ("Province/État", "state"),
            ],
        ),
    ]);
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
