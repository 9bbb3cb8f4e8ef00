//! How many last ones of an hour, a day, a week, a month are kept.

use crate::{Wrong, bounds, nearest};

use super::value::shortened;

/// How many of each; nought where one is not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tiers {
    /// The numbers in the order of [`WORDS`](Self::WORDS).
    pub counts: [u32; 4],
}

impl Tiers {
    /// The words for the tiers.
    pub const WORDS: [&'static str; 4] = ["hourly", "daily", "weekly", "monthly"];

    /// Reads numbers behind words, such as `hourly=24,daily=7`.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let mut tiers = Self::default();
        let mut seen = [false; 4];
        for pair in text.split(',') {
            let shown = || format!("has {:?}", shortened(pair.trim()));
            let Some((word, number)) = pair.split_once('=') else {
                return Err(Wrong::new(shown(), "write pairs such as daily=7,weekly=4"));
            };
            let (word, number) = (word.trim(), number.trim());
            let place = Self::WORDS.iter().position(|right| *right == word);
            let place = place.ok_or_else(|| {
                let cure = match nearest(word, Self::WORDS) {
                    Some(right) => format!("did you mean {right}?"),
                    None => format!("the tiers are {}", Self::WORDS.join(", ")),
                };
                Wrong::new(shown(), cure)
            })?;
            if seen[place] {
                return Err(Wrong::new(format!("has {word} twice"), "keep one of them"));
            }
            seen[place] = true;
            let number = number.parse().map_err(|_| {
                Wrong::new(shown(), format!("write a whole number, as in {word}=7"))
            })?;
            tiers.counts[place] = bounds::retention_count(number)?;
        }
        Ok(tiers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_behind_words_in_any_order() {
        let parsed = Tiers::parse("weekly=4, hourly=24").unwrap();
        assert_eq!(parsed.counts, [24, 0, 4, 0]);
    }

    #[test]
    fn what_is_wrong_is_shown_with_its_cure() {
        for (text, what) in [
            ("", "has \"\"; write pairs such as daily=7,weekly=4"),
            ("dayly=7", "has \"dayly=7\"; did you mean daily?"),
            (
                "x=1",
                "has \"x=1\"; the tiers are hourly, daily, weekly, monthly",
            ),
            (
                "daily=x",
                "has \"daily=x\"; write a whole number, as in daily=7",
            ),
            ("daily=0", "is 0; write 1 to 100000 snapshots"),
            ("daily=1,daily=2", "has daily twice; keep one of them"),
        ] {
            let wrong = Tiers::parse(text).unwrap_err();
            assert_eq!(wrong.to_string(), what, "{text}");
        }
    }
}
