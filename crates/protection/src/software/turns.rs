//! Whose turn it is: those who wait are served by the time each has had, so that a flood of expensive work by one
//! caller leaves the others their share. Start-time fair queueing with the cost known afterwards: the lane that has had
//! least goes first, a lane that comes anew begins level with the least of those at work, and what it ran up before is
//! remembered while it counts. Pure: what a piece of work cost is told by whoever ran it.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};

/// Whose work it is. Work in one lane is done in the order it came, and lanes take turns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Lane(pub u64);

/// Lanes remembered for what they ran up though nothing of theirs waits. More are forgiven.
const REMEMBERED: usize = 1024;

/// Work that waits, by lane.
pub(super) struct Turns<T> {
    lanes: HashMap<Lane, Line<T>>,
    /// What the least served of those at work has had.
    level: u64,
    waiting: usize,
    /// Counts turns, to tell who had the last one longest ago.
    turn: u64,
}

struct Line<T> {
    /// Microseconds it has had.
    had: u64,
    running: u32,
    last: u64,
    jobs: VecDeque<T>,
}

impl<T> Line<T> {
    fn at_work(&self) -> bool {
        self.running > 0 || !self.jobs.is_empty()
    }
}

impl<T> Turns<T> {
    pub(super) fn new() -> Self {
        Self { lanes: HashMap::new(), level: 0, waiting: 0, turn: 0 }
    }

    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Puts work last in its lane.
    pub(super) fn push(&mut self, lane: Lane, job: T) {
        let level = self.level;
        let line =
            self.lanes.entry(lane).or_insert_with(|| Line { had: level, running: 0, last: 0, jobs: VecDeque::new() });
        if !line.at_work() {
            line.had = line.had.max(level);
        }
        line.jobs.push_back(job);
        self.waiting = self.waiting.saturating_add(1);
    }

    /// Makes room for one more in this lane: gives up the newest work of the lane in which most waits. None if no lane
    /// has more waiting than this one would have.
    pub(super) fn displace(&mut self, newcomer: Lane) -> Option<T> {
        let own = self.lanes.get(&newcomer).map_or(0, |line| line.jobs.len());
        let longest = self.lanes.values_mut().max_by_key(|line| line.jobs.len())?;
        if longest.jobs.len() <= own.saturating_add(1) {
            return None;
        }
        let given_up = longest.jobs.pop_back();
        self.waiting = self.waiting.saturating_sub(1);
        given_up
    }

    /// The work whose turn it is, among that which may begin now.
    pub(super) fn next(&mut self, may_begin: impl Fn(&T) -> bool) -> Option<(Lane, T)> {
        let ready = self.lanes.iter().filter_map(|(lane, line)| {
            let at = line.jobs.iter().position(&may_begin)?;
            Some(((line.had, line.running, line.last, *lane), at))
        });
        let ((.., lane), at) = ready.min_by_key(|((had, running, last, lane), _)| (*had, *running, *last, lane.0))?;
        self.turn = self.turn.saturating_add(1);
        let line = self.lanes.get_mut(&lane)?;
        let job = line.jobs.remove(at)?;
        (line.running, line.last) = (line.running.saturating_add(1), self.turn);
        self.waiting = self.waiting.saturating_sub(1);
        Some((lane, job))
    }

    /// Work of this lane has ended, and took so long.
    pub(super) fn done(&mut self, lane: Lane, micros: u64) {
        if let Some(line) = self.lanes.get_mut(&lane) {
            line.running = line.running.saturating_sub(1);
            line.had = line.had.saturating_add(micros.max(1));
        }
        let least = self.lanes.values().filter(|line| line.at_work()).map(|line| line.had).min();
        match least {
            None => *self = Self { turn: self.turn, ..Self::new() },
            Some(least) => {
                self.level = self.level.max(least);
                let level = self.level;
                self.lanes.retain(|_, line| line.at_work() || line.had > level);
                self.forgive();
            }
        }
    }

    /// Keeps what is remembered within bounds: who ran up least is forgiven first.
    fn forgive(&mut self) {
        let resting = || self.lanes.iter().filter(|(_, line)| !line.at_work());
        if resting().count() > REMEMBERED {
            let mut by_had: Vec<_> = resting().map(|(lane, line)| (Reverse(line.had), *lane)).collect();
            by_had.sort_unstable_by_key(|(had, lane)| (*had, lane.0));
            for (_, lane) in by_had.split_off(REMEMBERED / 2) {
                self.lanes.remove(&lane);
            }
        }
    }

    /// Everything that waits, to be told that it will not be done.
    pub(super) fn drain(&mut self) -> Vec<T> {
        self.waiting = 0;
        self.lanes.values_mut().flat_map(|line| std::mem::take(&mut line.jobs)).collect()
    }

