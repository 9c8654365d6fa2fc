//! AWS Lambda for a built bootstrap: the runtime API on a loopback port, and the bootstrap that runs against it.
//!
//! One runtime has one child process, which ends with it. Invocations are delivered one at a time in order, as to
//! one execution environment. Every wait is bounded, and every failure includes the bootstrap's output.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// The largest answer that Lambda accepts from a function, in bytes.
const ANSWER_LIMIT: usize = 6_291_556;

/// The limit for an invocation: the timeout of the deployed function.
const INVOCATION_TIMEOUT: Duration = Duration::from_secs(29);

/// How often a waiting invocation checks whether the bootstrap still runs.
const HEARTBEAT: Duration = Duration::from_millis(50);

/// A running bootstrap and its runtime API.
pub struct LambdaRuntime {
    api: Arc<RuntimeApi>,
    bootstrap: Mutex<Child>,
    output: Arc<Mutex<String>>,
    server: JoinHandle<()>,
}

impl LambdaRuntime {
    /// Serves the runtime API and starts the bootstrap with the environment that Lambda gives it, and `env` in
    /// addition. Nothing else of this process's environment is passed on.
    pub async fn start<K, V>(
        bootstrap: impl AsRef<Path>,
        env: impl IntoIterator<Item = (K, V)>,
    ) -> io::Result<Self>
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let api = Arc::new(RuntimeApi::new());
        let router = routes(Arc::clone(&api));
        let mut child = Command::new(bootstrap.as_ref())
            .env_clear()
            .envs(lambda_environment())
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .envs(env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take(), &output);
        collect(child.stderr.take(), &output);
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("the stand-in of the runtime API stopped: {error}");
            }
        });
        Ok(Self { api, bootstrap: Mutex::new(child), output, server })
    }

    /// Invokes the function with an event and returns its answer.
    ///
    /// # Panics
    /// If the function reports an error, ends, or does not answer within its timeout.
    pub async fn invoke(&self, event: Value) -> Value {
        match self.outcome(event).await {
            Ok(answer) => answer,
            Err(failure) => panic!("{failure}\nThe bootstrap printed:\n{}", lock(&self.output)),
        }
    }

    /// The bootstrap's output so far.
    pub fn output(&self) -> String {
        lock(&self.output).clone()
    }

    async fn outcome(&self, event: Value) -> Result<Value, String> {
        let answer = self.api.enqueue(event)?;
        tokio::select! {
            outcome = answer => outcome.unwrap_or_else(|_| Err("the runtime API was closed".to_owned())),
            ended = self.bootstrap_ended() => Err(ended),
            () = tokio::time::sleep(INVOCATION_TIMEOUT) => {
                Err(format!("no answer within {} seconds", INVOCATION_TIMEOUT.as_secs()))
            }
        }
    }

    /// Waits until the bootstrap has ended and returns the reason, if it is known.
    async fn bootstrap_ended(&self) -> String {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let state = lock(&self.bootstrap).try_wait();
            match state {
                Ok(None) => {}
                Ok(Some(status)) => {
                    let reported = lock(&self.api.init_error).clone().unwrap_or_default();
                    return format!("the bootstrap ended: {status} {reported}");
                }
                Err(error) => return format!("the bootstrap cannot be watched: {error}"),
            }
        }
    }
}

impl Drop for LambdaRuntime {
    fn drop(&mut self) {
        self.server.abort();
        let mut child = lock(&self.bootstrap);
        // Both calls fail only if the bootstrap has already ended.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The state that the handlers of the runtime API share.
struct RuntimeApi {
    next_number: AtomicU64,
    sender: mpsc::UnboundedSender<Invocation>,
    queue: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Result<Value, String>>>>,
    init_error: Mutex<Option<String>>,
}

/// An event, and the id that its answer must name.
struct Invocation {
    id: String,
    event: Value,
}

impl RuntimeApi {
    fn new() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            next_number: AtomicU64::new(1),
            sender,
            queue: tokio::sync::Mutex::new(receiver),
            waiting: Mutex::default(),
            init_error: Mutex::default(),
        }
    }

