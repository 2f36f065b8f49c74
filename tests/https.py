"""A proxy with TLS in front of a Podium, as operators have one: nginx on a free port, with a certificate of a tiny authority of
its own. Owns both; skips with the reason where nginx or openssl are missing."""

import datetime
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support import eventually, free_port

_CONFIG = """
daemon off; pid {home}/nginx.pid; error_log {home}/nginx.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 0;
  client_body_temp_path {home}/t1; proxy_temp_path {home}/t2;
  fastcgi_temp_path {home}/t3; uwsgi_temp_path {home}/t4; scgi_temp_path {home}/t5;
  map $http_upgrade $upgraded {{ default upgrade; "" ""; }}
  server {{
    listen 127.0.0.1:{port} ssl; listen [::1]:{port} ssl;
    ssl_certificate {home}/cert.pem; ssl_certificate_key {home}/key.pem;
    location / {{
      proxy_pass http://127.0.0.1:{upstream}; proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off;
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $upgraded;
      proxy_read_timeout 300s;
    }}
  }}
}}
"""

APPS = "apps.localhost"  #: domain of the Spaces that the certificate is for


class Https:
    """`port` is known before it runs, because a Podium must be told its public URL; `ca` is what clients must trust."""

    def __init__(self, home: Path) -> None:
        if not shutil.which("nginx"):
            pytest.skip("no nginx here: apt-get install nginx")
        home.mkdir(parents=True, exist_ok=True)
        self.home, self.port = home, free_port()
        self.ca = home / "ca.pem"
        self.process: subprocess.Popen | None = None
        _certificates(home)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))

    def start(self, upstream: int) -> None:
        config = self.home / "nginx.conf"
        config.write_text(_CONFIG.format(home=self.home, port=self.port, upstream=upstream))
        self.process = subprocess.Popen(["nginx", "-c", str(config), "-p", str(self.home)])
        eventually(lambda: (self.home / "nginx.pid").exists(), 15, "nginx running")

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(20)


def _certificates(home: Path) -> None:
    """An authority, and a certificate of it for the console and the Spaces."""
    now = datetime.datetime.now(datetime.UTC)

    def made(subject: str, key, issuer: str, signer, *extensions) -> x509.Certificate:
        named = lambda text: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])  # noqa: E731
        builder = x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named(issuer))
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=2))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(signer, hashes.SHA256())

    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    ca = made(
        "Tests", authority, "Tests", authority, (x509.BasicConstraints(True, 0), True), (usage, True),
        (x509.SubjectKeyIdentifier.from_public_key(authority.public_key()), False),
    )  # fmt: skip
    # OpenSSL takes no wildcard directly below a top-level domain.
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName(f"*.{APPS}")])
    known = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    own = made("localhost", server, "Tests", authority, (names, False), (known, False))
    pem = serialization.Encoding.PEM
    (home / "ca.pem").write_bytes(ca.public_bytes(pem))
    (home / "cert.pem").write_bytes(own.public_bytes(pem))
    key = server.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (home / "key.pem").write_bytes(key)
