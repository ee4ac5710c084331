//! The servers that locks are kept in: wiped, and ended and begun again, while their clients look on.

use std::net::SocketAddr;

use etcd_client::{Client, DeleteOptions};
use murphy_lease::conformance::Unable;
use tests::servers;
use tokio::sync::Mutex;

/// A Redis that writes to disk before it answers.
pub(crate) struct Redis {
    pub(crate) address: SocketAddr,
    server: Mutex<servers::Redis>,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let server = servers::Redis::durable().await;
        Self {
            address: server.address(),
            server: Mutex::new(server),
        }
    }

    pub(crate) async fn wipe(&self) -> Result<(), Unable> {
        let said = self.server.lock().await.say("FLUSHALL").await;
        if said.starts_with("+OK") {
            Ok(())
        } else {
            Err(Unable("it refused FLUSHALL"))
        }
    }

    pub(crate) async fn restart(&self) -> Result<(), Unable> {
        let mut server = self.server.lock().await;
        server.kill();
        server.restart().await;
        Ok(())
    }
}

/// An etcd of one node.
pub(crate) struct Etcd {
    pub(crate) address: SocketAddr,
    server: Mutex<servers::Etcd>,
}

impl Etcd {
    /// Waits until it has elected itself.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let server = servers::Etcd::durable().await;
        let client = Client::connect([server.url()], None).await?;
        client.kv_client().get("ready", None).await?;
        Ok(Self {
            address: server.address(),
            server: Mutex::new(server),
        })
    }

    pub(crate) async fn wipe(&self) -> Result<(), Unable> {
        let url = self.server.lock().await.url();
        let wiped = async {
            let client = Client::connect([url], None).await?;
            let all = DeleteOptions::new().with_all_keys();
            client.kv_client().delete("", Some(all)).await
        };
        let wiped = wiped.await.map(|_| ());
        wiped.map_err(|_| Unable("its keys could not be deleted"))
    }

    pub(crate) async fn restart(&self) -> Result<(), Unable> {
        let mut server = self.server.lock().await;
        server.kill();
        server.restart().await;
        Ok(())
    }
}
