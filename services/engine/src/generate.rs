//! Text from a language model: one token after another, drawn from what the model foretells.

use crate::{
    chance::{Chance, Purpose},
    error::EngineError,
};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sampling {
    /// Divides the logits; 0 takes the likeliest token.
    pub temperature: f64,
    /// Draw from this many likeliest tokens alone.
    pub top_k: Option<usize>,
    /// Draw from the fewest likeliest tokens that together are this likely.
    pub top_p: Option<f64>,
    pub seed: u64,
    pub max_tokens: usize,
}

/// What the model reads next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Feed<'a> {
    /// Forget what was; these tokens from the first place on.
    Start(&'a [u32]),
    /// One more.
    More(u32),
}

/// Goes on after the prompt until `max_tokens` or a token that `stop` knows, which is left out. `model`
/// gives the logits after what it was fed. Once the context is full, it starts again from the last half
/// of it: places beyond the context were never trained.
pub(crate) fn generate(
    prompt: &[u32],
    context: usize,
    sampling: &Sampling,
    model: &mut dyn FnMut(Feed) -> Result<Vec<f32>, EngineError>,
    stop: &mut dyn FnMut(u32) -> bool,
) -> Result<Vec<u32>, EngineError> {
    if prompt.is_empty() {
        return Err(EngineError::EmptyPrompt);
    }
    let mut text = prompt.to_vec();
    let mut start = prompt.len().saturating_sub(context.max(1));
    let mut feed = Feed::Start(&prompt[start..]);
    for place in 0..sampling.max_tokens {
        let logits = model(feed)?;
        let mut chance = Chance::new(sampling.seed, Purpose::Generation, place as u64, 0);
        let token = sample(&logits, sampling, &mut chance);
        if stop(token) {
            break;
        }
        text.push(token);
        feed = if text.len() - start > context {
            start = text.len() - (context / 2).max(1);
            Feed::Start(&text[start..])
        } else {
            Feed::More(token)
        };
    }
    Ok(text.split_off(prompt.len()))
}

