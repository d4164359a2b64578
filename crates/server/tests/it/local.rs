//! The unix socket.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Arc;

use keystead_server::{Handler, Limits, ListenError, Response, Server};
use tokio::net::UnixStream;

use crate::support::{ask, echo, get, start, start_with};

fn who() -> Handler {
    Arc::new(|_, peer, _| {
        Box::pin(async move { Response::new(format!("{:?} {:?}", peer.address, peer.unix_uid).into()) })
    })
}

#[tokio::test]
async fn the_socket_is_its_owners_alone_and_goes_with_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("operator.sock");
    let server = start_with(Limits::default(), who(), |server| server.listen_unix(&path).unwrap()).await;
    let file = std::fs::metadata(&path).unwrap();
    assert_eq!(file.permissions().mode() & 0o7777, 0o600);
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let said = ask(&mut stream, &get("/")).await.unwrap();
    assert_eq!(said.body, format!("None Some({})", file.uid()));
    drop(stream);
    server.stop().await;
    assert!(!path.exists());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_flood_over_tcp_does_not_lock_the_operator_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("operator.sock");
    let limits = Limits { max_connections: 1, max_in_flight: 0, ..Limits::default() };
    let server = start_with(limits, echo(), |server| server.listen_unix(&path).unwrap()).await;
    let mut only = server.connect().await;
    assert_eq!(ask(&mut only, &get("/")).await.unwrap().status, 429);
    assert!(server.try_connect(&server.client).await.is_err());
    let mut stream = UnixStream::connect(&path).await.unwrap();
    assert_eq!(ask(&mut stream, &get("/health")).await.unwrap().body, "GET /health ");
}

fn bind(path: &std::path::Path) -> Result<Server, ListenError> {
    let mut server = Server::new(Limits::default(), echo(), Arc::new(|_| Response::default()));
    server.listen_unix(path).map(|()| server)
}

#[tokio::test]
async fn a_dead_socket_is_replaced_and_nothing_else_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let served = bind(&path).expect("the dead socket is replaced");
    assert!(matches!(bind(&path).err(), Some(ListenError::Served { .. })));
    drop(served);
    assert!(!path.exists());

    let file = dir.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    assert!(matches!(bind(&file).err(), Some(ListenError::InTheWay { .. })));
    assert_eq!(std::fs::read(&file).unwrap(), b"precious");
    assert!(matches!(bind(&dir.path().join("no/where")).err(), Some(ListenError::Unix { .. })));
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let server = start(Limits::default(), echo()).await;
    let made = rcgen::generate_simple_self_signed(["a.localhost".to_owned()]).unwrap();
    let key = made.signing_key.serialize_pem();
    let config = keystead_server::tls_config(made.cert.pem().as_bytes(), key.as_bytes()).unwrap();
    let mut second = Server::new(Limits::default(), echo(), Arc::new(|_| Response::default()));
    let refused = second.listen_tls(server.address, config).await.unwrap_err();
    assert!(refused.to_string().contains(&server.address.to_string()), "{refused}");
}
