//! Which of the right words a wrong one was probably meant to be.

/// The candidate nearest to `word`, if it is near enough to be a slip of the hand.
///
/// Letter case, `-` and `_` count for nothing. Otherwise one edit (a letter put in, left out,
/// changed, or two swapped) is allowed for every three letters, three at most.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let word = plain(word);
    let allowed = (word.len() / 3).min(3);
    candidates
        .into_iter()
        .map(|candidate| (edits(&word, &plain(candidate)), candidate))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

fn plain(word: &str) -> Vec<char> {
    word.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Edits from `a` to `b`, a swap of neighbours counted as one (optimal string alignment).
fn edits(a: &[char], b: &[char]) -> usize {
    let mut rows = [
        vec![0; b.len() + 1],
        (0..=b.len()).collect(),
        vec![0; b.len() + 1],
    ];
    for i in 1..=a.len() {
        let [before, last, next] = &mut rows;
        next[0] = i;
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            next[j] = change.min(last[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                next[j] = next[j].min(before[j - 2] + 1);
            }
        }
        rows.rotate_left(1);
    }
    rows[1][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_finds_its_word_and_another_word_finds_none() {
        let words = ["interval_hours", "retention", "s3backupconfig", "folder"];
        for (wrong, right) in [
            ("interval_hour", Some("interval_hours")),
            ("intervalHours", Some("interval_hours")),
            ("retnetion", Some("retention")),
            ("S3-Backup-Config", Some("s3backupconfig")),
            ("flder", Some("folder")),
            ("image", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, words), right, "{wrong}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), words), None);
    }
}
