"""An export, from asking to reading the archive with another's ZIP library."""

import io
import json
import zipfile
from html.parser import HTMLParser

from conftest import completed, eventually, get, upload


class Links(HTMLParser):
    """Where a page leads, and what it loads."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "img", "iframe", "object", "link"), tag
        self.found += [value for name, value in attributes if name in ("href", "src")]


def test_an_archive_is_asked_for_built_downloaded_and_read(service, token, sample):
    call = upload(service, token, sample)
    completed(service, token, call)
    status, _, body = service.request("POST", "/api/users/me/export", token)
    assert status == 202, body
    path = f"/api/users/me/export/{json.loads(body)['exportId']}"

    def ready():
        export = json.loads(get(service, token, path))
        assert export["status"] in ("PENDING", "READY"), export
        return export if export["status"] == "READY" else None

    export = eventually(ready, seconds=120)
    # By whoever has just signed in.
    archive = get(service, service.sign_in(), f"{path}/download")
    assert len(archive) == export["bytes"]
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        assert files.testzip() is None
        names = set(files.namelist())
        assert {"README.txt", "index.html", "profile.json", f"calls/{call}/transcript.txt"} <= names
        assert json.loads(files.read("profile.json"))["email"] == service.email
        said = json.loads(files.read(f"calls/{call}/transcript.json"))
        assert said["cleanText"] == json.loads(get(service, token, f"/api/calls/{call}/transcript?format=json"))["cleanText"]
        page = Links()
        page.feed(files.read("index.html").decode())
        assert f"calls/{call}/transcript.txt" in page.found
        assert set(page.found) <= names, "every link leads to a file of the archive"
