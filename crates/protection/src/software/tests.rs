//! Promises of the cipher pool.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// Holds one thread of the pool until the sender is used or dropped; returns when the thread is held.
async fn hold(pool: &Pool, weight: Weight) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel();
    let (begun, begins) = oneshot::channel();
    let pool = pool.clone();
    tokio::spawn(async move {
        let work = move || {
            begun.send(()).unwrap();
            _ = released.recv();
            Ok(())
        };
        pool.run(weight, soon(), work).await
    });
    begins.await.unwrap();
    release
}

/// Lets other tasks run until so many jobs wait.
async fn until_waiting(pool: &Pool, jobs: usize) {
    while pool.owner.0.waiting() < jobs {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn work_is_done_and_answered() {
    let pool = Pool::new(2);
    assert_eq!(pool.run(Weight::Light, soon(), || Ok(7)).await, Ok(7));
    assert_eq!(pool.run::<()>(Weight::Heavy, soon(), || Err(KeyError::Damaged)).await, Err(KeyError::Damaged));
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_takes_work_again_when_it_has_room() {
    let pool = Pool::new(1);
    let release = hold(&pool, Weight::Light).await;
    let waiting: Vec<_> = (0..WAITING_PER_THREAD)
        .map(|number| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.run(Weight::Light, soon(), move || Ok(number)).await })
        })
        .collect();
    until_waiting(&pool, WAITING_PER_THREAD).await;
    assert_eq!(pool.run(Weight::Light, soon(), || Ok(())).await, Err(KeyError::Busy));
    drop(release);
    for (number, task) in waiting.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), Ok(number));
    }
    assert_eq!(pool.run(Weight::Light, soon(), || Ok(())).await, Ok(()));
}

