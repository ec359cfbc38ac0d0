//! Threads that compute, and the line before them. A thread that is done takes the next turn itself. What takes hardly
//! more time than to wake a thread for it is computed where it came, unless somebody waits.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use domain::{explain::Explain, predict::Row};
use tokio::{
    sync::{mpsc::UnboundedSender, oneshot},
    time::timeout,
};
use tracing::error;

use crate::{
    Answered, PredictError,
    line::{Line, Ticket, Turn, Waiting},
    loaded::Hot,
};

/// Less than it takes to wake one thread and then the other again.
const QUICK: Duration = Duration::from_micros(50);
/// For which others may wait who ask by the same thread; only while nothing else is computed, so that who comes
/// meanwhile still goes together.
const SHORT: Duration = Duration::from_micros(500);

/// A request's rows, and to whom the answer goes.
pub struct Work {
    pub hot: Arc<Hot>,
    /// Who called, by name.
    pub caller: String,
    pub rows: Vec<Row>,
    pub explain: Option<Explain>,
    pub reply: Reply,
}

pub enum Reply {
    Whole(oneshot::Sender<Result<Answered, PredictError>>),
    /// Its one row's text as it comes; it is as long as its tokens at the most.
    Pieces(UnboundedSender<Piece>),
}

/// Of a text that is told as it comes.
#[derive(Debug)]
pub enum Piece {
    More(String),
    /// The last.
    End(Result<Answered, PredictError>),
}

impl Reply {
    fn is_gone(&self) -> bool {
        match self {
            Self::Whole(to) => to.is_closed(),
            Self::Pieces(to) => to.is_closed(),
        }
    }

    /// Nobody may be there any more.
    fn send(self, answer: Result<Answered, PredictError>) {
        match self {
            Self::Whole(to) => drop(to.send(answer)),
            Self::Pieces(to) => drop(to.send(Piece::End(answer))),
        }
    }
}

/// Ends its threads with itself.
pub struct Pool(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    somebody_waits: Condvar,
    most_rows: usize,
}

struct State {
    line: Line<Work>,
    /// Batches that are being computed.
    computing: usize,
    closed: bool,
}

impl Pool {
    pub fn start(name: &str, threads: usize, most_rows: usize) -> Self {
        let state = Mutex::new(State { line: Line::new(), computing: 0, closed: false });
        let shared = Arc::new(Shared { state, somebody_waits: Condvar::new(), most_rows });
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&shared);
            let started = thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || shared.work());
            started.expect("the system has room for a thread");
        }
        Self(shared)
    }

    /// When the answer does not come in time, and nobody has begun with it, it is not waited for.
    pub async fn ask(
        &self,
        waiting: Waiting<Work>,
        answer: oneshot::Receiver<Result<Answered, PredictError>>,
    ) -> Result<Answered, PredictError> {
        if self.0.begins_here(&waiting) {
            self.0.compute(vec![waiting]);
            return answer.await.unwrap_or(Err(PredictError::Broken));
        }
        let within = waiting.until.duration_since(waiting.since);
        let (hot, caller) = (Arc::clone(&waiting.work.hot), waiting.work.caller.clone());
        let ticket = self.enter(waiting)?;
        let mut answer = answer;
        if let Ok(answer) = timeout(within, &mut answer).await {
            return answer.unwrap_or(Err(PredictError::Broken));
        }
        if self.leave(ticket) {
            hot.stats.failed(&caller, within);
            return Err(PredictError::Late(within));
        }
        answer.await.unwrap_or(Err(PredictError::Broken))
    }

    pub fn enter(&self, waiting: Waiting<Work>) -> Result<Ticket, PredictError> {
        let ticket = self.0.state().line.enter(waiting);
        self.0.somebody_waits.notify_one();
        ticket.map_err(PredictError::Full)
    }

    fn leave(&self, ticket: Ticket) -> bool {
        self.0.state().line.leave(ticket)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.somebody_waits.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(batch) = self.next() {
            self.compute(batch);
        }
    }

    /// What [`Self::next`] or [`Self::begins_here`] has counted.
    fn compute(&self, batch: Vec<Waiting<Work>>) {
        // whoever waits for it is told so by the sender that is dropped
        if catch_unwind(AssertUnwindSafe(|| compute(batch))).is_err() {
            error!("a computation broke off");
        }
        self.state().computing -= 1;
    }

    /// Whether it is computed by the thread that has read it.
    fn begins_here(&self, waiting: &Waiting<Work>) -> bool {
        let Waiting { rows, work: Work { hot, explain, .. }, .. } = waiting;
        let are_quicker = |than| explain.is_none() && hot.stats.are_quicker(*rows, than);
        let mut state = self.state();
        let is_next = state.line.is_empty()
            && (are_quicker(QUICK) || (state.computing == 0 && are_quicker(SHORT)));
        state.computing += usize::from(is_next);
        is_next
    }

    /// Waits for a turn; none at the end.
    fn next(&self) -> Option<Vec<Waiting<Work>>> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            let now = Instant::now();
            let Turn { batch, late } =
                state.line.next(now, self.most_rows, |work| work.reply.is_gone());
            for Waiting { since, until, work, .. } in late {
                work.hot.stats.failed(&work.caller, now.duration_since(since));
                work.reply.send(Err(PredictError::Late(until.duration_since(since))));
            }
            if !batch.is_empty() {
                state.computing += 1;
                return Some(batch);
            }
            let woken = self.somebody_waits.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn compute(batch: Vec<Waiting<Work>>) {
    if batch.len() > 1 && batch.iter().any(|waiting| waiting.work.explain.is_some()) {
        // what takes as long as many rows is nobody else's time
        return batch.into_iter().for_each(|one| compute(vec![one]));
    }
    let begun = Instant::now();
    let Some(first) = batch.first() else { return };
    let (hot, explain) = (Arc::clone(&first.work.hot), first.work.explain);
    let rows = batch.iter().map(|waiting| waiting.rows).sum();
    let mut asked = Vec::with_capacity(batch.len());
    let mut replies = Vec::with_capacity(batch.len());
    for Waiting { since, work, .. } in batch {
        asked.push(work.rows);
        replies.push((begun.duration_since(since), work.caller, work.reply));
    }
    let answers = match (replies.as_slice(), asked.as_slice()) {
        ([(.., Reply::Pieces(to))], [rows]) => {
            let mut told = |piece: &str| to.send(Piece::More(piece.to_owned())).is_ok();
            let answer = match rows.as_slice() {
                [row] => hot.model.generate_in_pieces(row, &mut told).map(|text| vec![text]),
                _ => unreachable!("a text that is told as it comes is one row's"),
            };
            vec![answer]
        }
        _ => match explain {
            Some(how) => asked.iter().map(|rows| hot.model.explain(rows, how)).collect(),
            None => hot.model.predict_each(&asked),
        },
    };
    let took = begun.elapsed();
    hot.stats.passed(rows, took);
    for (answer, (waited, caller, reply)) in answers.into_iter().zip(replies) {
        match &answer {
            Ok(predictions) => hot.stats.answered(&caller, predictions.len(), waited, took),
            Err(_) => hot.stats.failed(&caller, waited + took),
        }
        let answered = |predictions| Answered { predictions, batch_rows: rows, waited, took };
        reply.send(answer.map(answered).map_err(PredictError::Rows));
    }
}
