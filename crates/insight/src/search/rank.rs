//! Which call answers a query best: BM25 (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009). Its one invariant: a word
//! that is there adds to the score, however common it is.

/// How soon more of the same word stops counting; 1.2 is within what Robertson found to work (1.2 to 2), and what Lucene takes.
const K1: f64 = 1.2;

/// How much long calls are marked down: 0 not at all, 1 in proportion to their length. Robertson's value, and Lucene's.
const B: f64 = 0.75;

/// The calls that a query looks through.
#[derive(Clone, Copy, Debug)]
pub struct Collection {
    /// How many there are.
    pub calls: f64,
    /// Words of one of them, on average.
    pub mean_words: f64,
}

impl Collection {
    /// How much a word says that so many calls hold. One is added below the logarithm, as in Lucene, so that a word in more than half of
    /// the calls does not speak against them.
    pub fn weight(&self, holding: f64) -> f64 {
        (1.0 + (self.calls.max(holding) - holding + 0.5) / (holding + 0.5)).ln()
    }

    /// What a word of that weight adds to the score of a call of `words` words that holds it `frequency` times.
    pub fn score(&self, weight: f64, frequency: f64, words: f64) -> f64 {
        let length = 1.0 - B + B * words / self.mean_words.max(1.0);
        weight * frequency * (K1 + 1.0) / (frequency + K1 * length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLS: Collection = Collection { calls: 1000.0, mean_words: 500.0 };

    #[test]
    fn rare_words_repeated_words_and_short_calls_weigh_more() {
        let score = |holding: f64, frequency, words| CALLS.score(CALLS.weight(holding), frequency, words);
        assert!(score(3.0, 1.0, 500.0) > score(300.0, 1.0, 500.0));
        assert!(score(3.0, 2.0, 500.0) > score(3.0, 1.0, 500.0));
        assert!(score(3.0, 1.0, 100.0) > score(3.0, 1.0, 900.0));
        assert!(score(1000.0, 1.0, 500.0) > 0.0 && score(2000.0, 1.0, 0.0).is_finite());
    }

    #[test]
    fn the_score_is_that_of_the_formula() {
        // ln(1 + (1000 − 10 + 0.5) / (10 + 0.5)) × 2 × 2.2 / (2 + 1.2 × (0.25 + 0.75 × 250 / 500)), by another program.
        let score = CALLS.score(CALLS.weight(10.0), 2.0, 250.0);
        assert!((score - 7.291_81).abs() < 1e-4, "{score}");
    }
}
