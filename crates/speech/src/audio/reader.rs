//! A recording as blocks of 16 kHz samples, one [`Decoder`] and one [`Resampler`] behind another. Its one invariant: a
//! block is at most one second long, so memory is bounded by the channels.

use super::{AudioError, Damage, Decoder, Resampler, Source, StreamInfo};
use crate::SAMPLE_RATE;

/// Most frames in a block: one second.
pub const BLOCK_FRAMES: usize = SAMPLE_RATE as usize;

/// A recording as blocks of 16 kHz samples, decoded here or in another process.
pub trait Blocks: Send {
    /// How many channels it has; never 0.
    fn channels(&self) -> usize;

    /// Its length in seconds, where its container tells.
    fn duration(&self) -> Option<f64>;

    /// What was wrong with it so far; complete once [`next_block`](Self::next_block) returned `None`.
    fn damage(&self) -> Damage;

    /// The next second, or less at the end: one vector of samples a channel, all equally long, never empty.
    ///
    /// # Errors
    /// Where nothing can be read, or it goes on for too long.
    fn next_block(&mut self) -> Result<Option<&[Vec<f32>]>, AudioError>;
}

/// Reads a recording at 16 kHz, block by block.
pub struct Reader {
    decoder: Decoder,
    resampler: Option<Resampler>,
    /// Resampled, not yet given out, by channel.
    ready: Vec<Vec<f32>>,
    block: Vec<Vec<f32>>,
    ended: bool,
}

impl Blocks for Reader {
    fn channels(&self) -> usize {
        self.info().channels
    }

    fn duration(&self) -> Option<f64> {
        self.info().duration
    }

    fn damage(&self) -> Damage {
        Self::damage(self)
    }

    fn next_block(&mut self) -> Result<Option<&[Vec<f32>]>, AudioError> {
        Self::next_block(self)
    }
}

impl Reader {
    /// Opens a recording of any format.
    ///
    /// # Errors
    /// Where it cannot be read; see [`AudioError`].
    pub fn open(source: Source) -> Result<Self, AudioError> {
        let decoder = Decoder::open(source)?;
        let (rate, channels) = (decoder.info().sample_rate, decoder.info().channels);
        let resampler = if rate == SAMPLE_RATE { None } else { Some(Resampler::new(rate, channels)?) };
        Ok(Self {
            decoder,
            resampler,
            ready: vec![Vec::new(); channels],
            block: vec![Vec::new(); channels],
            ended: false,
        })
    }

    /// What the recording is, before resampling.
    pub fn info(&self) -> &StreamInfo {
        self.decoder.info()
    }

    /// What was wrong with the recording so far; complete once [`next_block`](Self::next_block) returned `None`.
    pub fn damage(&self) -> Damage {
        self.decoder.damage()
    }

    /// The next second, or less at the end: one vector of samples in −1..=1 a channel, all equally long, never empty.
    ///
    /// # Errors
    /// Where nothing can be read, or it goes on for too long. A recording that is cut off is no error: see
    /// [`damage`](Self::damage).
    pub fn next_block(&mut self) -> Result<Option<&[Vec<f32>]>, AudioError> {
        while !self.ended && self.frames() < BLOCK_FRAMES {
            self.fill()?;
        }
        let frames = self.frames().min(BLOCK_FRAMES);
        if frames == 0 {
            return Ok(None);
        }
        for (block, ready) in self.block.iter_mut().zip(&mut self.ready) {
            block.clear();
            block.extend(ready.drain(..frames));
        }
        Ok(Some(&self.block))
    }

    fn frames(&self) -> usize {
        self.ready.first().map_or(0, Vec::len)
    }

    fn fill(&mut self) -> Result<(), AudioError> {
        match (self.decoder.next_block()?, &mut self.resampler) {
            (Some(block), Some(resampler)) => resampler.push(block, &mut self.ready),
            (Some(block), None) => {
                for (ready, channel) in self.ready.iter_mut().zip(block) {
                    ready.extend_from_slice(channel);
                }
            }
            (None, resampler) => {
                if let Some(resampler) = resampler {
                    resampler.finish(&mut self.ready);
                }
                self.ended = true;
            }
        }
        Ok(())
    }
}