    fn enqueue(&self, event: Value) -> Result<oneshot::Receiver<Result<Value, String>>, String> {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let id = format!("8476a536-e9f4-11e8-9739-{number:012x}");
        let (answer, receiver) = oneshot::channel();
        lock(&self.waiting).insert(id.clone(), answer);
        self.sender
            .send(Invocation { id, event })
            .map_err(|_| "the queue of invocations was closed".to_owned())?;
        Ok(receiver)
    }

    /// Delivers the outcome to the waiting invocation. An unknown id is refused, as Lambda does.
    fn complete(&self, id: &str, outcome: Result<Value, String>) -> StatusCode {
        match lock(&self.waiting).remove(id) {
            Some(answer) => {
                // The receiver is dropped when its test has timed out, which was reported there.
                let _ = answer.send(outcome);
                StatusCode::ACCEPTED
            }
            None => StatusCode::BAD_REQUEST,
        }
    }
}

fn routes(api: Arc<RuntimeApi>) -> Router {
    let runtime = Router::new()
        .route("/invocation/next", get(next))
        .route("/invocation/{id}/response", post(response))
        .route("/invocation/{id}/error", post(error))
        .route("/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(ANSWER_LIMIT))
        .with_state(api);
    Router::new().nest("/2018-06-01/runtime", runtime)
}

async fn next(State(api): State<Arc<RuntimeApi>>) -> Response {
    let Some(invocation) = api.queue.lock().await.recv().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let deadline = SystemTime::now() + INVOCATION_TIMEOUT;
    let deadline = deadline.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let headers = [
        ("Lambda-Runtime-Aws-Request-Id", invocation.id),
        ("Lambda-Runtime-Deadline-Ms", deadline.to_string()),
        (
            "Lambda-Runtime-Invoked-Function-Arn",
            "arn:aws:lambda:us-east-1:123456789012:function:holdfast-web".to_owned(),
        ),
        (
            "Lambda-Runtime-Trace-Id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0".to_owned(),
        ),
    ];
    (headers, Json(invocation.event)).into_response()
}

async fn response(
    State(api): State<Arc<RuntimeApi>>,
    UrlPath(id): UrlPath<String>,
    body: Result<Bytes, BytesRejection>,
) -> StatusCode {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => {
            let status = rejection.status();
            api.complete(&id, Err(format!("Lambda refuses the answer: {rejection}")));
            return status;
        }
    };
    let answer = serde_json::from_slice(&body)
        .map_err(|error| format!("the answer is not JSON ({error}): {}", text(&body)));
    api.complete(&id, answer)
}

async fn error(State(api): State<Arc<RuntimeApi>>, UrlPath(id): UrlPath<String>, body: Bytes) -> StatusCode {
    let failure = format!("the function reported an error: {}", text(&body));
    api.complete(&id, Err(failure))
}

async fn init_error(State(api): State<Arc<RuntimeApi>>, body: Bytes) -> StatusCode {
    *lock(&api.init_error) = Some(text(&body));
    StatusCode::ACCEPTED
}

/// The variables that Lambda sets for every function, with invalid credentials.
fn lambda_environment() -> [(&'static str, &'static str); 16] {
    [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_FUNCTION_NAME", "holdfast-web"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/holdfast-web"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]stand-in"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
        ("AWS_SESSION_TOKEN", "not-a-token"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("TZ", ":UTC"),
        ("_HANDLER", "bootstrap"),
    ]
}

/// Collects the bootstrap's output from a pipe until its end.
fn collect(pipe: Option<impl Read + Send + 'static>, output: &Arc<Mutex<String>>) {
    let Some(mut pipe) = pipe else { return };
    let output = Arc::clone(output);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            lock(&output).push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    });
}

fn text(body: &Bytes) -> String {
    String::from_utf8_lossy(body).into_owned()
}

/// A poisoned lock means that a test failed while holding it. Its content is only read for the report.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
