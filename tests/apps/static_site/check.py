"""What a static server must not do: leave its folder, show what is hidden, or take a write."""


def check(space):
    with space.client() as client:
        for path in (
            "/../../etc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/..%2f..%2fetc%2fpasswd",
            "/files/%00",
            "/.git/config",
        ):
            answer = client.get(path)
            assert answer.status_code in (400, 403, 404), f"{path}: {answer.status_code}"
            assert "root:" not in answer.text
        assert client.get("/guide", follow_redirects=True).text.count("Fold it") == 1
        assert client.post("/index.html", content=b"x").status_code in (404, 405, 501)
