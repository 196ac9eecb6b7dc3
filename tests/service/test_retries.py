"""What OpenAI's own client does without being asked when it is told to come again, or told nothing: it sends the recording once more.
However often it comes, it is one call."""

import contextlib
import socket
import threading

import openai
import pytest
from conftest import calls, eventually, running


def transcribe(service, url, sample, prompt, statuses):
    """Transcribes with as many retries as it takes; `statuses` hears of every answer."""
    hooks = {"response": [lambda response: statuses(response.status_code)]}
    with openai.DefaultHttpxClient(event_hooks=hooks) as http, sample.open("rb") as file:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key=service.api_key(), max_retries=8, http_client=http)
        answer = client.audio.transcriptions.create(file=file, model="whisper-1", language="en", prompt=prompt)
    assert len(answer.text.split()) > 50


def test_answers_that_say_when_to_come_again_are_heeded(sample):
    # One upload at a time, and of each caller one every five seconds.
    with running("--set=limits.uploads=1", "--set=rates.upload=1/5s") as service:
        host, port = service.url.removeprefix("http://").split(":")
        # Somebody else has the only place, until the client has been told so.
        other = socket.create_connection((host, int(port)))
        head = [
            "POST /v1/audio/transcriptions HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {service.api_key()}",
            "Content-Type: multipart/form-data; boundary=x", "Content-Length: 1000", "", "--x\r\n",
        ]
        other.sendall("\r\n".join(head).encode())
        eventually(lambda: place_is_taken(service))
        seen = []

        def statuses(status):
            seen.append(status)
            other.close()

        transcribe(service, service.url, sample, "A busy service.", statuses)
        assert seen[0] == 503 and 429 in seen and seen[-1] == 200, seen
        assert len(calls(service)) == 1


def place_is_taken(service):
    """Whether an upload of the owner, which costs nothing, is refused for want of a place."""
    status, headers, _ = service.request("POST", "/api/uploads", token=service.sign_in())
    assert status in (412, 429, 503), status
    return True if status == 503 and headers["Retry-After"] else None


def copy(source, sink, most=None):
    """Passes on what comes, at most so many bytes."""
    with contextlib.suppress(OSError):
        while (most is None or most > 0) and (block := source.recv(65536 if most is None else min(most, 65536))):
            sink.sendall(block)
            most = most and most - len(block)


@contextlib.contextmanager
def cutting(service, until, most=None):
    """A way to the service whose first connection passes on `most` bytes of what the client says and nothing of what the service says,
    until `until` returns; then it is cut. Later ones pass on everything. Gives its address."""
    host, port = service.url.removeprefix("http://").split(":")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        is_first = True
        with contextlib.suppress(OSError):
            while True:
                here, _ = listener.accept()
                threading.Thread(target=connect, args=(here, is_first), daemon=True).start()
                is_first = False

    def connect(here, is_first):
        with here, socket.create_connection((host, int(port))) as there:
            there_to = threading.Thread(target=copy, args=(here, there, most if is_first else None), daemon=True)
            there_to.start()
            if is_first:
                until(there, there_to)
            else:
                copy(there, here)
            for side in (here, there):
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)
            there_to.join()

    threading.Thread(target=serve, daemon=True).start()
    yield "http://127.0.0.1:%d" % listener.getsockname()[1]
    listener.close()


def in_the_upload(service, before):
    """After a tenth of the recording."""
    return lambda there, passing: passing.join(), 100_000


def while_it_is_processed(service, before):
    """Once there is a call."""
    return lambda there, passing: eventually(lambda: calls(service) - before or None), None


def before_the_answer(service, before):
    """When the answer begins, which the client never sees."""
    return lambda there, passing: there.recv(1), None


@pytest.mark.parametrize("moment", [in_the_upload, while_it_is_processed, before_the_answer])
def test_a_connection_that_is_cut_costs_a_second_upload_and_no_second_call(service, sample, moment):
    before, seen = calls(service), []
    until, most = moment(service, before)
    with cutting(service, until, most) as url:
        transcribe(service, url, sample, f"A connection that is cut {moment.__doc__}", seen.append)
    assert seen == [200], "the first upload had no answer"
    assert len(calls(service) - before) == 1
