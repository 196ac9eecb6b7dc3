"""OpenAI's own client against `/v1`."""

import io

import openai
import pytest
from conftest import calls


@pytest.fixture(scope="module")
def client(service):
    return openai.OpenAI(base_url=f"{service.url}/v1", api_key=service.api_key(), max_retries=0)


def transcribe(client, sample, **options):
    with sample.open("rb") as file:
        return client.audio.transcriptions.create(file=file, model="whisper-1", language="en", **options)


def test_the_models_are_listed(client):
    assert "whisper-1" in [model.id for model in client.models.list()]


def test_json_is_the_default(client, sample):
    answer = transcribe(client, sample)
    assert len(answer.text.split()) > 50
    assert answer.usage.type == "duration" and answer.usage.seconds == pytest.approx(30, abs=1)


@pytest.mark.parametrize("format, start", [("text", ""), ("srt", "1\n00:00:"), ("vtt", "WEBVTT\n")])
def test_formats_that_are_not_json_come_as_they_are(client, sample, format, start):
    answer = transcribe(client, sample, response_format=format)
    assert isinstance(answer, str) and answer.startswith(start) and len(answer) > 300


@pytest.mark.parametrize("granularities", [["word"], ["segment"], ["word", "segment"], None])
def test_verbose_json_has_what_was_asked_for(client, sample, granularities):
    options = {"timestamp_granularities": granularities} if granularities else {}
    answer = transcribe(client, sample, response_format="verbose_json", **options)
    asked = granularities or ["segment"]
    assert (answer.language, answer.duration) == ("english", pytest.approx(30, abs=1))
    assert bool(answer.words) == ("word" in asked)
    assert bool(answer.segments) == ("segment" in asked)
    for one in (answer.words or []) + (answer.segments or []):
        assert 0 <= one.start <= one.end <= answer.duration + 0.1
        # Not of OpenAI's shape, and kept by its client.
        assert one.speaker in ("A", "B")


def test_diarized_json_tells_who_spoke(client, sample):
    answer = transcribe(client, sample, response_format="diarized_json")
    assert {segment.speaker for segment in answer.segments} == {"A", "B"}
    assert answer.segments[0].id == "seg_001"


@pytest.mark.parametrize("format", ["json", "diarized_json"])
def test_a_stream_ends_with_the_whole_text(client, sample, format):
    events = list(transcribe(client, sample, stream=True, response_format=format))
    deltas = "".join(event.delta for event in events if event.type == "transcript.text.delta")
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text == deltas == transcribe(client, sample).text
    segments = [event for event in events if event.type == "transcript.text.segment"]
    assert bool(segments) == (format == "diarized_json")


def test_a_translation_is_english(client, sample):
    with sample.open("rb") as file:
        answer = client.audio.translations.create(file=file, model="whisper-1")
    assert len(answer.text.split()) > 30


def test_a_connection_can_be_used_again_after_a_refusal_of_a_form_that_was_not_read_to_its_end(client, sample):
    for _ in range(20):
        with pytest.raises(openai.BadRequestError):
            transcribe(client, sample, temperature=0.7)
        assert client.models.list().data


@pytest.mark.parametrize("options, parameter", [
    ({"temperature": 0.7}, "temperature"),
    ({"include": ["logprobs"]}, "include"),
    ({"timestamp_granularities": ["word"]}, "timestamp_granularities"),
    ({"response_format": "mp4"}, "response_format"),
    ({"chunking_strategy": {"type": "server_vad", "threshold": 0.3}}, "chunking_strategy"),
    ({"known_speaker_names": ["agent"]}, "known_speaker_names"),
    ({"extra_body": {"sing": "true"}}, "file"),
])
def test_what_is_not_supported_is_refused_by_name_and_never_ignored(client, sample, options, parameter):
    with pytest.raises(openai.BadRequestError) as error:
        transcribe(client, sample, **options)
    assert error.value.param == parameter and error.value.type == "invalid_request_error"


def test_no_such_model(client, sample):
    with sample.open("rb") as file, pytest.raises(openai.NotFoundError) as error:
        client.audio.transcriptions.create(file=file, model="whisper-2")
    assert error.value.code == "model_not_found"


def test_a_wrong_key(service, sample):
    client = openai.OpenAI(base_url=f"{service.url}/v1", api_key="sbr_wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as error:
        transcribe(client, sample)
    assert error.value.code == "invalid_api_key"


def test_a_file_that_is_no_recording(client):
    with pytest.raises(openai.BadRequestError):
        client.audio.transcriptions.create(file=("call.wav", io.BytesIO(b"not a recording" * 1000)), model="whisper-1")


def test_the_file_may_stand_first_as_curl_sends_it(service, client, sample):
    import subprocess

    url = f"{service.url}/v1/audio/transcriptions"
    fields = ["-F", f"file=@{sample}", "-F", "model=whisper-1", "-F", "language=en", "-F", "response_format=text"]
    key = ["-H", f"Authorization: Bearer {client.api_key}"]
    answer = subprocess.run(["curl", "-sSf", url, *key, *fields], check=True, capture_output=True, text=True)
    assert answer.stdout == transcribe(client, sample, response_format="text")


def test_a_recording_that_is_sent_again_is_processed_once(service, client, sample):
    transcribe(client, sample, prompt="A call about an arts school.")
    before = calls(service)
    transcribe(client, sample, prompt="A call about an arts school.", response_format="srt")
    assert calls(service) == before
