//! Promises of a vault's door.

use super::*;

const SMALL: Bounds = Bounds {
    caller: Share { rate: Rate { per_second: 10, burst: 20 }, at_once: 3 },
    vault: Share { rate: Rate { per_second: 20, burst: 40 }, at_once: 5 },
    wrong_proofs: Rate { per_second: 1, burst: 3 },
};

fn who(n: usize) -> Principal {
    Principal::new("https://issuer", format!("subject-{n}"))
}

fn enter(door: &Admission, n: usize, now: i64) -> Result<Place, (Bound, u16)> {
    door.enter_as(&who(n), Time(now)).map_err(|why| match why {
        TurnedAway::Throttled { bound, seconds } => (bound, seconds),
        other => panic!("{other}"),
    })
}

/// How many requests, one after the other, are let in at that time.
fn let_in(door: &Admission, n: usize, now: i64) -> usize {
    (0..1000).take_while(|_| enter(door, n, now).is_ok()).count()
}

#[test]
fn one_caller_has_its_rate_and_no_more_and_takes_nothing_from_another() {
    let door = Admission::new(SMALL);
    assert_eq!(let_in(&door, 1, 0), 20);
    assert_eq!(enter(&door, 1, 0).err(), Some((Bound::CallerRate, 1)));
    assert_eq!(let_in(&door, 2, 0), 20);
    assert_eq!(let_in(&door, 1, 1000), 10);
}

#[test]
fn a_vault_has_its_rate_however_many_callers_come_and_what_it_refuses_costs_the_caller_nothing() {
    let door = Admission::new(SMALL);
    let all: usize = (0..10).map(|n| let_in(&door, n, 0)).sum();
    assert_eq!(all, 40);
    assert_eq!(enter(&door, 9, 0).err(), Some((Bound::VaultRate, 1)));
    // The vault has 20 in the next second, and the caller still has all of its own.
    assert_eq!(let_in(&door, 9, 1000), 20);
}

#[test]
fn requests_under_way_are_counted_until_they_end() {
    let door = Admission::new(SMALL);
    let mut held: Vec<Place> = (0..3).map(|_| enter(&door, 1, 0).unwrap()).collect();
    assert_eq!(enter(&door, 1, 0).err(), Some((Bound::CallerAtOnce, 1)));
    let others: Vec<Place> = (0..2).map(|_| enter(&door, 2, 0).unwrap()).collect();
    assert_eq!(enter(&door, 3, 0).err(), Some((Bound::VaultAtOnce, 1)));
    held.pop();
    assert!(enter(&door, 1, 0).is_ok());
    drop((held, others));
    assert!((0..3).map(|_| enter(&door, 3, 0)).all(|place| place.is_ok()));
}

#[test]
fn a_denial_costs_its_caller_a_hundred_requests() {
    let door =
        Admission::new(Bounds { caller: Share { rate: Rate { per_second: 100, burst: 200 }, at_once: 9 }, ..SMALL });
    let mut denials = 0;
    for second in 0..60 {
        while let Ok(place) = enter(&door, 1, second * 1000) {
            place.denied();
            denials += 1;
        }
    }
    // A full second's worth each, after the burst and as much again on credit.
    assert!((59..=64).contains(&denials), "{denials}");
}

#[test]
fn callers_have_lanes_of_their_own_and_keep_them() {
    let door = Admission::new(SMALL);
    let (one, two) = (enter(&door, 1, 0).unwrap().lane(), enter(&door, 2, 0).unwrap().lane());
    assert!(one != two && one != Lane::default() && two != Lane::default());
    assert_eq!(enter(&door, 1, 0).unwrap().lane(), one);
}

#[test]
fn a_flood_of_distinct_callers_addresses_and_clients_is_not_remembered_beyond_the_bound() {
    let door = Admission::new(Bounds::NONE);
    let wrong = WrongProofs::new(SMALL.wrong_proofs);
    for n in 0..3 * REMEMBERED {
        drop(enter(&door, n, 0));
        let address = IpAddr::from(u32::try_from(n).unwrap().to_be_bytes());
        let refused: Result<(), TurnedAway> = wrong.examine(Some(address), None, Time(0), || Err(TurnedAway::Sealed));
        assert_eq!(refused, Err(TurnedAway::Sealed));
        let (client, here) = (n.to_string(), Some([192, 0, 2, 1].into()));
        let refused: Result<(), TurnedAway> = wrong.examine(here, Some(&client), Time(0), || Err(TurnedAway::Sealed));
        assert_eq!(refused, Err(TurnedAway::Sealed));
    }
    assert!(locked(&door.callers).len() <= REMEMBERED);
    assert!(locked(&wrong.sources).len() <= REMEMBERED);
}

#[test]
fn wrong_proofs_from_one_network_stop_being_examined_and_right_ones_cost_nothing() {
    let wrong = WrongProofs::new(SMALL.wrong_proofs);
    let (here, beside, elsewhere): (IpAddr, IpAddr, IpAddr) =
        ("2001:db8::1".parse().unwrap(), "2001:db8::2:1".parse().unwrap(), "2001:db8:0:1::1".parse().unwrap());
    let examine = |address, right: bool, now| {
        wrong.examine(Some(address), None, Time(now), || if right { Ok(()) } else { Err(TurnedAway::Sealed) })
    };
    (0..100).for_each(|_| assert_eq!(examine(here, true, 0), Ok(())));
    (0..3).for_each(|_| assert_eq!(examine(here, false, 0), Err(TurnedAway::Sealed)));
    let over = Err(TurnedAway::Throttled { bound: Bound::WrongProofs, seconds: 1 });
    assert_eq!((examine(here, true, 0), examine(beside, true, 0)), (over, over));
    assert_eq!((examine(elsewhere, true, 0), examine(here, true, 1000)), (Ok(()), Ok(())));
    let local: Result<(), TurnedAway> = wrong.examine(None, None, Time(0), || Ok(()));
    assert_eq!(local, Ok(()));
}

#[test]
fn guesses_at_one_client_keep_neither_another_client_nor_a_token_from_the_same_address_out() {
    let wrong = WrongProofs::new(SMALL.wrong_proofs);
    let examine = |client, right: bool| {
        let here = Some([192, 0, 2, 1].into());
        wrong.examine(here, client, Time(0), || if right { Ok(()) } else { Err(TurnedAway::Sealed) })
    };
    (0..3).for_each(|_| assert_eq!(examine(Some("One"), false), Err(TurnedAway::Sealed)));
    let over = Err(TurnedAway::Throttled { bound: Bound::WrongProofs, seconds: 1 });
    assert_eq!((examine(Some("one"), true), examine(Some("ONE"), true)), (over, over));
    assert_eq!((examine(Some("two"), true), examine(None, true)), (Ok(()), Ok(())));
}
