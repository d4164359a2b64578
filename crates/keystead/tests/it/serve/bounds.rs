//! Bounds set in the configuration, as a client meets them.

use super::{Site, stop};
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

#[test]
fn over_its_rate_a_caller_is_told_when_to_come_again_and_then_is_served() {
    let site = Site::new();
    fs::write(&site.config, format!("{}\n[limits]\ncaller_requests_per_second = 2\n", site.text())).unwrap();
    let running = site.start();
    let token = site.token(&site.create("one"));
    let get = || site.call("one", &token, "GET", "/keys", "");
    let until = Instant::now() + Duration::from_secs(30);
    let refused = loop {
        let reply = get();
        if reply.status != 200 {
            break reply;
        }
        assert!(Instant::now() < until, "never refused");
    };
    assert_eq!((refused.status, refused.code().as_str()), (429, "Throttled"));
    assert_eq!(refused.receipt(), None, "nothing was decided, so there is nothing to prove");
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(seconds, 1);
    sleep(Duration::from_secs(seconds));
    get().ok();

    // The token endpoint has the error shape of token endpoints.
    let form = "grant_type=client_credentials&client_id=11111111-1111-4111-8111-111111111111&client_secret=wrong";
    let form = format!("{form}&scope=https://localhost:{}/.default", site.place.port);
    let host = format!("one.localhost:{}", site.place.port);
    let mut http = site.http();
    let guess = || http.send("POST", "/adfs/oauth2/v2.0/token", &[("host", &host)], form.as_bytes()).unwrap();
    let mut replies: Vec<_> = std::iter::repeat_with(guess).take(400).collect();
    assert_eq!(replies.first().map(|r| r.status), Some(401));
    replies.retain(|reply| reply.status == 429);
    let last = replies.pop().expect("guessing goes on without end");
    assert_eq!(last.json()["error"], "temporarily_unavailable");
    assert!(last.header("retry-after").is_some());
    stop(running);
}
