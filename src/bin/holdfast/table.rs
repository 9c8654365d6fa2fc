//! The table that a command works on: the local data, through the engine of the server that holds it or one of the
//! command's own, or a table on AWS.

use holdfast::accounts::keys::{CookieKey, CookieKeys, KeyRing};
use holdfast::accounts::sign_up::SignUp;
use holdfast::app::{App, CookiePolicy, Entropy};
use holdfast::dynamo::schema::create_table;
use holdfast::native::{self, embedded};
use jiff::Timestamp;

use crate::cli::TableOptions;
use crate::cloud;
use crate::data::DataDirectory;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::lock::{Held, Holder, Lock, Locked};
use crate::serve::TABLE;

/// A table to work on.
pub struct Opened {
    /// The application over it.
    pub app: App,
    /// Where its pages are served, if that is known.
    pub address: Option<String>,
    own: Option<Own>,
}

/// What ends with the command: the engine, and after it the lock.
struct Own {
    engine: Engine,
    _lock: Lock,
}

impl Opened {
    /// The table that the options name.
    ///
    /// # Errors
    /// Any [`Failure`] of the data directory, the engine or the AWS set-up.
    pub async fn open(options: &TableOptions) -> Result<Self, Failure> {
        if let Some(table) = &options.table {
            let app = cloud::open(options, table).await?;
            return Ok(Self { app, address: None, own: None });
        }
        let data = DataDirectory::at(&options.data.data_dir);
        match data.lock()? {
            Locked::Ours(lock) => Self::alone(&data, lock).await,
            Locked::Theirs(Held(Some(Holder { address: Some(address), engine, .. }))) => {
                let app = native::app(embedded::line(&engine), TABLE, no_cookies(), SignUp::Off);
                Ok(Self { app, address: Some(address), own: None })
            }
            Locked::Theirs(held) => Err(data.held(held)),
        }
    }

    /// Over an engine that runs as long as the command.
    async fn alone(data: &DataDirectory, mut lock: Lock) -> Result<Self, Failure> {
        let engine = Engine::start(&data.database()).await?;
        let app = native::app(embedded::line(engine.endpoint()), TABLE, no_cookies(), SignUp::Off);
        create_table(&app.dynamo).await?;
        let holder = Holder {
            pid: std::process::id(),
            address: None,
            engine: engine.endpoint().to_owned(),
            started_at: Timestamp::now(),
        };
        lock.announce(&holder).map_err(Failure::file("write to", data.lock_file()))?;
        Ok(Self { app, address: None, own: Some(Own { engine, _lock: lock }) })
    }

    /// Ends what the command has started.
    pub async fn close(self) {
        if let Some(own) = self.own {
            own.engine.stop().await;
        }
    }
}

/// A command meets no browser, so its key is of the moment, and nobody signs up.
pub fn no_cookies() -> CookiePolicy {
    let key = CookieKey::new(Entropy::of_system().bytes());
    CookiePolicy { keys: CookieKeys::fixed(KeyRing::of(key, None)), secure: true }
}
