//! A gateway's replicas, by sockets that behave as replicas do and as they do not.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use domain::{Digest, ModelId, ReplicaId, Timestamp, replica::ranked};
use store::replicas::{Replica, Secret};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::{
    fleet::Fleet,
    remote::{List, Remote},
    wire::{self, Told, framed},
};
use crate::{Piece, PredictError};

const VERSION: (ModelId, u32) = (ModelId::NIL, 1);

/// What one does with each question, once it has come.
#[derive(Clone)]
enum Does {
    Answer(&'static str),
    /// Without a word.
    Close,
    Refuse,
    /// For ever; whoever looks is told that it was asked.
    Wait(mpsc::UnboundedSender<()>),
    /// One piece of a text, and no end.
    BreakOff,
}

struct World {
    fleet: Fleet,
    /// By their rank for the version.
    list: Vec<Arc<Remote>>,
}

impl World {
    /// The first answers for the version.
    async fn of(all: Vec<Does>) -> Self {
        let mut sockets = Vec::new();
        for _ in &all {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            sockets.push((url, Some(listener)));
        }
        let names: Vec<_> = sockets.iter().map(|(url, _)| url.as_str()).collect();
        let ranks = ranked(&names, VERSION);
        let mut list = Vec::new();
        for (place, does) in ranks.into_iter().zip(all) {
            let listener = sockets[place].1.take().unwrap();
            tokio::spawn(async move {
                while let Ok((socket, _)) = listener.accept().await {
                    tokio::spawn(behave(socket, does.clone()));
                }
            });
            let row = Replica {
                id: ReplicaId::generate(),
                url: sockets[place].0.clone(),
                secret: Secret::Plain(vec![]),
                leaving: false,
                heartbeat_at: Timestamp::UNIX_EPOCH,
            };
            list.push(Arc::new(Remote::new(&row, Digest::of(b"secret")).unwrap()));
        }
        let world = Self { fleet: Fleet::new(None), list };
        world.know(world.list.clone());
        world
    }

    fn know(&self, list: Vec<Arc<Remote>>) {
        self.fleet.set(List::from(list));
    }

    async fn ask(&self) -> Result<Option<String>, PredictError> {
        let answer = self.fleet.ask::<String>(VERSION, wire::PREDICT, b"question".to_vec()).await;
        Ok(answer?.map(|(answer, _)| answer))
    }

    /// How often each did not answer.
    fn unreached(&self) -> Vec<u64> {
        self.list.iter().map(|one| one.unreached.load(Ordering::Relaxed)).collect()
    }
}

/// One request for each connection.
async fn behave(mut socket: TcpStream, does: Does) {
    let mut seen = Vec::new();
    while !seen.ends_with(b"question") {
        let mut buffer = [0; 1_024];
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => seen.extend_from_slice(&buffer[..count]),
        }
    }
    let text = String::from_utf8(seen).unwrap();
    assert!(text.starts_with("POST /serving/"), "{text}");
    let credential = format!("authorization: Bearer {}", Digest::of(b"secret"));
    assert!(text.lines().any(|line| line == credential), "{text}");
    let ok = |length: usize, body: &Bytes| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        [head.as_bytes(), body].concat()
    };
    match does {
        Does::Answer(text) => {
            let body = framed(&text);
            socket.write_all(&ok(body.len(), &body)).await.unwrap();
        }
        Does::Close => {}
        Does::Refuse => {
            let head = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
            socket.write_all(head.as_bytes()).await.unwrap();
        }
        Does::Wait(asked) => {
            asked.send(()).unwrap();
            std::future::pending::<()>().await;
        }
        Does::BreakOff => {
            let body = framed(&Told::More("once".to_owned()));
            socket.write_all(&ok(1_000, &body)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_one_of_the_version_is_asked_and_after_it_the_next() {
    let world = World::of(vec![Does::Answer("one"), Does::Answer("two")]).await;
    assert_eq!(world.ask().await.unwrap().unwrap(), "one");
    world.know(world.list[1..].to_vec());
    assert_eq!(world.ask().await.unwrap().unwrap(), "two");
    world.know(vec![]);
    assert_eq!(world.ask().await.unwrap(), None);
}

#[tokio::test]
async fn what_is_not_answered_is_asked_once_more_and_who_did_not_answer_rests() {
    for does in [Does::Close, Does::Refuse] {
        let world = World::of(vec![does, Does::Answer("two")]).await;
        for _ in 0..3 {
            assert_eq!(world.ask().await.unwrap().unwrap(), "two");
            assert_eq!(world.unreached(), [1, 0], "it was asked once");
        }
        // the same heartbeat is no new one
        world.list[0].heard(Timestamp::UNIX_EPOCH, false);
        world.ask().await.unwrap().unwrap();
        assert_eq!(world.unreached(), [1, 0]);
        world.list[0].heard(Timestamp::UNIX_EPOCH + chrono::TimeDelta::seconds(1), false);
        assert_eq!(world.ask().await.unwrap().unwrap(), "two");
        assert_eq!(world.unreached(), [2, 0]);
    }
}

#[tokio::test]
async fn where_nobody_else_is_left_the_gateway_answers_itself() {
    let world = World::of(vec![Does::Close]).await;
    assert_eq!(world.ask().await.unwrap(), None);
    assert_eq!(world.unreached(), [1]);
}

#[tokio::test]
async fn nothing_is_asked_a_third_time() {
    let world = World::of(vec![Does::Close, Does::Close, Does::Answer("three")]).await;
    assert!(matches!(world.ask().await, Err(PredictError::Unreached)));
    assert_eq!(world.ask().await.unwrap().unwrap(), "three");
    assert_eq!(world.unreached(), [1, 1, 0]);
}

#[tokio::test]
async fn one_that_hangs_is_waited_for_until_it_is_given_up() {
    let (to, mut asked) = mpsc::unbounded_channel();
    let world = World::of(vec![Does::Wait(to), Does::Answer("two")]).await;
    let give_up = async {
        asked.recv().await.unwrap();
        world.know(world.list[1..].to_vec());
    };
    let (answer, ()) = tokio::join!(world.ask(), give_up);
    assert_eq!(answer.unwrap().unwrap(), "two");
}

#[tokio::test]
async fn one_that_leaves_finishes_and_is_asked_no_more() {
    let (to, mut asked) = mpsc::unbounded_channel();
    let world = World::of(vec![Does::Wait(to), Does::Answer("two")]).await;
    let question = world.ask();
    let leave = async {
        asked.recv().await.unwrap();
        world.list[0].heard(Timestamp::UNIX_EPOCH + chrono::TimeDelta::seconds(1), true);
        assert_eq!(world.ask().await.unwrap().unwrap(), "two");
        assert_eq!(world.unreached(), [0, 0]);
    };
    tokio::select! {
        _ = question => panic!("it was given up"),
        () = leave => {}
    }
}

#[tokio::test]
async fn a_text_that_breaks_off_ends_with_an_error() {
    let world = World::of(vec![Does::BreakOff, Does::Answer("two")]).await;
    let asked = world.fleet.ask::<Told>(VERSION, wire::GENERATE, b"question".to_vec()).await;
    let (first, mut saying) = asked.unwrap().unwrap();
    assert!(matches!(first, Told::More(text) if text == "once"));
    assert!(matches!(saying.piece().await, Piece::End(Err(PredictError::Unreached))));
    assert_eq!(world.unreached(), [0, 0], "it is not asked elsewhere");
}