/// A token drawn by its share in the softmax of `logits / temperature` after the unlikely ones were
/// taken out: all but the `top_k` likeliest, then all but the nucleus of `top_p` (Holtzman et al., "The
/// Curious Case of Neural Text Degeneration", 2020). Logits that are not numbers are never drawn while
/// others are; the earlier token wins a tie.
pub(crate) fn sample(logits: &[f32], sampling: &Sampling, chance: &mut Chance) -> u32 {
    let mut tokens: Vec<usize> = (0..logits.len()).filter(|i| !logits[*i].is_nan()).collect();
    tokens.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    let Some(&likeliest) = tokens.first() else { return 0 };
    let cool = sampling.temperature.is_nan() || sampling.temperature <= 0.0;
    if cool || logits[likeliest].is_infinite() {
        return likeliest as u32;
    }
    tokens.truncate(sampling.top_k.unwrap_or(usize::MAX).max(1));
    let most = f64::from(logits[likeliest]);
    let weight = |i: &usize| ((f64::from(logits[*i]) - most) / sampling.temperature).exp();
    let weights: Vec<f64> = tokens.iter().map(weight).collect();
    let mut total: f64 = weights.iter().sum();
    if let Some(share) = sampling.top_p {
        let (enough, mut sum) = (share * total, 0.0);
        let within = weights.iter().position(|weight| {
            sum += weight;
            sum >= enough
        });
        let nucleus = within.map_or(weights.len(), |last| last + 1);
        tokens.truncate(nucleus);
        total = weights[..nucleus].iter().sum();
    }
    let mut left = f64::from(chance.unit()) * total;
    for (token, weight) in tokens.iter().zip(&weights) {
        if left < *weight {
            return *token as u32;
        }
        left -= weight;
    }
    likeliest as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 5] = [0.0, 2.0, 1.0, f32::NAN, -1.0];

    fn sampling() -> Sampling {
        Sampling { temperature: 1.0, top_k: None, top_p: None, seed: 1, max_tokens: 5 }
    }

    /// How often each token is drawn of 20,000 times.
    fn shares(sampling: &Sampling) -> [f64; 5] {
        let mut counts = [0.0; 5];
        for i in 0..20_000 {
            let mut chance = Chance::new(sampling.seed, Purpose::Generation, i, 0);
            counts[sample(&LOGITS, sampling, &mut chance) as usize] += 1.0 / 20_000.0;
        }
        counts
    }

    fn assert_near(got: [f64; 5], expected: [f64; 5]) {
        let off = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 0.012, "{got:?} where {expected:?}");
    }

    #[test]
    fn tokens_come_as_often_as_the_softmax_says() {
        // Softmax of 0, 2, 1, -1 by hand; at temperature 2 of their halves.
        assert_near(shares(&sampling()), [0.0871, 0.6439, 0.2369, 0.0, 0.0321]);
        let warm = Sampling { temperature: 2.0, ..sampling() };
        assert_near(shares(&warm), [0.1674, 0.4551, 0.2760, 0.0, 0.1015]);
    }

    #[test]
    fn unlikely_tokens_are_left_out() {
        let two = [0.0, 0.7311, 0.2689, 0.0, 0.0];
        assert_near(shares(&Sampling { top_k: Some(2), ..sampling() }), two);
        // 0.6439 is not 0.8, with 0.2369 more it is.
        assert_near(shares(&Sampling { top_p: Some(0.8), ..sampling() }), two);
        let one = [0.0, 1.0, 0.0, 0.0, 0.0];
        assert_near(shares(&Sampling { top_p: Some(0.6), ..sampling() }), one);
        // Of the two likeliest alone, the first is 0.7311.
        assert_near(shares(&Sampling { top_k: Some(2), top_p: Some(0.7), ..sampling() }), one);
        assert_near(shares(&Sampling { temperature: 0.0, ..sampling() }), one);
        assert_near(shares(&Sampling { top_k: Some(0), top_p: Some(0.0), ..sampling() }), one);
        assert_near(shares(&Sampling { top_p: Some(1.0), ..sampling() }), shares(&sampling()));
    }

    #[test]
    fn broken_logits_still_give_a_token() {
        let mut chance = Chance::new(1, Purpose::Generation, 0, 0);
        assert_eq!(sample(&[], &sampling(), &mut chance), 0);
        assert_eq!(sample(&[f32::NAN; 3], &sampling(), &mut chance), 0);
        assert_eq!(sample(&[0.0, f32::INFINITY], &sampling(), &mut chance), 1);
        assert_eq!(sample(&[f32::NEG_INFINITY; 2], &sampling(), &mut chance), 0);
    }

    #[test]
    fn a_full_context_starts_again_from_its_last_half() {
        let mut fed = vec![];
        let mut count = |feed: Feed| {
            let last = match feed {
                Feed::Start(tokens) => *tokens.last().unwrap_or(&0),
                Feed::More(token) => token,
            };
            fed.push(match feed {
                Feed::Start(tokens) => tokens.to_vec(),
                Feed::More(token) => vec![token],
            });
            let mut logits = vec![0.0; 20];
            logits[last as usize + 1] = 1.0;
            Ok(logits)
        };
        let greedy = Sampling { temperature: 0.0, ..sampling() };
        let made = generate(&[1, 2, 3, 4, 5], 4, &greedy, &mut count, &mut |_| false);
        assert!(made.is_ok_and(|made| made == [6, 7, 8, 9, 10]));
        assert_eq!(fed, [vec![2, 3, 4, 5], vec![5, 6], vec![7], vec![8], vec![8, 9]]);
        let mut model = |_: Feed| Ok(vec![0.0, 1.0]);
        let made = generate(&[0], 4, &greedy, &mut model, &mut |token| token == 1);
        assert!(made.is_ok_and(|made| made.is_empty()));
        let made = generate(&[], 4, &greedy, &mut model, &mut |_| false);
        assert!(matches!(made, Err(EngineError::EmptyPrompt)));
    }
}
