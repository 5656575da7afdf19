"""Strangers are kept out: other origins, rebound names, tricks with paths, bodies."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from distilclip_eeg.review.app import create_app
from distilclip_eeg.review.desk import open_desk
from distilclip_eeg.review.guard import COOKIE, MAX_BODY_BYTES, access_for
from review_folder import NAME, write_folder

PORT = 8420
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("folder"))


def client_of(folder: Path, host: str) -> TestClient:
    app = create_app(open_desk(folder, detects=False), access_for(host, PORT))
    base = f"http://{host}:{PORT}" if host != "0.0.0.0" else f"http://10.0.0.7:{PORT}"
    return TestClient(app, base_url=base, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    with client_of(folder, "127.0.0.1") as client:
        yield client


@pytest.fixture(scope="module")
def post(client: TestClient) -> str:
    (one,) = client.get("/api/recordings").json()["recordings"]
    return f"/api/recordings/{one['id']}/decisions"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", "",
        f"127.0.0.1.evil.example:{PORT}", f"user@127.0.0.1:{PORT}",
        f"127.0.0.1:{PORT}/x", "127.0.0.1:x", f"10.0.0.7:{PORT}", "[::1",
    ],
)  # fmt: skip
def test_answers_to_its_own_names_alone(client: TestClient, host: str) -> None:
    answer = client.get("/api/recordings", headers={"Host": host})
    assert answer.status_code == 400
    assert "recordings" not in answer.json()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_answers_to_every_name_of_loopback(client: TestClient, host: str) -> None:
    answer = client.get("/api/recordings", headers={"Host": f"{host}:{PORT}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://localhost:{PORT}"},  # another origin than the one asked
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_origins_are_refused(
    client: TestClient, post: str, headers: dict[str, str], method: str
) -> None:
    answer = client.request(method, post, headers=JSON | headers, content=b"{}")
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data; boundary=x", "", "application/jsonx"]
)
def test_uploads_and_forms_are_refused(
    client: TestClient, post: str, kind: str
) -> None:
    answer = client.post(post, headers={"Content-Type": kind}, content=b"{}")
    assert answer.status_code == 415


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_but_reading_and_deciding(
    client: TestClient, post: str, method: str
) -> None:
    assert client.request(method, post).status_code == 405


def test_oversized_bodies_are_refused(client: TestClient, post: str) -> None:
    body = b'{"text": "' + b"x" * MAX_BODY_BYTES + b'"}'
    announced = client.post(post, headers=JSON, content=body)
    assert announced.status_code == 413

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 4096):
            yield body[start : start + 4096]

    streamed = client.post(post, headers=JSON, content=pieces())
    assert streamed.status_code == 413
    lied = client.post(post, headers=JSON | {"Content-Length": "-5"}, content=body)
    assert lied.status_code == 413
    assert client.get(f"/api/recordings?x={'y' * 4000}").status_code == 414


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{", b"[" * 60_000, b'{"a":' * 9_000, b"\xff\xfe",
        b'{"key": "12345678", "reviewer": "me", "action": "add", "onset": NaN}',
        b'{"key": "12345678", "reviewer": "me", "action": "drop table"}',
        b'{"key": "12345678", "reviewer": "a\\u0000b", "action": "finish"}',
        b'{"key": "12345678", "reviewer": "a\\u202eb", "action": "finish"}',
        b'{"key": "12345678", "reviewer": "   ", "action": "finish"}',
        b'{"key": "1", "reviewer": "me", "action": "finish"}',
        b'{"key": "12345678", "reviewer": "me", "action": "finish", "more": 1}',
    ],
)  # fmt: skip
def test_hostile_bodies_are_refused(client: TestClient, post: str, body: bytes) -> None:
    answer = client.post(post, headers=JSON, content=body)
    assert answer.status_code in (400, 422)
    assert "detail" in answer.json()


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py",
        "/static//etc/passwd", "/static/%2fetc%2fpasswd", "/static/..\\app.py",
        "/api/recordings/..%2f..%2fa.edf/about", "/api/recordings/a.edf/about",
        "/api/recordings/%2e%2e/about", "/a.edf", "/static/", "/docs", "/openapi.json",
        "/api/recordings/0000000000000000/about", "/static/x%00.js",
    ],
)  # fmt: skip
def test_paths_lead_nowhere(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (400, 404, 405, 422)
    assert b"import" not in answer.content
    assert b"root:" not in answer.content


def test_every_answer_keeps_to_itself(client: TestClient) -> None:
    for path in ("/", "/static/app.js", "/api/recordings", "/nothing"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


def test_page_loads_nothing_from_elsewhere() -> None:
    from distilclip_eeg.review.app import STATIC

    for path in STATIC.rglob("*"):
        if path.suffix in (".html", ".css", ".js") and "uplot" not in path.parts:
            text = path.read_text(encoding="utf-8")
            assert "://" not in text, path
            assert "eval(" not in text, path
            assert "innerHTML" not in text, path


def test_no_name_leaves_the_machine(client: TestClient, post: str) -> None:
    recording = post.removesuffix("/decisions")
    decision = {
        "key": "12345678", "reviewer": "me", "action": "add",
        "event": "e", "onset": 3.0, "duration": 5.0,
    }  # fmt: skip
    assert client.post(post, json=decision).status_code == 201
    asked = [
        "/api/recordings", f"{recording}/about", f"{recording}/reviews",
        f"{recording}/decisions", f"{recording}/candidates", f"{recording}/agreement",
        f"{recording}/patient-threshold?reviewer=me",
        f"{recording}/tile?montage=longitudinal&level=0&index=0",
        *(f"{recording}/export?reviewer=me&kind={k}" for k in ("tsv", "edf", "csv_bi")),
    ]  # fmt: skip
    for path in asked:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert NAME.encode() not in answer.content, path
        assert NAME not in str(answer.headers), path


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "scanner"])
def test_any_other_address_needs_a_token(folder: Path, host: str) -> None:
    access = access_for(host, PORT)
    assert access.token is not None
    assert len(access.token) >= 40
    assert access_for(host, PORT).token != access.token
    name = "10.0.0.7" if host == "0.0.0.0" else host
    app = create_app(open_desk(folder, detects=False), access)
    base = f"http://{name}:{PORT}"
    with TestClient(app, base_url=base, follow_redirects=False) as stranger:
        for path in ("/", "/api/recordings", "/static/app.js", "/?token=", "/?token=x"):
            assert stranger.get(path).status_code == 401
        for wrong in (
            "",
            "Bearer ",
            f"Bearer {access.token}x",
            f"Basic {access.token}",
        ):
            headers = {"Authorization": wrong}
            assert stranger.get("/", headers=headers).status_code == 401
        shown = {"Authorization": f"Bearer {access.token}"}
        assert stranger.get("/api/recordings", headers=shown).status_code == 200
        evil = {"Host": f"evil.example:{PORT}"}
        assert stranger.get("/", headers=shown | evil).status_code == 400
        opened = stranger.get(f"/?token={access.token}")
        assert opened.status_code == 303
        assert opened.headers["location"] == "/"
        cookie = opened.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert COOKIE in stranger.cookies
        assert stranger.get("/api/recordings").status_code == 200


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9"]
)
def test_loopback_needs_none(host: str) -> None:
    assert access_for(host, PORT).token is None


def test_a_name_that_only_looks_like_loopback_needs_one() -> None:
    for host in ("127.0.0.1.example", "localhost.example", "0.0.0.0", "::"):
        assert access_for(host, PORT).token is not None


def test_machine_answers_to_its_own_name() -> None:
    access = access_for("0.0.0.0", PORT)
    assert access.answers_to(f"{socket.gethostname()}:{PORT}")
    assert access.answers_to(f"192.168.7.7:{PORT}")
    assert not access.answers_to(f"evil.example:{PORT}")
