//! `holdfast account list`.

use holdfast::accounts::Filter;
use holdfast::accounts::domain::Account;
use holdfast::accounts::view::AccountView;

use crate::cli::ListAccounts;
use crate::failure::Failure;
use crate::listing::{self, PAGE, all_pages, time};
use crate::output::Output;
use crate::table::Opened;

const HEAD: [&str; 6] = ["NAME", "EMAIL", "ROLE", "STATE", "LAST SIGN-IN", "ID"];

/// Prints all accounts, or those that the options select.
pub async fn list(opened: &Opened, options: &ListAccounts, output: &Output<'_>) -> Result<(), Failure> {
    let accounts = opened.app.accounts();
    let filter = Filter { role: options.role, status: options.state };
    let page =
        async |cursor: Option<&str>| accounts.list(options.search.as_ref(), filter, PAGE, cursor).await;
    let found: Vec<Account> = all_pages(page).await?;
    let views: Vec<AccountView> = found.iter().map(AccountView::from).collect();
    let row = |account: &AccountView| {
        [
            account.name.to_string(),
            account.email.to_string(),
            account.role.to_string(),
            account.state.to_string(),
            time(account.last_sign_in_at, "never"),
            account.id.to_string(),
        ]
    };
    let is_filtered = options.search.is_some() || filter != Filter::default();
    let none = if is_filtered { "No account matches." } else { "There are no accounts." };
    listing::print(&views, HEAD, row, none, output)
}
