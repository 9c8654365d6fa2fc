//! The headers of files that known products export.

use super::guess;

#[test]
fn the_headers_of_known_products_are_mapped() {
    let cases: [(&str, &[&str], &[&str]); 12] = [
        (
            "Salesforce",
            &[
                "First Name",
                "Last Name",
                "Company / Account",
                "State/Province (text only)",
                "Country (text only)",
            ],
            &["first-name", "last-name", "company", "state", "country"],
        ),
        (
            "HubSpot",
            &[
                "Record ID",
                "Email",
                "Phone Number",
                "State/Region",
                "Country/Region",
                "Lifecycle Stage",
                "Contact owner",
            ],
            &["keep", "email", "phone", "state", "country", "status", "owner"],
        ),
        (
            "Dynamics",
            &[
                "(Do Not Modify) Lead",
                "fullname",
                "emailaddress1",
                "telephone1",
                "address1_stateorprovince",
                "address1_country",
            ],
            &["keep", "full-name", "email", "phone", "state", "country"],
        ),
        (
            "Odoo",
            &[
                "id",
                "name",
                "contact_name",
                "partner_name",
                "email_from",
                "state_id",
                "country_id/code",
                "user_id",
                "stage_id",
            ],
            &["keep", "full-name", "full-name", "company", "email", "state", "country", "owner", "status"],
        ),
        (
            "Twenty",
            &[
                "Name / First Name",
                "Name / Last Name",
                "Emails / Primary Email",
                "Phones / Primary Phone Number",
                "Company / Name",
            ],
            &["first-name", "last-name", "email", "phone", "company"],
        ),
        (
            "Google",
            &[
                "Name",
                "Given Name",
                "Family Name",
                "E-mail 1 - Type",
                "E-mail 1 - Value",
                "Organization 1 - Name",
                "Address 1 - Region",
            ],
            &["full-name", "first-name", "last-name", "keep", "email", "company", "state"],
        ),
        (
            "Outlook in German",
            &[
                "Vorname",
                "Nachname",
                "E-Mail-Adresse",
                "E-Mail 2: Adresse",
                "Bundesland/Kanton privat",
                "Land/Region privat",
            ],
            &["first-name", "last-name", "email", "email", "state", "country"],
        ),
        (
            "Outlook in French",
            &[
                "Prénom",
                "Nom",
                "Société",
                "Adresse de messagerie",
                "Dép/Région (bureau)",
                "Pays/Région (bureau)",
            ],
            &["first-name", "last-name", "company", "email", "state", "country"],
        ),
        (
            "Outlook in Spanish",
            &[
                "Nombre",
                "Apellidos",
                "Organización",
                "Dirección del correo electrónico 3",
                "Provincia o estado de trabajo",
            ],
            &["first-name", "last-name", "company", "email", "state"],
        ),
        (
            "WooCommerce",
            &[
                "First Name (Billing)",
                "Last Name (Billing)",
                "Email (Billing)",
                "State Code (Billing)",
                "Country Code (Billing)",
            ],
            &["first-name", "last-name", "email", "state", "country"],
        ),
        (
            "Gravity Forms",
            &[
                "Name (Prefix)",
                "Name (First)",
                "Name (Last)",
                "Email (Enter Email)",
                "Address (State / Province)",
                "Address (Country)",
            ],
            &["keep", "first-name", "last-name", "email", "state", "country"],
        ),
        (
            "Mailchimp",
            &["Email Address", "FNAME", "LNAME", "MEMBER_RATING", "REGION", "CC"],
            &["email", "first-name", "last-name", "keep", "state", "country"],
        ),
    ];
    for (product, headers, slugs) in cases {
        assert_eq!(guess(headers), slugs, "{product}");
    }
}
