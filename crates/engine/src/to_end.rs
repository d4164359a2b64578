//! Work that goes on to its end when nobody waits for it any more.

use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;

/// A future that is polled where it is awaited, and becomes a task of its own only if it is dropped before its end: a
/// client that hangs up does not stop what was begun, and one that waits costs no task.
pub(crate) struct ToEnd<F>(Option<Pin<Box<F>>>)
where
    F: Future<Output: Send> + Send + 'static;

impl<F> ToEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    pub(crate) fn new(work: F) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<F> Future for ToEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // Taken out while it is polled: what panicked must not be polled again.
        let Some(mut work) = self.0.take() else { return Poll::Pending };
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            self.0 = Some(work);
        }
        polled
    }
}

impl<F> Drop for ToEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn work_that_is_dropped_half_way_goes_on_to_its_end() {
        let (begun, mut has_begun) = oneshot::channel();
        let (go, may_go) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let work = ToEnd::new(async move {
            let _ = begun.send(());
            let _ = may_go.await;
            let _ = done.send(7);
        });
        let waited = tokio::time::timeout(Duration::from_millis(10), work).await;
        assert!(waited.is_err() && has_begun.try_recv().is_ok());
        go.send(()).unwrap();
        assert_eq!(is_done.await, Ok(7));
    }

    #[tokio::test]
    async fn work_that_is_waited_for_gives_its_output() {
        assert_eq!(ToEnd::new(async { 7 }).await, 7);
    }
}
