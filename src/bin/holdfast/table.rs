//! The table that a command works on: a table on AWS, or the local data, which the command opens itself unless a
//! server has it open.

use holdfast::accounts::sign_up::SignUp;
use holdfast::app::App;
use holdfast::engine;
use holdfast::hosts::process;
use holdfast::store::schema::create_table;
use jiff::Timestamp;

use crate::cli::{DataOptions, TableOptions};
use crate::cloud;
use crate::data::DataDirectory;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::local::{TABLE, no_cookies};
use crate::lock::{Holder, Lock};

/// Where a command runs.
pub enum Host<'a> {
    /// In its own process.
    Process,
    /// In the server that has the local data open.
    Server(&'a Served),
}

/// What a server has open.
#[derive(Clone)]
pub struct Served {
    pub app: App,
    pub engine: engine::Engine,
    /// The address of its pages.
    pub address: String,
    pub data: DataDirectory,
}

impl Host<'_> {
    /// Opens the table that the options name. In a server, the local table is open already.
    pub async fn open(&self, options: &TableOptions) -> Result<Opened, Failure> {
        match (self, &options.table) {
            (_, Some(table)) => {
                let app = cloud::open(options, table).await?;
                Ok(Opened { app, local: None, address: None, owned: None })
            }
            (_, None) => self.open_local(&options.data).await,
        }
    }

    /// Opens the table for a command that needs existing data. Creates no data directory.
    pub async fn open_existing(&self, options: &TableOptions) -> Result<Opened, Failure> {
        if options.table.is_none() {
            self.expect_data(&options.data)?;
        }
        self.open(options).await
    }

    pub fn expect_data(&self, options: &DataOptions) -> Result<(), Failure> {
        let data = DataDirectory::at(&options.data_dir);
        match self {
            // A server has its data open, regardless of the path in the options of the command.
            Self::Server(_) => Ok(()),
            Self::Process if data.has_data() => Ok(()),
            Self::Process => Err(Failure::NoData { directory: data.path().to_owned() }),
        }
    }

    /// Opens the local data. In a server it is open already.
    pub async fn open_local(&self, options: &DataOptions) -> Result<Opened, Failure> {
        match self {
            Self::Server(Served { app, engine, address, data }) => {
                let local = Some(Local { engine: engine.clone(), data: data.clone() });
                Ok(Opened { app: app.clone(), local, address: Some(address.clone()), owned: None })
            }
            Self::Process => Opened::open_exclusively(&DataDirectory::at(&options.data_dir)).await,
        }
    }
}

/// A table to work on.
pub struct Opened {
    pub app: App,
    /// `None` for a table on AWS.
    pub local: Option<Local>,
    /// The address of its pages, if known.
    pub address: Option<String>,
    owned: Option<Owned>,
}

/// The local data, with the engine that has it open.
pub struct Local {
    pub engine: engine::Engine,
    pub data: DataDirectory,
}

/// What ends with the command: first the engine, then the lock.
struct Owned {
    engine: Engine,
    _lock: Lock,
}

impl Opened {
    /// Opens the data with an engine that runs as long as the command.
    async fn open_exclusively(data: &DataDirectory) -> Result<Self, Failure> {
        let mut lock = data.lock_alone()?;
        let engine = Engine::open(data).await?;
        let app = process::app(engine.line(), TABLE, no_cookies(), SignUp::Off);
        create_table(&app.dynamo).await?;
        let (pid, started_at) = (std::process::id(), Timestamp::now());
        let holder = Holder { pid, address: None, socket: None, token: None, started_at };
        lock.announce(&holder).map_err(Failure::file("write to", data.lock_file()))?;
        let local = Some(Local { engine: engine.engine(), data: data.clone() });
        Ok(Self { app, local, address: None, owned: Some(Owned { engine, _lock: lock }) })
    }

    /// Closes what the command has opened.
    pub async fn close(self) {
        let Self { app, local, owned, .. } = self;
        drop((app, local));
        if let Some(owned) = owned {
            owned.engine.close().await;
        }
    }
}
