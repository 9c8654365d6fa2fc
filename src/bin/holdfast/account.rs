//! `holdfast account`: manages accounts from the shell.

use std::io::Read;

use holdfast::accounts::change::Operator;
use holdfast::accounts::link_path;
use holdfast::accounts::password::Password;

use crate::cli::AddAccount;
use crate::console::Console;
use crate::failure::Failure;
use crate::table::{Host, Opened};

/// Adds an account. Prints a sign-in link if no password is given.
pub async fn add(options: AddAccount, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let password = if options.password_stdin { Some(password_from(console.input())?) } else { None };
    let opened = host.open(&options.table).await?;
    let added = add_to(&opened, options, password, console).await;
    opened.close().await;
    added
}

async fn add_to(
    opened: &Opened,
    options: AddAccount,
    password: Option<Password>,
    console: &dyn Console,
) -> Result<(), Failure> {
    let AddAccount { name, email, role, .. } = options;
    let line = format!("Added {name} <{email}> as {role}.");
    let link_needed = password.is_none();
    let id = opened.app.accounts().add(name, email, role, password).await?;
    console.print(&line);
    if link_needed {
        let path = link_path(&opened.app.accounts().sign_in_link(id, Operator::Command).await?);
        console.print(match opened.address {
            Some(_) => "This link signs them in, once:",
            None => "Open this path at your address to sign them in, once:",
        });
        console.print(&format!("{}{path}", opened.address.as_deref().unwrap_or_default()));
    }
    Ok(())
}

/// Reads the first line, without its line ending.
fn password_from(input: impl Read) -> Result<Password, Failure> {
    // Longer than any valid password. Bounds how much of standard input is read.
    const LONGEST: u64 = 4096;
    let mut text = String::new();
    input.take(LONGEST).read_to_string(&mut text).map_err(Failure::Input)?;
    text.lines().next().unwrap_or_default().parse().map_err(Failure::Password)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic fails the test")]
mod tests {
    use super::*;
    use holdfast::accounts::password::Memory;

    #[test]
    fn a_password_is_the_first_line() {
        let salt = [7; 16];
        let typed: Password = "correct horse battery".parse().unwrap();
        let mut memory = Memory::default();
        let hash = typed.hash(&salt, &mut memory).unwrap();
        for input in ["correct horse battery", "correct horse battery\n", "correct horse battery\r\nmore\n"] {
            assert!(hash.is_of(&password_from(input.as_bytes()).unwrap(), &mut memory), "{input:?}");
        }
        assert!(!hash.is_of(&password_from("correct horse battery ".as_bytes()).unwrap(), &mut memory));
    }

    #[test]
    fn an_invalid_password_is_refused() {
        for input in ["", "\n", "short\n"] {
            assert!(matches!(password_from(input.as_bytes()), Err(Failure::Password(_))), "{input:?}");
        }
    }
}
