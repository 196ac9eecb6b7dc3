"""What schemathesis has to know: how the parts of a resumable upload are sent."""

import schemathesis


@schemathesis.serializer("application/offset+octet-stream")
def part(_, value):
    return value if isinstance(value, bytes) else str(value).encode()
