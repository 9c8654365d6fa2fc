//! `holdfast serve`: the application on this computer, over the embedded engine.
//!
//! The order of the steps keeps the data safe: first the port, then the lock, then the data. A process that does
//! not get the port or the lock touches nothing.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use holdfast::accounts::cookies::CookiePolicy;
use holdfast::accounts::data_keys::{DataKey, DataKeys};
use holdfast::accounts::keys::{CookieKey, KeyRing};
use holdfast::accounts::sessions::SessionLimits;
use holdfast::accounts::{self, AccountError};
use holdfast::app::{App, build_router};
use holdfast::base::rng::Rng;
use holdfast::hosts::config::{Config, ConfigError, Configured};
use holdfast::hosts::process;
use holdfast::hosts::process::StartError;
use holdfast::orders::StateLocks;
use holdfast::store::schema::create_table;
use holdfast::store::{RetryPolicy, StoreError};
use holdfast::web::health::FreeDisk;
use jiff::Timestamp;
use tokio::net::TcpListener;

use crate::cli::ServeOptions;
use crate::cloud;
use crate::console::print;
use crate::data::DataDirectory;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::hosts::Hosts;
use crate::http_server::Limits;
use crate::local::TABLE;
use crate::lock::{Holder, Lock};
use crate::remote::CommandServer;
use crate::shutdown::serve_until_stopped;
use crate::signals::Signals;
use crate::table::Served;
use crate::workers::Workers;

/// Serves until a signal asks the process to stop.
pub async fn run(options: &ServeOptions) -> Result<(), Failure> {
    if let Some(table) = &options.table {
        return cloud::run(options, table).await;
    }
    let start = Instant::now();
    let sign_up = options.sign_up()?;
    let settings = Settings::from_environment().map_err(StartError::Config)?;
    let signals = Signals::listen().map_err(Failure::Runtime)?;
    let data = DataDirectory::at(&options.data.data_dir);
    let (listener, address) = listen(options.port, &data).await?;
    let mut lock = data.lock_alone()?;
    data.remove_copies(&lock);
    let engine = Engine::open(&data).await?;
    let port = listener.local_addr().ok().map(|local| local.port());
    let cookies = CookiePolicy { port, ..cookies(settings.cookie_keys, &data, &lock).await? };
    let app = App {
        data_keys: Some(data_keys(settings.data_keys, &data, &lock).await?),
        session_limits: settings.session_limits,
        state_locks: Some(StateLocks::default()),
        trusted_proxies: options.trusted_proxies,
        free_disk: Some(free_disk(data.path().to_owned())),
        has_styleguide: true,
        ..process::app(engine.line(), TABLE, cookies, sign_up).with_retries(settings.retries)
    };
    let served = async {
        create_table(&app.dynamo).await?;
        let commands = start_command_server(&data, &app, &engine, &address);
        announce(&mut lock, &data, &address, commands.as_ref())?;
        print(&format!("Holdfast is at {address}"));
        print_sign_in_link(&app, &address).await?;
        tracing::info!(address, milliseconds = start.elapsed().as_millis(), "ready");
        serve(options, listener, app, &engine, commands, signals).await
    };
    let served = served.await;
    engine.close().await;
    if served.is_ok() {
        tracing::info!("stopped; all data is on disk");
    }
    served
}

/// Serves the application and runs its background work until a signal asks the process to stop.
async fn serve(
    options: &ServeOptions,
    listener: TcpListener,
    app: App,
    engine: &Engine,
    commands: Option<CommandServer>,
    signals: Signals,
) -> Result<(), Failure> {
    let workers = Workers::of_engine(&app, &engine.embedded());
    let (mut router, _) = build_router(app);
    if let Some(commands) = &commands {
        router = commands.mount(router);
    }
    let router = Hosts::local(&options.hosts).guard(router);
    let served = serve_until_stopped(listener, router, Limits::of(&options.limits), signals).await;
    workers.stop().await;
    commands.into_iter().for_each(CommandServer::close);
    served
}

/// What the environment configures besides the flags.
struct Settings {
    cookie_keys: Option<Configured<KeyRing>>,
    data_keys: Option<Configured<KeyRing<DataKey>>>,
    retries: RetryPolicy,
    session_limits: SessionLimits,
}

