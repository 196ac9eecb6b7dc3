"""The library of Standard Webhooks receives what the service tells."""

import contextlib
import http.server
import json
import queue
import threading

import pytest
import standardwebhooks
from conftest import running

HOOKS = "/api/tenant/webhooks"


@contextlib.contextmanager
def receiver():
    """Where to send, and what came: headers and body."""
    came = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            came.put((dict(self.headers), self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hooks", came
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_library_verifies_what_is_told_and_nothing_else():
    private = ("--set=webhooks.allow_http=true", "--set=webhooks.allow_private_addresses=true")
    with running(*private) as service, receiver() as (url, came):
        token = service.sign_in()
        body = {"url": url, "events": ["tenant.deleted"]}
        status, _, made = service.request("POST", HOOKS, token, body)
        assert status == 201, made
        made = json.loads(made)
        webhook = standardwebhooks.Webhook(made["secret"])
        assert service.request("POST", f"{HOOKS}/{made['webhookId']}/test", token)[0] == 202
        headers, text = came.get(timeout=60)
        told = webhook.verify(text, headers)
        assert told["type"] == "ping" and told["data"]["id"] == made["webhookId"]
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            webhook.verify(text.replace(b"ping", b"pong"), headers)
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            webhook.verify(text, {**headers, "webhook-id": "another"})

        # With the old secret as well for a day.
        status, _, new = service.request("POST", f"{HOOKS}/{made['webhookId']}/secret", token)
        tenant = told["data"]["tenantId"]
        assert service.request("DELETE", "/api/tenant", token, {"tenantId": tenant})[0] == 204
        headers, text = came.get(timeout=60)
        for secret in (made["secret"], json.loads(new)["secret"]):
            told = standardwebhooks.Webhook(secret).verify(text, headers)
            assert told["type"] == "tenant.deleted" and told["data"]["id"] == tenant
