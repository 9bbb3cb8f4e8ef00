//! Which of several members is best asked for a snapshot. Pure.
//!
//! The leader has the most to do: it is spared where a follower is well. A member stays chosen as
//! long as it is such a follower, so that the snapshots of a cluster come from one member.

use crate::MemberStatus;

/// Log entries that a follower may be behind the most advanced member. A follower that is well is
/// behind by a few; at a thousand writes a second this is a second's work.
const LAG: u64 = 1000;

/// What a member said in one round of questions; none where it said nothing.
pub(crate) type Said<'a> = Option<&'a MemberStatus>;

/// The place of the member to choose, of those that answered: the `last` one if it is a follower
/// that is well, the first such follower, a leader, the last one, anyone with a vote, a learner.
/// None if nobody answered.
pub(crate) fn choose(round: &[Said<'_>], last: usize) -> Option<usize> {
    let answers = || {
        round
            .iter()
            .enumerate()
            .filter_map(|(n, said)| Some((n, (*said)?)))
    };
    let newest = answers().map(|(_, it)| it.raft_applied_index).max()?;
    let votes = |it: &MemberStatus| !it.is_learner;
    let leads = |it: &MemberStatus| votes(it) && it.leader_id == it.member_id;
    let follows = |it: &MemberStatus| {
        let is_near = newest - it.raft_applied_index <= LAG;
        votes(it) && it.leader_id != 0 && !leads(it) && is_near
    };
    let any = |fits: &dyn Fn(&MemberStatus) -> bool| {
        let mut fitting = answers().filter(|(_, it)| fits(it)).map(|(n, _)| n);
        let first = fitting.next()?;
        let is_last_among = first == last || fitting.any(|n| n == last);
        Some(if is_last_among { last } else { first })
    };
    any(&follows)
        .or_else(|| any(&leads))
        .or_else(|| any(&votes))
        .or_else(|| any(&|_| true))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADER: u64 = 1;

    fn member(id: u64) -> MemberStatus {
        MemberStatus {
            cluster_id: 0xc1,
            member_id: id,
            member_name: None,
            version: "3.5.1".to_owned(),
            revision: 7,
            raft_term: 2,
            raft_applied_index: 5000,
            leader_id: LEADER,
            db_size: 4096,
            db_in_use: 4096,
            is_learner: false,
            errors: Vec::new(),
        }
    }

    fn chosen(round: &[Option<MemberStatus>], last: usize) -> Option<usize> {
        let said: Vec<Said<'_>> = round.iter().map(Option::as_ref).collect();
        choose(&said, last)
    }

    #[test]
    fn a_follower_comes_before_the_leader_and_the_same_one_again() {
        let all = [1, 2, 3].map(|id| Some(member(id)));
        assert_eq!(chosen(&all, 0), Some(1));
        assert_eq!(chosen(&all, 1), Some(1));
        assert_eq!(chosen(&all, 2), Some(2));
        // The one that was asked has become the leader.
        let all = [3, 1, 2].map(|id| Some(member(id)));
        assert_eq!(chosen(&all, 1), Some(0));
        let silent = [Some(member(1)), None, Some(member(3))];
        assert_eq!(chosen(&silent, 1), Some(2));
        let alone = [None, Some(member(1)), None];
        assert_eq!(chosen(&alone, 0), Some(1));
        assert_eq!(chosen(&[None, None], 0), None);
        assert_eq!(chosen(&[], 0), None);
    }

    #[test]
    fn a_follower_that_lags_or_knows_no_leader_comes_after_the_leader() {
        let mut lagging = member(2);
        lagging.raft_applied_index -= LAG + 1;
        let mut lost = member(3);
        lost.leader_id = 0;
        let all = [Some(lagging.clone()), Some(lost.clone()), Some(member(1))];
        assert_eq!(chosen(&all, 0), Some(2));
        lagging.raft_applied_index += 1;
        let all = [Some(lost.clone()), Some(lagging), Some(member(1))];
        assert_eq!(chosen(&all, 0), Some(1));
        // Nobody knows a leader: the one that was asked last.
        let all = [Some(lost.clone()), Some(lost)];
        assert_eq!(chosen(&all, 1), Some(1));
    }

    #[test]
    fn a_learner_comes_last() {
        let mut learner = member(2);
        learner.is_learner = true;
        let mut behind = member(3);
        behind.raft_applied_index = 0;
        behind.leader_id = 0;
        let all = [Some(learner.clone()), Some(behind)];
        assert_eq!(chosen(&all, 0), Some(1));
        assert_eq!(chosen(&[None, Some(learner)], 0), Some(1));
    }
}
