"""Which ports of the machine apps may call."""

import pytest

from orchestrator.door_settings import doors
from orchestrator.errors import Invalid
from orchestrator.settings import Settings

PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_the_gateway_and_a_proxy_before_it(tmp_path):
    assert doors(Settings(data=tmp_path, port=9000)) == (9000,)
    public = {"public_url": "https://podium.example.org", "apps_domain": "apps.example.net"}
    assert doors(Settings(data=tmp_path, **public)) == (443, 8000)
    assert doors(Settings(data=tmp_path, app_endpoint="http://10.0.0.1:8888", **public)) == (443, 8000, 8888)


def test_what_builds_and_large_files_need(tmp_path, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:3128")
    monkeypatch.setenv("no_proxy", "localhost")
    found = doors(
        Settings(
            data=tmp_path, index_url="http://ann:pass@localhost:3141/simple", s3_url="http://127.0.0.1:9000",
            extra_index_url="https://one.example.org/x http://two.example.org:81/x",
        )
    )  # fmt: skip
    assert found == (81, 443, 3128, 3141, 8000, 9000)


def test_what_the_admin_adds(tmp_path):
    assert doors(Settings(data=tmp_path, local_ports="11434 5000")) == (5000, 8000, 11434)
    for wrong in ("http", "0", "65536", "5000,5001", "²"):
        with pytest.raises(Invalid, match="PODIUM_LOCAL_PORTS has"):
            doors(Settings(data=tmp_path, local_ports=wrong))


def test_a_url_that_is_none_is_no_door(tmp_path):
    assert doors(Settings(data=tmp_path, index_url="http://[::1", s3_url="nonsense:1")) == (8000,)
