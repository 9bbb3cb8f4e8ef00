//! The order of keys.

use std::cmp::Ordering;

/// Digits count as numbers, letters come after everything else: `a2` before `a10`, `a-b` before
/// `ab`.
///
/// `kubectl`'s own order is none where letters follow numbers of another length: of `a1b`, `a10`
/// and `a01` each comes before the next in a circle, and what is printed depends on how one
/// sorts. Here the numbers decide: `a1b` before `a10`.
pub(super) fn keys(a: &str, b: &str) -> Ordering {
    Pieces(a).cmp(Pieces(b))
}

/// Compared by kind, then by value. `07` is after `7`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Piece<'a> {
    Sign(char),
    /// Digits but for zeros before them, by how many they are and what they are; and how many
    /// there are with the zeros.
    Number(usize, &'a str, usize),
    Letter(char),
}

struct Pieces<'a>(&'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let first = self.0.chars().next()?;
        let rest = self.0.trim_start_matches(|c: char| c.is_ascii_digit());
        let (piece, length) = match self.0.len() - rest.len() {
            0 if first.is_alphabetic() => (Piece::Letter(first), first.len_utf8()),
            0 => (Piece::Sign(first), first.len_utf8()),
            length => {
                let digits = self.0[..length].trim_start_matches('0');
                (Piece::Number(digits.len(), digits, length), length)
            }
        };
        self.0 = &self.0[length..];
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As kubectl 1.33 orders them, where it has an order.
    #[test]
    fn numbers_count_and_letters_come_last() {
        let ordered = [
            "", "-", ".", "_", "0", "00", "1", "01", "2", "10", "A", "B", "N", "a", "a-1", "a.b",
            "a_b", "a0", "a1", "a1-", "a1.b", "a1b", "a01", "a001", "a2", "a10", "a10-", "a10b",
            "a100", "a101", "a1000", "a1001", "aB", "ab", "aé", "b1x2", "b1x10", "b01x1", "é",
        ];
        for (at, a) in ordered.iter().enumerate() {
            for (other, b) in ordered.iter().enumerate() {
                assert_eq!(keys(a, b), at.cmp(&other), "{a} {b}");
            }
        }
    }
}
