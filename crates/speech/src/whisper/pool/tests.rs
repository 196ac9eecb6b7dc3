//! Which windows make a batch; the network is not needed for that.

use super::*;

fn stream(language: Option<&str>, beams: usize) -> Arc<Stream> {
    Arc::new(Stream {
        request: Request { task: Task::Transcribe, beams, context: Vec::new() },
        language: language.map(str::to_owned),
        track: Mutex::default(),
        results: channel().0,
        abandoned: AtomicBool::new(false),
    })
}

/// The batches of `size` that windows of these streams make in this order, as (stream, window).
fn batches(streams: &[&Arc<Stream>], size: usize) -> Vec<Vec<(usize, usize)>> {
    let mut queues = Queues::default();
    for (index, stream) in streams.iter().enumerate() {
        let (stream, language) = (Arc::clone(stream), stream.language.clone());
        queues.windows.push_back(Job { stream, index, window: Window::default(), language });
    }
    let number = |job: &Job| streams.iter().position(|s| Arc::ptr_eq(s, &job.stream)).unwrap();
    let work = std::iter::from_fn(|| queues.next(size));
    work.map(|work| work.jobs().iter().map(|job| (number(job), job.index)).collect()).collect()
}

#[test]
fn windows_whose_language_is_open_wait_only_for_their_own_stream() {
    let (a, b, c) = (stream(None, 5), stream(None, 5), stream(None, 5));
    let found = batches(&[&a, &b, &c, &a, &b, &c], 16);
    assert_eq!(found, [[(0, 0), (0, 3)], [(1, 1), (1, 4)], [(2, 2), (2, 5)]]);
}

#[test]
fn windows_of_several_calls_with_a_known_language_share_a_batch() {
    let (a, b, open) = (stream(Some("en"), 5), stream(Some("de"), 5), stream(None, 5));
    assert_eq!(batches(&[&a, &b, &open, &a], 16), [vec![(0, 0), (1, 1), (0, 3)], vec![(2, 2)]]);
}

#[test]
fn windows_that_are_searched_with_other_beams_do_not_share_a_batch() {
    let (thorough, quick) = (stream(Some("en"), 5), stream(Some("en"), 1));
    assert_eq!(batches(&[&thorough, &quick, &thorough], 16), [vec![(0, 0), (0, 2)], vec![(1, 1)]]);
}
