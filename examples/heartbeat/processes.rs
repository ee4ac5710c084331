//! The nodes: this binary again and again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use examples::process::orders;
use murphy_core::order::NodeId;
use murphy_detect::Heartbeater;
use murphy_detect::wire::udp::UdpClient;
use tokio::net::UdpSocket;

/// How often a node beats.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);

/// No child outlives this, whatever becomes of its parent.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a node is: it beats, and that is all.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn beat(name: &str, port: u16) -> Result<()> {
    let _orders = orders();
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
    let client = UdpClient::new(socket, ([127, 0, 0, 1], port).into()).listening();
    let _beating = Heartbeater::new(NodeId::try_new(name)?, INTERVAL)?.spawn(client);
    tokio::time::sleep(PATIENCE).await;
    Ok(())
}
