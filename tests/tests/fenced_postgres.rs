//! The fenced store in a real PostgreSQL, and a table of a user's own.

use murphy_lease::fence::{
    FencedStore, FencedStoreError, PostgresError, PostgresFenced, Refused, SqlFence,
};
use tests::fenced::{keeps_order_among_many, keeps_the_contract, token};
use tests::ms;
use tests::servers::Postgres;
use tokio::sync::Barrier;
use tokio_postgres::{Client, NoTls};

async fn store(server: &Postgres) -> PostgresFenced {
    let store = PostgresFenced::try_new(&server.url()).unwrap();
    store.migrate().await.unwrap();
    store
}

async fn connected(server: &Postgres) -> Client {
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_the_contract_and_order_among_many() {
    let server = Postgres::start().await;
    let store = store(&server).await;
    store.migrate().await.expect("a second time, too");
    keeps_the_contract(store.clone(), |store, horizon, clock| {
        store.horizon(horizon).clock(clock)
    })
    .await;
    keeps_order_among_many(store).await;
}

/// Each with a connection of its own, so that statements wait for each other's rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_race_for_a_row_end_in_the_order_of_ranks() {
    let server = Postgres::start().await;
    let stores = [store(&server).await, store(&server).await];
    for race in 0..200 {
        let (older, newer) = (token(2 * race + 1, 1), token(2 * race + 2, 2));
        let (first, second) = tokio::join!(
            stores[0].write("alice", &older, b"old".to_vec()),
            stores[1].write("alice", &newer, b"new".to_vec()),
        );
        second.expect("the newer one is admitted whenever it comes");
        if let Err(error) = first {
            let current = newer.rank();
            assert_eq!(error.refused(), Some(&Refused::Stale { current }));
        }
        let value = stores[0].read_fenced("alice", &newer).await.unwrap();
        assert_eq!(value, Some(b"new".to_vec()));
    }
}

#[tokio::test]
async fn it_comes_back_after_the_server_and_knows_what_it_knew() {
    let mut server = Postgres::durable().await;
    let store = store(&server).await.patience(ms(2000));
    let own = token(34, 2);
    let done = store.write_once("alice", &own, 1, b"100".to_vec()).await;
    done.unwrap();
    server.kill();
    let down = store.write_once("alice", &own, 2, b"50".to_vec()).await;
    assert!(matches!(down, Err(FencedStoreError::Store(_))));
    server.restart().await;
    // It recovers first, and refuses connections meanwhile.
    let mut tries = 0;
    let sealed = loop {
        match store.seal("alice", &own).await {
            Ok(sealed) => break sealed,
            Err(FencedStoreError::Store(_)) if tries < 300 => tries += 1,
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(ms(100)).await;
    };
    assert_eq!((sealed.value, sealed.op), (Some(b"100".to_vec()), Some(1)));
    let late = store.write("alice", &token(33, 1), b"0".to_vec()).await;
    let current = own.rank();
    let refused = late.unwrap_err();
    assert_eq!(refused.refused(), Some(&Refused::Stale { current }));
}

/// Stopped, the server answers nothing: the call ends all the same, and the connection is not used again.
#[tokio::test]
async fn a_server_that_hangs_is_waited_for_no_longer_than_said() {
    let server = Postgres::start().await;
    let store = store(&server).await.patience(ms(500));
    store.seal("alice", &token(1, 1)).await.unwrap();
    server.stop();
    let silent = store.seal("alice", &token(2, 2)).await;
    assert!(matches!(
        silent,
        Err(FencedStoreError::Store(PostgresError::Silent { .. }))
    ));
    server.go_on();
    let sealed = store.patience(ms(30_000)).seal("alice", &token(2, 2)).await;
    sealed.expect("whether the first one came through or not");
}

#[tokio::test]
async fn what_it_cannot_do_is_said() {
    let odd = PostgresFenced::try_new("nonsense").unwrap_err();
    assert!(matches!(odd, PostgresError::Config(_)));
    let server = Postgres::start().await;
    let bare = PostgresFenced::try_new(&server.url()).unwrap();
    let said = bare.seal("alice", &token(1, 1)).await.unwrap_err();
    let FencedStoreError::Store(said) = said else {
        panic!("{said:?}");
    };
    assert!(said.to_string().contains("no table"), "{said}");
    let store = store(&server).await;
    store.seal("alice", &token(1, 1)).await.unwrap();
    let client = connected(&server).await;
    let torn = "UPDATE murphy_fenced SET fence = ''";
    client.batch_execute(torn).await.unwrap();
    let corrupt = store.read_fenced("alice", &token(1, 1)).await;
    assert!(matches!(
        corrupt,
        Err(FencedStoreError::Store(PostgresError::Corrupt { .. }))
    ));
}

/// The textbook's check-then-write and one statement, in a table of the user's: both writers look, the older one dawdles.
#[tokio::test]
async fn a_predicate_in_a_table_of_yours_refuses_what_a_check_lets_through() {
    let server = Postgres::start().await;
    let (one, other) = (connected(&server).await, connected(&server).await);
    let table = "CREATE TABLE accounts (id text PRIMARY KEY, balance bigint NOT NULL,
        fence bytea NOT NULL DEFAULT '');
        INSERT INTO accounts VALUES ('checked', 0), ('fenced', 0)";
    one.batch_execute(table).await.unwrap();
    let (older, newer) = (SqlFence::of(&token(33, 1)), SqlFence::of(&token(34, 2)));

    // The chapter: two statements.
    let (checked, written) = (Barrier::new(2), Barrier::new(2));
    let plain = "UPDATE accounts SET balance = $1, fence = $2 WHERE id = 'checked'";
    let check = "SELECT fence FROM accounts WHERE id = 'checked'";
    let slow = async {
        let row = one.query_one(check, &[]).await.unwrap();
        older.judge(row.get(0)).expect("it is not stale yet");
        checked.wait().await;
        written.wait().await;
        one.execute(plain, &[&33_i64, &older.whole()])
            .await
            .unwrap()
    };
    let quick = async {
        checked.wait().await;
        let done = other.execute(plain, &[&34_i64, &newer.whole()]).await;
        written.wait().await;
        done.unwrap()
    };
    assert_eq!(tokio::join!(slow, quick), (1, 1));

    // One statement each, in the same order.
    let admits = SqlFence::predicate("fence", 1).unwrap();
    let fenced =
        format!("UPDATE accounts SET balance = $3, fence = $1 WHERE id = 'fenced' AND {admits}");
    let put = async |client: &Client, fence: &SqlFence, balance: i64| {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&fence.whole(), &fence.rank(), &balance];
        client.execute(&fenced, &parameters).await.unwrap()
    };
    assert_eq!(put(&other, &newer, 34).await, 1);
    assert_eq!(put(&one, &older, 33).await, 0, "no row was changed");
    assert_eq!(put(&other, &newer, 35).await, 1, "its holder goes on");
    let rows = "SELECT id, balance, fence FROM accounts ORDER BY id";
    let rows = one.query(rows, &[]).await.unwrap();
    let balances: Vec<i64> = rows.iter().map(|row| row.get(1)).collect();
    assert_eq!(balances, [33, 35], "the check lost the newer write");
    let current = token(34, 2).rank();
    let why = older.judge(rows[1].get(2));
    assert_eq!(why, Err(Refused::Stale { current }));
}
