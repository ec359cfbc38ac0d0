//! From one word to tokens, by each kind of tokenizer.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::LazyLock,
};

use super::{
    merges::Pair,
    vocabulary::{UNKNOWN, Vocabulary},
};

/// What marks a token inside a word, in WordPiece.
pub(super) const CONTINUING: &str = "##";
/// Longer words are unknown as a whole, as in BERT.
pub(super) const MAX_WORD_CHARS: usize = 100;
/// Longer pieces are encoded part by part, so that no text takes more time than its length asks for.
const MAX_PIECE_BYTES: usize = 4_096;

#[derive(Debug, PartialEq)]
pub(super) enum Model {
    /// A word or a character is one token.
    Whole(Vocabulary),
    WordPiece(Vocabulary),
    Bpe(Bpe),
}

#[derive(Debug, PartialEq)]
pub(super) struct Bpe {
    pub vocabulary: Vocabulary,
    /// In the order in which they were learned.
    pub merges: Vec<Pair>,
    bytes: Vec<u32>,
    /// A pair's place in `merges` and the token that it makes.
    ranks: HashMap<Pair, (u32, u32)>,
}

impl Model {
    pub fn vocabulary(&self) -> &Vocabulary {
        match self {
            Self::Whole(vocabulary) | Self::WordPiece(vocabulary) => vocabulary,
            Self::Bpe(bpe) => &bpe.vocabulary,
        }
    }

    /// Appends a word's tokens; may stop once there are `enough` in all.
    pub fn encode(&self, word: &str, enough: usize, out: &mut Vec<u32>) {
        match self {
            Self::Whole(vocabulary) => out.push(vocabulary.id(word).unwrap_or(UNKNOWN)),
            Self::WordPiece(vocabulary) => {
                let start = out.len();
                if !word_pieces(vocabulary, word, out) {
                    out.truncate(start);
                    out.push(UNKNOWN);
                }
            }
            Self::Bpe(bpe) => {
                for piece in word.as_bytes().chunks(MAX_PIECE_BYTES) {
                    if out.len() >= enough {
                        return;
                    }
                    bpe.encode(piece, out);
                }
            }
        }
    }

    pub fn decode(&self, ids: &[u32]) -> String {
        let vocabulary = self.vocabulary();
        match self {
            Self::Whole(_) => ids.iter().map(|&id| vocabulary.token(id)).collect(),
            Self::WordPiece(_) => {
                let mut text = String::new();
                for &id in ids {
                    match vocabulary.token(id).strip_prefix(CONTINUING) {
                        Some(rest) if !rest.is_empty() => text.push_str(rest),
                        _ => {
                            text.push_str(if text.is_empty() { "" } else { " " });
                            text.push_str(vocabulary.token(id));
                        }
                    }
                }
                text
            }
            Self::Bpe(_) => {
                let mut bytes = vec![];
                for &id in ids {
                    match vocabulary.token(id) {
                        token if id <= UNKNOWN => bytes.extend_from_slice(token.as_bytes()),
                        token => bytes.extend(token.chars().filter_map(byte)),
                    }
                }
                String::from_utf8_lossy(&bytes).into_owned()
            }
        }
    }
}

/// The longest token that the rest of the word begins with, again and again (Wu et al., 2016). False if
/// some part is no token.
fn word_pieces(vocabulary: &Vocabulary, word: &str, out: &mut Vec<u32>) -> bool {
    if word.chars().nth(MAX_WORD_CHARS).is_some() {
        return false;
    }
    let mut rest = word.to_owned();
    let mut marked = 0;
    while rest.len() > marked {
        let mut end = rest.floor_char_boundary(vocabulary.longest_bytes());
        let id = loop {
            if end <= marked {
                return false;
            }
            if let Some(id) = vocabulary.id(&rest[..end]) {
                break id;
            }
            end = rest.floor_char_boundary(end - 1);
        };
        out.push(id);
        marked = CONTINUING.len();
        rest.replace_range(..end, CONTINUING);
    }
    true
}

impl Bpe {
    /// `merges` name tokens of the vocabulary; one whose joined token it lacks is an error.
    pub fn new(vocabulary: Vocabulary, merges: Vec<Pair>) -> Result<Self, String> {
        let bytes = (0..=u8::MAX).map(|b| vocabulary.id(sign(b).encode_utf8(&mut [0; 4])));
        let bytes = bytes.map(|id| id.unwrap_or(UNKNOWN)).collect();
        let mut ranks = HashMap::with_capacity(merges.len());
        for (rank, &pair) in merges.iter().enumerate() {
            let joined = format!("{}{}", vocabulary.token(pair.0), vocabulary.token(pair.1));
            let id = vocabulary
                .id(&joined)
                .ok_or_else(|| format!("merge {rank} makes `{joined}`, which is no token"))?;
            ranks.entry(pair).or_insert((rank as u32, id));
        }
        Ok(Self { vocabulary, merges, bytes, ranks })
    }

    /// Joins the pair that was learned first, the leftmost of equals, until none is left.
    fn encode(&self, piece: &[u8], out: &mut Vec<u32>) {
        let mut symbols: Vec<u32> = piece.iter().map(|&b| self.bytes[usize::from(b)]).collect();
        // Places of the neighbours that are still there; a joined symbol's second place is `GONE`.
        const GONE: u32 = u32::MAX;
        let mut next: Vec<usize> = (1..=symbols.len()).collect();
        let mut previous: Vec<Option<usize>> =
            (0..symbols.len()).map(|i| i.checked_sub(1)).collect();
        let mut queue = BinaryHeap::new();
        let offer = |queue: &mut BinaryHeap<_>, symbols: &[u32], a: usize, b: usize| {
            if let Some(&(rank, id)) = self.ranks.get(&(symbols[a], symbols[b])) {
                queue.push(Reverse((rank, a, b, symbols[a], symbols[b], id)));
            }
        };
        for b in 1..symbols.len() {
            offer(&mut queue, &symbols, b - 1, b);
        }
        while let Some(Reverse((_, a, b, first, second, id))) = queue.pop() {
            if next[a] != b || (symbols[a], symbols[b]) != (first, second) {
                continue;
            }
            (symbols[a], symbols[b]) = (id, GONE);
            next[a] = next[b];
            if next[a] < symbols.len() {
                previous[next[a]] = Some(a);
                offer(&mut queue, &symbols, a, next[a]);
            }
            if let Some(before) = previous[a] {
                offer(&mut queue, &symbols, before, a);
            }
        }
        out.extend(symbols.into_iter().filter(|&id| id != GONE));
    }
}

/// The printable character that stands for a byte, as in GPT-2: printable ones for themselves, the
/// others in order from U+0100.
pub(super) fn sign(byte: u8) -> char {
    SIGNS[usize::from(byte)]
}

/// The byte that a character stands for.
pub(super) fn byte(sign: char) -> Option<u8> {
    BYTES.get(&sign).copied()
}

static SIGNS: LazyLock<Vec<char>> = LazyLock::new(|| {
    let mut others = '\u{100}'..='\u{1ff}';
    let sign = |b: u8| match b {
        b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(b),
        _ => others.next().expect("there are as many as bytes"),
    };
    (0..=u8::MAX).map(sign).collect()
});

static BYTES: LazyLock<HashMap<char, u8>> =
    LazyLock::new(|| (0..=u8::MAX).map(|b| (sign(b), b)).collect());
