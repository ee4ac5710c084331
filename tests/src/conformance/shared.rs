//! Servers that locks are kept in: wiped, and ended and begun again, while their clients look on.

use std::net::SocketAddr;

use etcd_client::{Client, DeleteOptions};
use murphy_lease::conformance::Unable;
use tokio::sync::Mutex;

use crate::servers;

/// A Redis that writes to disk before it answers.
#[derive(Debug)]
pub struct Redis {
    /// Where it listens.
    pub address: SocketAddr,
    server: Mutex<servers::Redis>,
}

impl Redis {
    /// A new one.
    pub async fn start() -> Self {
        let server = servers::Redis::durable().await;
        Self {
            address: server.address(),
            server: Mutex::new(server),
        }
    }

    /// It forgets all that it knows.
    ///
    /// # Errors
    ///
    /// [`Unable`], if it does not.
    pub async fn wipe(&self) -> Result<(), Unable> {
        let said = self.server.lock().await.say("FLUSHALL").await;
        if said.starts_with("+OK") {
            Ok(())
        } else {
            Err(Unable("it refused FLUSHALL"))
        }
    }

    /// It is killed, and started again where it was.
    pub async fn restart(&self) {
        let mut server = self.server.lock().await;
        server.kill();
        server.restart().await;
    }
}

/// An etcd of one node.
#[derive(Debug)]
pub struct Etcd {
    /// Where it listens.
    pub address: SocketAddr,
    server: Mutex<servers::Etcd>,
}

impl Etcd {
    /// A new one, that has elected itself.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    pub async fn start() -> Self {
        let server = servers::Etcd::durable().await;
        let client = Client::connect([server.url()], None).await;
        let ready = client
            .expect("an address")
            .kv_client()
            .get("ready", None)
            .await;
        ready.expect("it answers");
        Self {
            address: server.address(),
            server: Mutex::new(server),
        }
    }

    /// It forgets all that it knows.
    ///
    /// # Errors
    ///
    /// [`Unable`], if it does not.
    pub async fn wipe(&self) -> Result<(), Unable> {
        let url = self.server.lock().await.url();
        let wiped = async {
            let client = Client::connect([url], None).await?;
            let all = DeleteOptions::new().with_all_keys();
            client.kv_client().delete("", Some(all)).await
        };
        let wiped = wiped.await.map(|_| ());
        wiped.map_err(|_| Unable("its keys could not be deleted"))
    }

    /// It is killed, and started again where it was.
    pub async fn restart(&self) {
        let mut server = self.server.lock().await;
        server.kill();
        server.restart().await;
    }
}