impl Settings {
    fn from_environment() -> Result<Self, ConfigError> {
        let lookup = |name: &str| std::env::var(name).ok();
        Ok(Self {
            cookie_keys: Config::keys::<CookieKey>(lookup)?,
            data_keys: Config::keys::<DataKey>(lookup)?,
            retries: Config::retries(lookup)?,
            session_limits: Config::session_limits(lookup)?,
        })
    }
}

/// Returns a probe of the free space on the disk of the data.
fn free_disk(directory: PathBuf) -> FreeDisk {
    #[cfg(unix)]
    let free = move || {
        let disk = rustix::fs::statvfs(&directory).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    };
    #[cfg(not(unix))]
    let free = move || {
        let _ = &directory;
        None
    };
    FreeDisk::from_fn(free)
}

/// Starts to accept commands, if the disk has space for a socket or a token.
fn start_command_server(
    data: &DataDirectory,
    app: &App,
    engine: &Engine,
    address: &str,
) -> Option<CommandServer> {
    let open = || {
        let (app, engine) = (app.clone(), engine.engine());
        CommandServer::open(data, Served { app, engine, address: address.to_owned(), data: data.clone() })
    };
    let opened = data.with_reserved_space(open, |_| true);
    opened.inspect_err(|error| tracing::warn!(%error, "this server accepts no commands")).ok()
}

/// Writes who has the data open, where its pages are, and where it accepts commands.
fn announce(
    lock: &mut Lock,
    data: &DataDirectory,
    address: &str,
    commands: Option<&CommandServer>,
) -> Result<(), Failure> {
    let holder = Holder {
        pid: std::process::id(),
        address: Some(address.to_owned()),
        socket: commands.and_then(CommandServer::socket).map(Path::to_owned),
        token: commands.and_then(CommandServer::token).map(Path::to_owned),
        started_at: Timestamp::now(),
    };
    let announced = data
        .with_reserved_space(|| lock.announce(&holder), |error| error.kind() == io::ErrorKind::StorageFull);
    announced.map_err(Failure::file("write to", data.lock_file()))
}

/// Returns the cookie policy, with the keys of the environment or of the data. Cookies may travel over plain HTTP,
/// because only this computer can reach the server.
async fn cookies(
    configured: Option<Configured<KeyRing>>,
    data: &DataDirectory,
    lock: &Lock,
) -> Result<CookiePolicy, Failure> {
    let keys = match configured {
        Some(configured) => cloud::keys(&configured).await?,
        None => data.cookie_keys(lock, &Rng::of_system())?,
    };
    Ok(CookiePolicy { keys, secure: false, port: None })
}

/// Returns the keys of secrets in the table, from the environment or from the data directory.
async fn data_keys(
    configured: Option<Configured<KeyRing<DataKey>>>,
    data: &DataDirectory,
    lock: &Lock,
) -> Result<DataKeys, Failure> {
    match configured {
        Some(configured) => Ok(cloud::keys(&configured).await?),
        None => data.data_keys(lock, &Rng::of_system()),
    }
}

/// Binds the port of the loopback address. Returns the socket and the address to open in a browser.
async fn listen(port: u16, data: &DataDirectory) -> Result<(TcpListener, String), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.map_err(|cause| match (cause.kind(), data.holder()) {
        (io::ErrorKind::AddrInUse, Some(held)) => Failure::Running { port, held },
        (io::ErrorKind::AddrInUse, None) => Failure::PortTaken { port },
        _ => Failure::Listen { port, cause },
    })?;
    let address = listener.local_addr().map_err(|cause| Failure::Listen { port, cause })?;
    Ok((listener, format!("http://{address}")))
}

/// Prints the link that signs the first administrator in, on its own line with a description.
async fn print_sign_in_link(app: &App, address: &str) -> Result<(), Failure> {
    match app.accounts().first_administrator_link().await {
        Ok(Some(secret)) => print(&format!(
            "This link signs the first administrator in, once: {address}{}",
            accounts::link_path(&secret)
        )),
        // The first administrator was deleted or disabled, so other people manage the accounts.
        Ok(None) => print("`holdfast account link EMAIL` prints a link that signs a person in."),
        Err(AccountError::Store(StoreError::Full { .. })) => tracing::error!(
            "the disk is full: the data can be read, and changed once there is space again; no sign-in link was made"
        ),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
