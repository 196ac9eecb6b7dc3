"""What schemathesis has to know of this service's requests."""

import re
import uuid

import schemathesis


@schemathesis.serializer("application/offset+octet-stream")
def part(_, value):
    """Parts of a resumable upload are bytes as they are."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def before_call(context, case, kwargs):
    """A good idempotency key stands for one request: generated ones would repeat, and get the answer of another."""
    if case.headers and re.fullmatch("[!-~]{1,255}", str(case.headers.get("Idempotency-Key", ""))):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())


@schemathesis.hook
def map_body(context, body):
    """JSON Schema takes 93.0 for an integer; hardly a parser does, and this service's does not."""
    return whole(body)


def whole(value):
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: whole(one) for name, one in value.items()}
        case list():
            return [whole(one) for one in value]
    return value
