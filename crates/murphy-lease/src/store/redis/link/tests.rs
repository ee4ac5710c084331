use std::future::ready;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

fn runtime() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap()
}

#[test]
fn a_connection_of_no_use_is_told() {
    let runtime = runtime();
    let told = |name: &str| name == "lease.redialled";
    crate::heard::is_told(crate::heard::STORES, told, || {
        runtime.block_on(async {
            let client = Client::open("redis://127.0.0.1:1").unwrap();
            let link = link_to(client, Duration::from_millis(2));
            let asked = link.begin();
            tokio::time::sleep(Duration::from_millis(2)).await;
            drop(asked);
        });
    });
}

#[tokio::test]
async fn a_dial_outlives_whoever_asked_for_it() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", server.local_addr().unwrap());
    let mut link = link_to(Client::open(url).unwrap(), Duration::from_secs(60));
    let ping = redis::cmd("PING");
    assert!(link.req_packed_command(&ping).now_or_never().is_none());
    let (mut dialled, _) = server.accept().await.unwrap();
    // What a client says of itself: nobody waits for the connection any more.
    assert!(dialled.read_u8().await.is_ok());
}

#[test]
fn a_dial_that_ends_with_its_runtime_is_begun_again_in_another() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", server.local_addr().unwrap());
    let mut link = link_to(Client::open(url).unwrap(), Duration::from_secs(60));
    let ping = redis::cmd("PING");
    runtime().block_on(async {
        assert!(link.req_packed_command(&ping).now_or_never().is_none());
        // It is under way.
        tokio::task::yield_now().await;
    });
    runtime().block_on(async {
        let gone = link.req_packed_command(&ping).await.unwrap_err();
        assert!(gone.is_io_error(), "{gone}");
        assert!(link.req_packed_command(&ping).now_or_never().is_none());
        assert!(matches!(link.line().way, Some(Way::Dialled(_))));
    });
}

#[tokio::test]
async fn whoever_hangs_up_is_dialled_anew_and_not_at_once() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", server.local_addr().unwrap());
    let mut link = link_to(Client::open(url).unwrap(), Duration::from_secs(60));
    let ping = redis::cmd("PING");
    let hangs_up = async { drop(server.accept().await.unwrap()) };
    let (hung_up, ()) = tokio::join!(link.req_packed_command(&ping), hangs_up);
    assert!(hung_up.is_err_and(|e| e.is_io_error()));
    let again = Instant::now() + PAUSE;
    for _ in 0..1_000 {
        assert!(link.req_packed_command(&ping).now_or_never().is_none());
    }
    assert!(server.accept().await.is_ok());
    assert!(Instant::now() + Duration::from_millis(10) > again);
    assert_eq!(link.line().number, 2, "one dial for all");
}

fn link_to(client: Client, timeout: Duration) -> RedisLink {
    let address = move || ready(Ok(client.clone())).boxed();
    RedisLink::new(Box::new(address), timeout)
}

/// One that is up, and answers nothing.
async fn silent() -> MultiplexedConnection {
    let (ours, mut theirs) = tokio::io::duplex(1024);
    let client = Client::open("redis://127.0.0.1:1").unwrap();
    tokio::spawn(async move {
        let _ = theirs.read_u8().await;
        // What it says when it comes up.
        theirs.write_all(b"+OK\r\n+OK\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    let (info, config) = (client.get_connection_info(), AsyncConnectionConfig::new());
    let config = config.set_response_timeout(None);
    let info = info.redis_settings();
    let up = MultiplexedConnection::new_with_config(info, ours, config);
    let (connection, driver) = up.await.unwrap();
    tokio::spawn(driver);
    connection
}

fn is_up(link: &RedisLink) -> bool {
    matches!(link.line().way, Some(Way::Up(_)))
}

const LIMIT: Duration = Duration::from_secs(1);

fn nobody() -> RedisLink {
    link_to(Client::open("redis://127.0.0.1:1").unwrap(), LIMIT)
}

/// Whoever asks, and gives up after so many milliseconds.
async fn waits_in_vain(link: &RedisLink, millis: u64) {
    let (ping, mut link) = (redis::cmd("PING"), link.clone());
    let patience = Duration::from_millis(millis);
    let reply = tokio::time::timeout(patience, link.req_packed_command(&ping)).await;
    assert!(reply.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_left_however_short_each_waits() {
    let link = nobody();
    let up = silent().await;
    link.line().way = Some(Way::Up(up));
    for _ in 0..5 {
        assert!(is_up(&link));
        waits_in_vain(&link, 101).await;
    }
    assert!(!is_up(&link));
}

#[tokio::test(start_paused = true)]
async fn a_dial_is_not_begun_again_while_it_is_under_way() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", server.local_addr().unwrap());
    let link = link_to(Client::open(url).unwrap(), LIMIT);
    for left_early in [600, 300] {
        waits_in_vain(&link, left_early).await;
        assert_eq!(link.line().number, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_dial_took_is_no_silence_of_the_connection() {
    let link = nobody();
    let (tell, told) = oneshot::channel();
    link.line().way = Some(Way::Dialled(told.shared()));
    let up = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let _ = tell.send(Ok(silent().await));
    };
    tokio::join!(up, waits_in_vain(&link, 1000));
    assert!(is_up(&link));
}

/// A runtime that nobody runs ends nothing.
#[test]
fn a_dial_that_gets_nowhere_is_begun_again() {
    let runtime = |is_paused| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(is_paused);
        runtime.build().unwrap()
    };
    let (link, ping) = (nobody(), redis::cmd("PING"));
    let stands_still = runtime(false);
    stands_still.block_on(async {
        let mut link = link.clone();
        assert!(link.req_packed_command(&ping).now_or_never().is_none());
    });
    runtime(true).block_on(async {
        for _ in 0..11 {
            if link.line().way.is_some() {
                waits_in_vain(&link, 100).await;
            }
        }
        assert!(link.line().way.is_none());
    });
}

#[tokio::test(start_paused = true)]
async fn who_does_not_say_where_it_is_is_not_waited_for() {
    let nowhere = || std::future::pending().boxed();
    let mut link = RedisLink::new(Box::new(nowhere), LIMIT);
    let began = Instant::now();
    let late = link.req_packed_command(&redis::cmd("PING")).await;
    assert!(late.is_err_and(|e| e.is_timeout()));
    assert!(began.elapsed() <= LIMIT + Duration::from_millis(1));
}
