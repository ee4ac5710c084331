//! The layer goes in front of the services that people have, and each fault fires there.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use http::StatusCode;
use murphy_core::Seed;
use murphy_fault::{Chaos, Fault, Marker, refuse};
use tests::{Arrivals, Called, Row, SITE, Saw, each_row_holds, ms, rows, web};
use tower::util::BoxCloneService;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const DOWN: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

fn chaos() -> (Chaos, Arrivals) {
    (Chaos::new(Seed::new(42)), Arrivals::default())
}

async fn charge(State(arrivals): State<Arrivals>, request: Request) -> Response {
    let charged = arrivals.note(web::order(request.uri()));
    tokio::time::sleep(ms(10)).await;
    web::reply(charged)
}

fn payments(arrivals: &Arrivals) -> Router {
    Router::new()
        .route("/charge/{order}", get(charge))
        .with_state(arrivals.clone())
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn never_fails(reply: Result<Response, Infallible>) -> Saw {
    match reply {
        Ok(response) => web::saw(&response),
        Err(never) => match never {},
    }
}

fn charged(reply: Result<u64, BoxError>) -> Saw {
    match reply {
        Ok(charged) => Saw::Reply(charged),
        Err(e) => murphy_fault::marker(&*e)
            .map(|_| Saw::Refusal)
            .expect("a marker"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_axum_router_as_a_service() {
    let (chaos, arrivals) = chaos();
    let service = chaos
        .site(SITE)
        .layer()
        .duplicating_with(web::copy::<Body>)
        .refusing(refuse::http(DOWN))
        .altering_requests(web::alter_request)
        .altering_replies(web::alter_reply)
        .layer(payments(&arrivals));
    let ask = |n| web::ask::<Body>("", n);
    each_row_holds(rows(), &chaos, service, &arrivals, ask, never_fails).await;
}

#[tokio::test(start_paused = true)]
async fn axum_with_the_layer_on_its_router() {
    let (chaos, arrivals) = chaos();
    let layer = chaos
        .site(SITE)
        .layer()
        .keyed_by(|request: &Request| web::order(request.uri()))
        .duplicating_with(web::copy::<Body>)
        .refusing(refuse::http(DOWN))
        .altering_requests(web::alter_request)
        .altering_replies(web::alter_reply);
    let router = payments(&arrivals).layer(layer);
    let ask = |n| web::ask::<Body>("", n);
    each_row_holds(rows(), &chaos, router, &arrivals, ask, never_fails).await;
}

#[tokio::test]
async fn axum_with_the_layer_on_its_router_behind_a_socket() {
    let (chaos, arrivals) = chaos();
    let layer = chaos.site(SITE).layer().refusing(refuse::http(DOWN));
    let address = serve(payments(&arrivals).layer(layer)).await;
    let client = reqwest::Client::new();
    let service = service_fn(move |n: u64| {
        let call = client.get(format!("http://{address}/charge/{n}")).send();
        async move { Ok::<_, Infallible>(http::Response::from(call.await.unwrap())) }
    });
    // A marker does not travel over the wire; the status does.
    let saw = |reply: Result<http::Response<_>, _>| match reply {
        Ok(response) if response.status() == DOWN => Saw::Refusal,
        Ok(response) => web::saw(&response),
        Err(never) => match never {},
    };
    let known = |row: &Row| !row.is(&["alter", "duplicate"]) && row.called != Called::Left;
    let rows = rows().into_iter().filter(known);
    each_row_holds(rows, &chaos, service, &arrivals, |n| n, saw).await;
}

#[tokio::test]
async fn reqwest() {
    let (chaos, arrivals) = chaos();
    let address = serve(payments(&arrivals)).await;
    let service = chaos
        .site(SITE)
        .layer()
        .duplicating_with(reqwest::Request::try_clone)
        .refusing(|marker: &Marker| {
            refuse::http::<Bytes, _>(DOWN)(marker).map(reqwest::Response::from)
        })
        .altering_requests(|request: &mut reqwest::Request, _| {
            let order: u64 = request.url().path()[8..].parse().unwrap();
            let altered = format!("/charge/{}", order + 100);
            request.url_mut().set_path(&altered);
        })
        .altering_replies(|response: &mut reqwest::Response, _| {
            let charged: u64 = response.headers()[web::CHARGED]
                .to_str()
                .unwrap()
                .parse()
                .unwrap();
            response
                .headers_mut()
                .insert(web::CHARGED, (charged + 1000).into());
        })
        .layer(reqwest::Client::new());
    let ask = |n| {
        let url = format!("http://{address}/charge/{n}").parse().unwrap();
        reqwest::Request::new(http::Method::GET, url)
    };
    let saw = |reply: Result<reqwest::Response, reqwest::Error>| {
        web::saw(&http::Response::from(reply.unwrap()))
    };
    each_row_holds(rows(), &chaos, service, &arrivals, ask, saw).await;
}

/// Works for 10 ms, and answers who came.
fn work(
    arrivals: &Arrivals,
) -> impl Service<u64, Response = u64, Error = BoxError, Future: Send> + Clone + Send + 'static {
    let arrivals = arrivals.clone();
    service_fn(move |order: u64| {
        let charged = arrivals.note(order);
        async move {
            tokio::time::sleep(ms(10)).await;
            Ok(charged)
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_stack_of_box_errors() {
    let (chaos, arrivals) = chaos();
    let service = ServiceBuilder::new()
        .timeout(ms(60_000))
        .layer(
            chaos
                .site(SITE)
                .layer()
                .duplicating()
                .refusing(refuse::boxed)
                .altering_requests(|order: &mut u64, _| *order += 100)
                .altering_replies(|charged: &mut u64, _| *charged += 1000),
        )
        .concurrency_limit(2)
        .service(work(&arrivals));
    each_row_holds(rows(), &chaos, service, &arrivals, |n| n, charged).await;
}

#[tokio::test(start_paused = true)]
async fn a_boxed_service_that_is_not_sync() {
    let (chaos, arrivals) = chaos();
    let boxed = BoxCloneService::new(work(&arrivals));
    let layered = chaos
        .site(SITE)
        .layer()
        .duplicating()
        .refusing(refuse::boxed)
        .altering_requests(|order: &mut u64, _| *order += 100)
        .altering_replies(|charged: &mut u64, _| *charged += 1000)
        .layer(boxed);
    // And boxed again: still `Clone + Send`, and so is its future.
    let service = BoxCloneService::new(layered);
    each_row_holds(rows(), &chaos, service, &arrivals, |n| n, charged).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_send() {
    let (chaos, arrivals) = chaos();
    let (purse, noted) = (Rc::new(RefCell::new(0)), arrivals.clone());
    let service = chaos
        .site(SITE)
        .layer()
        .local()
        .duplicating()
        .refusing(refuse::boxed)
        .altering_requests(|order: &mut u64, _| *order += 100)
        .altering_replies(|charged: &mut u64, _| *charged += 1000)
        .layer(service_fn(move |order: u64| {
            let (purse, charged) = (Rc::clone(&purse), noted.note(order));
            async move {
                tokio::time::sleep(ms(10)).await;
                *purse.borrow_mut() += charged;
                Ok::<u64, BoxError>(charged)
            }
        }));
    let all = each_row_holds(rows(), &chaos, service, &arrivals, |n| n, charged);
    tokio::task::LocalSet::new().run_until(all).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_no_tower_service() {
    let (chaos, arrivals) = chaos();
    let (site, noted) = (chaos.site(SITE), arrivals.clone());
    let service = service_fn(move |order: u64| {
        let noted = noted.clone();
        let query = move || async move {
            let charged = noted.note(order);
            tokio::time::sleep(ms(10)).await;
            Ok::<u64, Marker>(charged)
        };
        let passing = site.run("order-7", query).duplicating();
        let passing = passing.refusing(|m: &Marker| Err(m.clone()));
        async move { passing.await.map_err(BoxError::from) }
    });
    let rows = rows().into_iter().filter(|row| !row.is(&["alter"]));
    each_row_holds(rows, &chaos, service, &arrivals, |n| n, charged).await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_made_gets_a_map_err_beneath() {
    /// As `hyper::Error`: nobody but its crate can make one.
    #[derive(Debug)]
    struct Unmakeable(());
    #[derive(Debug)]
    enum Trouble {
        Real(Unmakeable),
        Injected(Marker),
    }

    let (chaos, arrivals) = chaos();
    let service = ServiceBuilder::new()
        .layer(
            chaos
                .site(SITE)
                .layer()
                .refusing(|m: &Marker| Err(Trouble::Injected(m.clone()))),
        )
        .map_err(Trouble::Real)
        .service(work(&arrivals).map_err(|_| Unmakeable(())));
    let saw = |reply| match reply {
        Ok(charged) => Saw::Reply(charged),
        Err(Trouble::Injected(marker)) if marker.site.as_ref() == SITE => Saw::Refusal,
        Err(e) => panic!("{e:?}"),
    };
    let rows = rows()
        .into_iter()
        .filter(|row| !row.is(&["alter", "duplicate"]));
    each_row_holds(rows, &chaos, service, &arrivals, |n| n, saw).await;
}

#[test]
fn the_layer_is_all_that_a_router_asks_of_it() {
    fn is_what_axum_asks<L: Clone + Send + Sync + 'static>(_: &L) {}

    let (chaos, _) = chaos();
    let layer = chaos.site(SITE).layer();
    is_what_axum_asks(&layer);
    is_what_axum_asks(
        &layer
            .keyed_by(|n: &u64| *n)
            .duplicating()
            .refusing(refuse::boxed::<u64>),
    );
    is_what_axum_asks(&murphy_fault::FaultLayer::new(
        "private",
        Fault::lost_request(murphy_core::Probability::NEVER),
    ));
}
