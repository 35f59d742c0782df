//! Whose turn it is: accounts that may be called now, each up to its share of the slots, so that one with a long queue or a
//! rate limit that was met leaves the others their pace (sync.md, Jobs).

use crate::model::ConnectionName;
use jiff::Timestamp;

/// An account as the worker sees it before it claims.
#[derive(Clone, Debug)]
pub struct Busy {
    pub name: ConnectionName,
    /// A rate-limit answer closed it until then.
    pub blocked_until: Option<Timestamp>,
    /// Jobs of it that are at work in this process.
    pub jobs: usize,
}

/// For whom to claim, and how much.
#[derive(Debug, PartialEq)]
pub struct Turns {
    pub open: Vec<ConnectionName>,
    pub limit: u32,
    /// When a closed account opens.
    pub next: Option<Timestamp>,
}

/// Chooses among accounts. One of several never has all slots, and each claim takes one job of each at most.
pub fn choose(accounts: &[Busy], slots: usize, free: u32, now: Timestamp) -> Turns {
    let share = slots
        .saturating_sub(accounts.len().saturating_sub(1))
        .max(1);
    let blocked = |account: &Busy| account.blocked_until.filter(|until| *until > now);
    let open: Vec<ConnectionName> = accounts
        .iter()
        .filter(|account| blocked(account).is_none() && account.jobs < share)
        .map(|account| account.name.clone())
        .collect();
    Turns {
        limit: if accounts.len() > 1 {
            free.min(u32::try_from(open.len()).unwrap_or(u32::MAX))
        } else {
            free
        },
        next: accounts.iter().filter_map(blocked).min(),
        open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(name: &str, blocked: Option<i64>, jobs: usize) -> Busy {
        Busy {
            name: name.into(),
            blocked_until: blocked.map(|second| Timestamp::from_second(second).unwrap()),
            jobs,
        }
    }

    #[test]
    fn an_account_of_several_leaves_the_others_a_slot_and_a_closed_one_has_no_turn() {
        let now = Timestamp::from_second(100).unwrap();
        let turns = |accounts: &[Busy]| choose(accounts, 8, 3, now);
        let alone = turns(&[busy("a", None, 7)]);
        assert_eq!((alone.open.len(), alone.limit, alone.next), (1, 3, None));
        let both = turns(&[busy("a", None, 6), busy("b", None, 0)]);
        assert_eq!((both.open.len(), both.limit), (2, 2));
        let full = turns(&[busy("a", None, 7), busy("b", Some(99), 0)]);
        assert_eq!((full.open, full.limit), (vec!["b".into()], 1));
        let closed = turns(&[busy("a", Some(130), 0), busy("b", Some(120), 0)]);
        assert_eq!(closed.open, []);
        assert_eq!(closed.next, Timestamp::from_second(120).ok());
    }
}
