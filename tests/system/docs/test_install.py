"""The OpenSSL commands of docs/install.md create files that the server can use."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from certs.serving import handshake
from tests.support.paths import ROOT

NAME = "convertor-webhook.convertor-webhook.svc"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_the_server_accepts_the_certificate_of_openssl(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"^\$ (openssl .*)", page, re.MULTILINE)
    for command in commands:
        subprocess.run(command, shell=True, cwd=tmp_path, check=True, capture_output=True)
    cert, key, ca = ((tmp_path / name).read_bytes() for name in ("tls.crt", "tls.key", "ca.crt"))
    assert handshake.verify(handshake.parse_key_pair(cert, key, NAME), ca, NAME) is None
