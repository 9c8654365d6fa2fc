//! A connection between a browser and a server that can lose replies.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A port that leads to a server. Dropping it closes the port.
pub struct Line {
    url: String,
    swallowing: watch::Sender<bool>,
    listening: JoinHandle<()>,
}

impl Line {
    /// A port to the server at `base`: `http://127.0.0.1:PORT`.
    pub async fn to(base: &str) -> Self {
        let server = base.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a loopback port is free");
        let url = format!("http://{}", listener.local_addr().expect("the port is known"));
        let (swallowing, swallows) = watch::channel(false);
        let listening = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, server.clone(), swallows.clone()));
            }
        });
        Self { url, swallowing, listening }
    }

    /// The address of `path` at this port.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Sets whether replies are lost: requests arrive, and the connection breaks with the first byte of a reply.
    pub fn swallow_replies(&self, swallow: bool) {
        self.swallowing.send_replace(swallow);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Forwards one connection until either side ends it, or a reply is lost.
async fn carry(near: TcpStream, server: String, swallows: watch::Receiver<bool>) {
    let Ok(far) = TcpStream::connect(server).await else { return };
    let (mut from_browser, mut to_browser) = near.into_split();
    let (mut from_server, mut to_server) = far.into_split();
    let requests = tokio::io::copy(&mut from_browser, &mut to_server);
    let replies = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            if *swallows.borrow() || to_browser.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = requests => {}
        () = replies => {}
    }
}
