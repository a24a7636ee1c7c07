import subprocess
import sys

MODULES = "certs.serving.files, certs.serving.provided_ca, certs.bundle.api, certs.__main__"


def test_certificates_of_others_are_served_without_cryptography() -> None:
    """Its wheel has an OpenSSL of its own, which is not the platform's FIPS module."""
    code = f"import sys, {MODULES}; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
