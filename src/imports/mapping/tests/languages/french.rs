//! The headers that known products write in French.

use super::check;

#[test]
fn the_columns_of_products_in_french_are_recognized() {
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
