//! The telephone's codecs that symphonia lacks, GSM 06.10 and AMR, in symphonia's terms, so that [`Decoder`](super::Decoder)
//! has one path for all. Its one invariant: a packet is whole frames, and every frame yields 20 ms.

use symphonia::core::{
    audio::{AsGenericAudioBufferRef as _, AudioBuffer, AudioMut as _, AudioSpec, Channels, GenericAudioBufferRef},
    codecs::{
        CodecInfo,
        audio::{AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions, FinalizeResult},
        registry::{RegisterableAudioDecoder, SupportedAudioCodec},
    },
    common::FourCc,
    errors::{Error, Result},
    packet::PacketRef,
};

use super::{
    gsm::{Gsm, PAIR_BYTES},
    opencore::Amr,
};

pub(super) const GSM: AudioCodecId = AudioCodecId::new(FourCc::new(*b"agsm"));
pub(super) const AMR_NB: AudioCodecId = AudioCodecId::new(FourCc::new(*b"samr"));
pub(super) const AMR_WB: AudioCodecId = AudioCodecId::new(FourCc::new(*b"sawb"));

const CODECS: [SupportedAudioCodec; 3] = [
    codec(GSM, "gsm", "GSM 06.10 full rate"),
    codec(AMR_NB, "amr_nb", "Adaptive Multi-Rate"),
    codec(AMR_WB, "amr_wb", "Adaptive Multi-Rate Wideband"),
];

const fn codec(id: AudioCodecId, short_name: &'static str, long_name: &'static str) -> SupportedAudioCodec {
    SupportedAudioCodec { id, info: CodecInfo { short_name, long_name, profiles: &[] } }
}

enum Speech {
    Gsm(Box<Gsm>),
    Amr(Amr),
}

/// One channel of telephone speech.
pub(super) struct TelephoneDecoder {
    params: AudioCodecParameters,
    speech: Speech,
    samples: Vec<i16>,
    buffer: AudioBuffer<i16>,
}

fn speech(id: AudioCodecId) -> Result<Speech> {
    match id {
        GSM => Ok(Speech::Gsm(Box::default())),
        _ => Amr::new(id == AMR_WB).map(Speech::Amr).ok_or(Error::LimitError("no memory for the AMR decoder")),
    }
}

impl AudioDecoder for TelephoneDecoder {
    fn reset(&mut self) {
        if let Ok(speech) = speech(self.params.codec) {
            self.speech = speech;
        }
    }

    fn codec_info(&self) -> &CodecInfo {
        let [gsm, narrow, wide] = &CODECS;
        match self.params.codec {
            GSM => &gsm.info,
            AMR_NB => &narrow.info,
            _ => &wide.info,
        }
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.params
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.samples.clear();
        match &mut self.speech {
            Speech::Gsm(gsm) => {
                for pair in packet.data.as_chunks::<PAIR_BYTES>().0 {
                    gsm.decode_pair(pair, &mut self.samples);
                }
            }
            Speech::Amr(amr) => {
                if !amr.decode(packet.data, &mut self.samples) {
                    return Err(Error::DecodeError("amr: not a frame"));
                }
            }
        }
        self.buffer.clear();
        self.buffer.grow_capacity(self.samples.len());
        self.buffer.render_uninit(Some(self.samples.len()));
        self.buffer.copy_from_slice_interleaved(&self.samples);
        Ok(self.buffer.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buffer.as_generic_audio_buffer_ref()
    }
}

impl RegisterableAudioDecoder for TelephoneDecoder {
    fn try_registry_new(params: &AudioCodecParameters, _: &AudioDecoderOptions) -> Result<Box<dyn AudioDecoder>> {
        let Some(rate) = params.sample_rate else { return Err(Error::Unsupported("speech of an unknown sample rate")) };
        if params.channels.as_ref().map(Channels::count) != Some(1) {
            return Err(Error::Unsupported("GSM or AMR with more than one channel"));
        }
        let buffer = AudioBuffer::new(AudioSpec::new(rate, Channels::Discrete(1)), 0);
        let speech = speech(params.codec)?;
        Ok(Box::new(Self { params: params.clone(), speech, samples: Vec::new(), buffer }))
    }

    fn supported_codecs() -> &'static [SupportedAudioCodec] {
        &CODECS
    }
}
