//! Local speakers, now people, back on the time line of the recording.
//!
//! Invariant: turns of one person do not overlap or touch; turns come by start.

use super::{
    Turn,
    segmentation::{Frame, LOCAL_SPEAKERS, STEP_FRAMES, WINDOW_FRAMES, frame_time},
};

/// A window's frames and the person of each of its local speakers.
pub(super) struct NamedWindow<'a> {
    pub(super) frames: &'a [Frame],
    pub(super) people: [Option<usize>; LOCAL_SPEAKERS],
}

/// A pause within a turn that is bridged, in seconds.
const BRIDGED: f64 = 0.1;
/// Turns shorter than this are noise, in seconds.
const SHORTEST: f64 = 0.1;

/// Turns from windows, which stand [`STEP_FRAMES`] apart, in a recording that lasts `duration` seconds.
pub(super) fn turns(windows: &[NamedWindow<'_>], people: usize, duration: f64) -> Vec<Turn> {
    let frames = windows.len().saturating_sub(1) * STEP_FRAMES + if windows.is_empty() { 0 } else { WINDOW_FRAMES };
    let mut started: Vec<Option<f64>> = vec![None; people];
    let mut turns = Vec::new();
    let mut scores = vec![0.0f32; people];
    for frame in 0..=frames {
        let time = frame_time(frame).min(duration);
        let active = if frame < frames { active(windows, frame, &mut scores) } else { 0 };
        for (speaker, start) in started.iter_mut().enumerate() {
            match (*start, active >> speaker & 1 == 1) {
                (None, true) => *start = Some(time),
                (Some(from), false) => {
                    turns.push(Turn { speaker, start: from, end: time });
                    *start = None;
                }
                _ => {}
            }
        }
    }
    tidy(turns, people)
}

/// Who speaks in a frame of the recording, a bit for each person: as many as the windows over it agree on, the most active.
fn active(windows: &[NamedWindow<'_>], frame: usize, scores: &mut [f32]) -> u32 {
    scores.fill(0.0);
    let mut total = 0.0;
    let mut count = 0.0;
    let last = (frame / STEP_FRAMES).min(windows.len() - 1);
    let first = (frame + 1).saturating_sub(WINDOW_FRAMES).div_ceil(STEP_FRAMES);
    for (index, window) in windows.iter().enumerate().take(last + 1).skip(first) {
        let at = frame - index * STEP_FRAMES;
        // The network knows least about the edges of its window.
        let weight = (at + 1).min(WINDOW_FRAMES - at) as f32;
        total += weight;
        for (activity, person) in window.frames[at].activity.iter().zip(window.people) {
            if let Some(person) = person {
                let share = weight * f32::from(*activity) / 255.0;
                scores[person] += share;
                count += share;
            }
        }
    }
    let mut active = 0;
    for _ in 0..at_once(count / total.max(1.0)) {
        let free = (0..scores.len()).filter(|p| active >> p & 1 == 0);
        let Some(next) = free.max_by(|&a, &b| scores[a].total_cmp(&scores[b])) else { break };
        if scores[next] > 0.0 {
            active |= 1 << next;
        }
    }
    active
}

/// Bridges short pauses, drops short turns, orders by start.
fn tidy(turns: Vec<Turn>, people: usize) -> Vec<Turn> {
    let mut last: Vec<Option<Turn>> = vec![None; people];
    let mut out = Vec::new();
    for turn in turns {
        match &mut last[turn.speaker] {
            Some(open) if turn.start - open.end < BRIDGED => open.end = turn.end,
            slot => out.extend(slot.replace(turn)),
        }
    }
    out.extend(last.into_iter().flatten());
    out.retain(|t| t.end - t.start >= SHORTEST);
    out.sort_by(|a, b| a.start.total_cmp(&b.start).then(a.speaker.cmp(&b.speaker)));
    out
}

/// How many speak at once when the windows say `count` on average: the second needs a little more than half of them,
/// because a boundary that two windows see differently looks like an overlap.
fn at_once(count: f32) -> usize {
    match count {
        c if c < 0.5 => 0,
        c => ((c - 0.1).round() as usize).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window in which the local speakers `active` speak in the frames `from..to`.
    fn window(runs: &[(u8, usize, usize)]) -> Vec<Frame> {
        let mut frames = vec![Frame::default(); WINDOW_FRAMES];
        for &(active, from, to) in runs {
            let activity = [0, 1, 2].map(|s| if active >> s & 1 == 1 { 255 } else { 0 });
            frames[from..to].fill(Frame { active, activity });
        }
        frames
    }

    fn speakers(turns: &[Turn]) -> Vec<(usize, f64, f64)> {
        let round = |t: f64| (t * 10.0).round() / 10.0;
        turns.iter().map(|t| (t.speaker, round(t.start), round(t.end))).collect()
    }

    #[test]
    fn one_person_under_two_local_numbers_has_one_turn() {
        let (a, b) = (window(&[(0b001, 0, 589)]), window(&[(0b010, 0, 589)]));
        let first = NamedWindow { frames: &a, people: [Some(0), None, None] };
        let second = NamedWindow { frames: &b, people: [None, Some(0), None] };
        assert_eq!(speakers(&turns(&[first, second], 1, 12.0)), [(0, 0.0, 12.0)]);
    }

    #[test]
    fn people_who_speak_at_once_have_turns_that_overlap() {
        let frames = window(&[(0b001, 0, 200), (0b011, 200, 300), (0b010, 300, 400)]);
        let window = NamedWindow { frames: &frames, people: [Some(0), Some(1), None] };
        assert_eq!(speakers(&turns(&[window], 2, 10.0)), [(0, 0.0, 5.1), (1, 3.4, 6.8)]);
    }

    #[test]
    fn a_flicker_is_no_turn_and_a_gap_of_a_moment_no_pause() {
        let frames = window(&[(0b001, 0, 100), (0b001, 104, 200), (0b010, 300, 304)]);
        let window = NamedWindow { frames: &frames, people: [Some(0), Some(1), None] };
        assert_eq!(speakers(&turns(&[window], 2, 10.0)), [(0, 0.0, 3.4)]);
    }

    #[test]
    fn turns_end_with_the_recording() {
        let frames = window(&[(0b001, 0, 589)]);
        let window = NamedWindow { frames: &frames, people: [Some(0), None, None] };
        assert_eq!(speakers(&turns(&[window], 1, 3.0)), [(0, 0.0, 3.0)]);
    }
}
