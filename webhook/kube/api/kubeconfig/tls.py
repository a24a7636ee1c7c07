"""The TLS context of the connections to an API server."""

import ssl
import tempfile

from webhook.kube.api.errors import KubeconfigError
from webhook.kube.api.kubeconfig.credentials import Credentials
from webhook.kube.api.kubeconfig.files import Cluster, read_authority
from webhook.kube.messages import describe_os_error


def create_context(cluster: Cluster) -> ssl.SSLContext:
    """Return a context that verifies the API server's certificate as kubectl does.

    Raises:
        KubeconfigError: the CA is invalid or cannot be read.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Python 3.13 sets it; kubectl accepts CAs without a key identifier, as older clusters have them
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the CA may be an intermediate one
    context.hostname_checks_common_name = False
    authority = read_authority(cluster)
    if "\0" in cluster.tls_server_name:
        raise KubeconfigError("'tls-server-name' is not a name")
    if cluster.insecure_skip_tls_verify:
        if authority:
            raise KubeconfigError("'insecure-skip-tls-verify' and a CA exclude each other")
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif authority:
        _load_authority(context, authority)
    else:
        context.load_default_certs()
    return context


def _load_authority(context: ssl.SSLContext, authority: bytes) -> None:
    try:
        context.load_verify_locations(cadata=authority.decode("ascii", errors="ignore"))
    except (ssl.SSLError, ValueError):
        raise KubeconfigError("'certificate-authority': expected certificates in PEM") from None


def load_client_certificate(context: ssl.SSLContext, credentials: Credentials) -> None:
    """Load the client's certificate and key, if there are any.

    Raises:
        KubeconfigError: they are invalid.

    """
    if not credentials.certificate:
        return
    try:  # the ssl module reads them from a file only
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:  # readable by this user alone
            file.write(credentials.certificate + b"\n" + credentials.key)
            file.flush()
            context.load_cert_chain(file.name, password="")  # or it would prompt for one
    except (ssl.SSLError, ValueError):
        raise KubeconfigError(
            "'client-certificate' and 'client-key': expected a certificate and its key in PEM, "
            "without a password"
        ) from None
    except OSError as error:
        message = f"the client's key needs a temporary file: {describe_os_error(error)}"
        raise KubeconfigError(message) from None