#[tokio::test]
async fn work_whose_deadline_passed_in_the_queue_is_refused_and_never_begins() {
    let pool = Pool::new(1);
    let release = hold(&pool, Weight::Light).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let late = pool.run(Weight::Light, Instant::now() + Duration::from_millis(20), move || {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    assert_eq!(late.await, Err(KeyError::Deadline));
    drop(release);
    assert_eq!(pool.run(Weight::Light, soon(), || Ok(())).await, Ok(()));
    assert_eq!(begun.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn work_that_comes_after_its_deadline_never_begins() {
    let pool = Pool::new(1);
    let past = Instant::now() - Duration::from_millis(1);
    for _ in 0..WAITING_PER_THREAD {
        let refused = pool.run::<()>(Weight::Light, past, || unreachable!("past its deadline"));
        assert_eq!(refused.await, Err(KeyError::Deadline));
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_its_thread_and_its_place_to_others() {
    let pool = Pool::new(1);
    let release = hold(&pool, Weight::Light).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let gone: Vec<_> = (0..WAITING_PER_THREAD)
        .map(|_| {
            let (pool, count) = (pool.clone(), Arc::clone(&begun));
            let work = move || {
                count.fetch_add(1, Ordering::SeqCst);
                Ok(())
            };
            tokio::spawn(async move { pool.run(Weight::Light, soon(), work).await })
        })
        .collect();
    until_waiting(&pool, WAITING_PER_THREAD).await;
    for task in gone {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    drop(release);
    // The queue may still be full of the dead for a moment; each is dropped when its turn comes.
    while pool.run(Weight::Light, soon(), || Ok(())).await != Ok(()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(begun.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_caller_that_goes_away_while_its_work_runs_does_not_wedge_the_thread() {
    let pool = Pool::new(1);
    let (release, released) = mpsc::channel::<()>();
    let (begun, begins) = oneshot::channel();
    let running = {
        let pool = pool.clone();
        let work = move || {
            begun.send(()).unwrap();
            _ = released.recv();
            Ok(())
        };
        tokio::spawn(async move { pool.run(Weight::Light, soon(), work).await })
    };
    begins.await.unwrap();
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    drop(release);
    assert_eq!(pool.run(Weight::Light, soon(), || Ok(7)).await, Ok(7));
}

#[tokio::test]
async fn a_panic_stops_its_job_and_no_thread() {
    let pool = Pool::new(1);
    for weight in [Weight::Light, Weight::Heavy] {
        for _ in 0..3 {
            let broken = pool.run::<()>(weight, soon(), || panic!("a job that breaks"));
            assert_eq!(broken.await, Err(KeyError::Stopped));
            assert_eq!(pool.run(weight, soon(), || Ok(7)).await, Ok(7));
        }
    }
}

#[tokio::test]
async fn heavy_work_leaves_one_thread_to_light_work() {
    let pool = Pool::new(2);
    let first = hold(&pool, Weight::Heavy).await;
    let second = {
        let pool = pool.clone();
        tokio::spawn(async move { pool.run(Weight::Heavy, soon(), || Ok(2)).await })
    };
    until_waiting(&pool, 1).await;
    // The second waits; light work overtakes it.
    assert_eq!(pool.run(Weight::Light, soon(), || Ok(3)).await, Ok(3));
    assert!(!second.is_finished());
    drop(first);
    assert_eq!(second.await.unwrap(), Ok(2));
}

#[tokio::test]
async fn what_waits_when_the_queue_is_closed_is_told_so() {
    let pool = Pool::new(1);
    let release = hold(&pool, Weight::Light).await;
    let waiting = {
        let pool = pool.clone();
        tokio::spawn(async move { pool.run(Weight::Light, soon(), || Ok(())).await })
    };
    until_waiting(&pool, 1).await;
    pool.owner.0.close();
    assert_eq!(waiting.await.unwrap(), Err(KeyError::Stopped));
    assert_eq!(pool.run(Weight::Light, soon(), || Ok(())).await, Err(KeyError::Stopped));
    drop(release);
}

#[tokio::test]
async fn its_threads_end_with_the_last_clone() {
    let pool = Pool::new(3);
    let queue = Arc::downgrade(&pool.owner.0);
    pool.run(Weight::Light, soon(), || Ok(())).await.unwrap();
    let clone = pool.clone();
    drop(pool);
    assert_eq!(clone.run(Weight::Light, soon(), || Ok(7)).await, Ok(7));
    drop(clone);
    // Each thread holds the queue as long as it lives.
    let until = soon();
    while queue.upgrade().is_some() {
        assert!(Instant::now() < until, "threads still live");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_caller_who_fills_the_queue_does_not_keep_another_out() {
    let pool = Pool::new(1);
    let release = hold(&pool, Weight::Light).await;
    let flood = pool.lane(Lane(1));
    let flooding: Vec<_> = (0..WAITING_PER_THREAD)
        .map(|number| {
            let flood = flood.clone();
            tokio::spawn(async move { flood.run(Weight::Light, soon(), move || Ok(number)).await })
        })
        .collect();
    until_waiting(&pool, WAITING_PER_THREAD).await;
    assert_eq!(flood.run(Weight::Light, soon(), || Ok(())).await, Err(KeyError::Busy), "its own share is used up");
    let other = pool.lane(Lane(2));
    let light = tokio::spawn(async move { other.run(Weight::Light, soon(), || Ok(7)).await });
    // The newest of the flood gives way, and is told so.
    let mut answers = flooding;
    assert_eq!(answers.pop().unwrap().await.unwrap(), Err(KeyError::Busy));
    drop(release);
    assert_eq!(light.await.unwrap(), Ok(7));
    for (number, task) in answers.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), Ok(number));
    }
}

#[tokio::test]
async fn work_of_another_caller_is_done_after_one_job_of_a_flood_and_not_behind_all_of_it() {
    let pool = Pool::new(1);
    let release = hold(&pool, Weight::Light).await;
    let done = Arc::new(AtomicUsize::new(0));
    let flood = pool.lane(Lane(1));
    let flooding: Vec<_> = (0..WAITING_PER_THREAD - 1)
        .map(|_| {
            let (flood, done) = (flood.clone(), Arc::clone(&done));
            let work = move || {
                std::thread::sleep(Duration::from_millis(1));
                Ok(done.fetch_add(1, Ordering::SeqCst))
            };
            tokio::spawn(async move { flood.run(Weight::Light, soon(), work).await })
        })
        .collect();
    until_waiting(&pool, WAITING_PER_THREAD - 1).await;
    let other = pool.lane(Lane(2));
    let seen = Arc::clone(&done);
    let light =
        tokio::spawn(async move { other.run(Weight::Light, soon(), move || Ok(seen.load(Ordering::SeqCst))).await });
    until_waiting(&pool, WAITING_PER_THREAD).await;
    drop(release);
    let before = light.await.unwrap().unwrap();
    assert!(before <= 1, "{before} jobs of the flood came first");
    for task in flooding {
        assert!(task.await.unwrap().is_ok());
    }
}

/// The thread that did the work.
async fn done_by(pool: &Pool, weight: Weight) -> String {
    pool.run(weight, soon(), || Ok(thread::current().name().unwrap_or_default().to_owned())).await.unwrap()
}

#[tokio::test]
async fn while_short_work_is_done_beside_the_pool_one_processor_is_left_to_it() {
    let pool = Pool::with(2, Duration::from_secs(3600));
    // The threads may already wait for work, or not yet.
    done_by(&pool, Weight::Light).await;
    assert_eq!(pool.at_once(|| 7), 7);
    for _ in 0..100 {
        assert_eq!(done_by(&pool, Weight::Light).await, "cipher-0");
    }
    let alone = Pool::with(1, Duration::from_secs(3600));
    alone.at_once(|| ());
    assert_eq!(done_by(&alone, Weight::Light).await, "cipher-0", "the only thread works on");
}

#[tokio::test]
async fn heavy_work_begins_whichever_thread_is_woken() {
    let pool = Pool::with(2, Duration::from_millis(1));
    for _ in 0..500 {
        pool.at_once(|| ());
        assert_eq!(done_by(&pool, Weight::Heavy).await, "cipher-0");
    }
}

#[tokio::test]
async fn light_work_does_not_wait_behind_heavy_work_for_the_sake_of_short_work() {
    let pool = Pool::with(2, Duration::from_secs(3600));
    pool.at_once(|| ());
    assert_eq!(done_by(&pool, Weight::Light).await, "cipher-0");
    let release = hold(&pool, Weight::Heavy).await;
    assert_eq!(done_by(&pool, Weight::Light).await, "cipher-1");
    drop(release);
}

#[tokio::test]
async fn when_short_work_has_ended_all_threads_work_again() {
    let pool = Pool::with(2, Duration::from_millis(1));
    pool.at_once(|| ());
    let held = hold(&pool, Weight::Light).await;
    assert_eq!(pool.run(Weight::Light, soon(), || Ok(7)).await, Ok(7));
    drop(held);
}
