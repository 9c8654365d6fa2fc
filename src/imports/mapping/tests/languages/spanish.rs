//! The headers that known products write in Spanish.

use super::check;

#[test]
fn the_columns_of_products_in_spanish_are_recognized() {
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
