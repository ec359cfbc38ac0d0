//! A serving replica on a socket of its own, over the database and the bytes of an application, with a replica's login.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use registry::{Blobs, TenantKeys};
use serving::{Predictor, Replica};
use store::{Service, Store};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{PREDICTING, TestApp, masters};

const MAX_CONNECTIONS: u32 = 2;

/// Until it is dropped.
pub struct Running {
    pub address: SocketAddr,
    pub predictor: Predictor,
    _end: DropGuard,
}

impl Running {
    pub async fn over(app: &TestApp) -> Self {
        let url = app.db.url_as(Service::Serving.login());
        let store = Store::connect(&url, MAX_CONNECTIONS, Service::Serving).expect("a good URL");
        let keys = TenantKeys::new(store.clone(), masters());
        let blobs = Blobs::folder(app.blobs.path()).expect("the folder is there");
        let predictor = Predictor::new(blobs.encrypted_with(keys), PREDICTING);
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        let (end, url) = (CancellationToken::new(), format!("http://{address}"));
        let replica =
            Replica { predictor: predictor.clone(), store, masters: Some(masters()), url };
        actix_web::rt::spawn(replica.serve(listener, end.clone()));
        let app = Arc::clone(&app.state);
        while !app.predictor.measured().contains(&address.to_string()) {
            app.predictor.look(&app.store).await.expect("the database answers");
        }
        Self { address, predictor, _end: end.drop_guard() }
    }
}
