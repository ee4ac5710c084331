//! What every store of leases promises, of the one in a file: in its process, and through its socket.

use murphy_lease::FileStore;
use tests::lease::{Kind, holds};
use tests::ms;

const KIND: Kind = Kind {
    shortest: ms(1),
    late: ms(20),
    waits: true,
    is_fair: true,
    catches_up: false,
};

#[tokio::test]
async fn the_contract_holds() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(folder.path().join("leases")).unwrap();
    holds(&store, KIND).await;
}

#[cfg(unix)]
#[tokio::test]
async fn the_contract_holds_through_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(folder.path().join("leases")).unwrap();
    let socket = folder.path().join("socket");
    let _served = store.serve(&socket).unwrap();
    holds(&murphy_lease::FileClient::new(socket), KIND).await;
}
