//! `holdfast account add`.

use std::io::Read;

use holdfast::accounts::change::Operator;
use holdfast::accounts::domain::LinkPurpose;
use holdfast::accounts::password::Password;
use holdfast::accounts::view::AccountView;

use super::link::NewLink;
use crate::cli::AddAccount;
use crate::console::Console;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::Opened;

/// Reads the password of a new account, if it has one.
pub fn password(options: &AddAccount, console: &dyn Console) -> Result<Option<Password>, Failure> {
    let password = options.password_stdin.then(|| password_from(console.input())).transpose()?;
    if let Some(password) = &password {
        password.check_new(&options.name, &options.email).map_err(Failure::Password)?;
    }
    Ok(password)
}

/// Adds an account. Prints a sign-in link if no password is given.
pub async fn add(
    opened: &Opened,
    options: AddAccount,
    password: Option<Password>,
    output: &Output<'_>,
) -> Result<(), Failure> {
    let AddAccount { name, email, role, .. } = options;
    let accounts = opened.app.accounts();
    let link_needed = password.is_none();
    let account = accounts.find(accounts.add(name, email, role, password).await?).await?;
    let done = format!("Added {} as {role}.", account.label());
    if link_needed {
        let secret = accounts.sign_in_link(account.id, Operator::Command).await?;
        NewLink { account, purpose: LinkPurpose::SignIn, secret }.print(&done, opened, output)
    } else {
        output.print(&done, &AccountView::from(&account))
    }
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