    /// How many lanes are known.
    #[cfg(test)]
    fn known(&self) -> usize {
        self.lanes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOD: Lane = Lane(1);
    const OTHER: Lane = Lane(2);

    fn all(_: &u64) -> bool {
        true
    }

    /// Serves one piece of work after the other; a job is its own cost.
    fn served(turns: &mut Turns<u64>, times: usize) -> Vec<Lane> {
        let mut order = Vec::new();
        for _ in 0..times {
            let Some((lane, cost)) = turns.next(all) else { break };
            turns.done(lane, cost);
            order.push(lane);
        }
        order
    }

    #[test]
    fn one_callers_expensive_flood_delays_anothers_cheap_work_by_one_job_at_most() {
        let mut turns = Turns::new();
        (0..100).for_each(|_| turns.push(FLOOD, 4000));
        served(&mut turns, 5);
        for _ in 0..10 {
            turns.push(OTHER, 300);
        }
        let order = served(&mut turns, 14);
        let first_ten = order.iter().take(11).filter(|lane| **lane == OTHER).count();
        assert_eq!(first_ten, 10, "{order:?}");
    }

    #[test]
    fn lanes_that_always_have_work_get_the_same_time_whatever_their_jobs_cost() {
        let mut turns = Turns::new();
        let costs = [(Lane(1), 5000), (Lane(2), 500), (Lane(3), 50)];
        let mut had = HashMap::new();
        for (lane, cost) in costs {
            (0..3).for_each(|_| turns.push(lane, cost));
        }
        for _ in 0..30_000 {
            let (lane, cost) = turns.next(all).unwrap();
            turns.push(lane, cost);
            turns.done(lane, cost);
            *had.entry(lane).or_insert(0_u64) += cost;
        }
        let (most, least) = (had.values().max().unwrap(), had.values().min().unwrap());
        assert!(most - least <= 2 * 5000, "{had:?}");
    }

    #[test]
    fn a_lane_that_was_idle_saves_nothing_up_and_one_that_left_takes_its_debt_along() {
        let mut turns = Turns::new();
        turns.push(FLOOD, 1);
        let (lane, _) = turns.next(all).unwrap();
        (0..2).for_each(|_| turns.push(OTHER, 10));
        turns.done(lane, 1_000_000);
        assert_eq!(served(&mut turns, 1), [OTHER]);
        // The flood comes back, level with nobody: it has had far more than the one who was there throughout.
        turns.push(FLOOD, 10);
        (0..5).for_each(|_| turns.push(OTHER, 10));
        assert_eq!(served(&mut turns, 6), [OTHER; 6], "the debt is remembered");
        // A third that comes now was idle so far, and gets no more than the one who had least.
        turns.push(OTHER, 10);
        (0..3).for_each(|_| turns.push(Lane(3), 10));
        assert!(served(&mut turns, 2).contains(&OTHER));
    }

    #[test]
    fn two_threads_do_not_both_go_to_one_lane_while_another_is_level_with_it() {
        let mut turns = Turns::new();
        (0..4).for_each(|_| turns.push(FLOOD, 1));
        turns.push(OTHER, 1);
        let lanes: Vec<Lane> = (0..2).map(|_| turns.next(all).unwrap().0).collect();
        assert!(lanes.contains(&FLOOD) && lanes.contains(&OTHER), "{lanes:?}");
    }

    #[test]
    fn room_is_made_at_the_cost_of_whoever_waits_with_most() {
        let mut turns = Turns::new();
        (0..10).for_each(|n| turns.push(FLOOD, n));
        assert_eq!(turns.displace(FLOOD), None);
        assert_eq!(turns.displace(OTHER), Some(9));
        (0..8).for_each(|n| turns.push(OTHER, n));
        assert_eq!((turns.displace(OTHER), turns.waiting()), (None, 17));
    }

    #[test]
    fn a_flood_of_distinct_callers_is_not_remembered_beyond_its_bound() {
        let mut turns = Turns::new();
        turns.push(Lane(0), 1);
        turns.push(Lane(0), 1);
        let _ = turns.next(all).unwrap();
        for n in 1..10_000 {
            turns.push(Lane(n), 1);
            let (lane, _) = turns.next(|_| true).unwrap();
            turns.done(lane, 1000);
        }
        assert!(turns.known() <= REMEMBERED + 2, "{}", turns.known());
        while let Some((lane, _)) = turns.next(all) {
            turns.done(lane, 1);
        }
        turns.done(Lane(0), 1);
        assert_eq!((turns.known(), turns.waiting()), (0, 0));
    }
}
