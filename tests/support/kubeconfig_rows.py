"""Kubeconfigs and the request that kubectl sends with each, or its refusal to send one.

tests/system/e2e/test_kubeconfigs.py checks the rows with kubectl itself.
"""

import base64
import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.recording_servers import Recorder, Sent

TOKEN = Sent("a", ("Authorization: Bearer t",))
"""The request of the kubeconfig without changes."""

PLUGIN = """\
#!/bin/sh
cd '{folder}'
echo "$KUBERNETES_EXEC_INFO" > info.json
echo "plugin speaks $GREETING" >&2
cat printed.json
exit ${CODE:-0}
"""
CERTIFICATE = "the client certificate"
"""A plugin that prints it."""
V1 = "client.authentication.k8s.io/v1"
V1BETA1 = "client.authentication.k8s.io/v1beta1"


class Row(NamedTuple):
    """Files of KUBECONFIG and what is sent. `{a}`, `{folder}` … in texts are replaced."""

    files: Sequence[str | bytes | None]
    sent: Sent | None
    message: str = ""
    """A part of the message, where nothing is sent."""
    plugin: object = None
    """The output of the exec plugin: the status of an ExecCredential, or a whole text."""
    context: str = ""
    environ: Mapping[str, str] = {}
    connected: Sequence[str] = ()
    unlike_kubectl: str = ""
    """The reason for a difference from kubectl, where there is one."""


def config(
    user: str = "{token: t}",
    *,
    server: str = "https://127.0.0.1:{a}",
    cluster: str = "certificate-authority: '{ca}'",
    context: str = "cluster: a, user: u",
    current: str = "a",
    name: str = "a",
) -> str:
    """Return a kubeconfig with one context; the parts are written in the flow style of YAML."""
    return textwrap.dedent(
        f"""\
        apiVersion: v1
        kind: Config
        current-context: {current}
        clusters:
        - name: {name}
          cluster: {{server: "{server}", {cluster}}}
        contexts:
        - name: {name}
          context: {{{context}}}
        users:
        - name: u
          user: {user}
        """
    )


def _web_token(expires_at: int) -> str:
    """Return a JSON web token without a valid signature, as clients read it."""
    parts = ({"alg": "none"}, {"exp": expires_at}, "signature")
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts)
    return ".".join(part.rstrip("=") for part in encoded)


ID_TOKEN = _web_token(99_999_999_999)


def plugin(more: str = "", command: str = "{folder}/plugin.sh", version: str = V1) -> str:
    """Return a user with an exec plugin."""
    mode = "" if "interactiveMode" in more else "interactiveMode: Never, "
    return f"{{exec: {{apiVersion: {version}, command: '{command}', {mode}{more}}}}}"


B = config(server="https://127.0.0.1:{b}", name="b", current="b", context="cluster: b, user: u")
SAME_NAMES_AS_A = config("{token: other}", server="https://127.0.0.1:{b}")
EXEC = "env: [{name: GREETING, value: hello}]"
INFO = f"{EXEC}, provideClusterInfo: true"

MERGING = {
    "one file": Row([config()], TOKEN),
    "the first current context of two": Row([config(), B], TOKEN),
    "the first entry of a name, as a whole": Row([config(), SAME_NAMES_AS_A], TOKEN),
    "an empty file among several": Row(["", config()], TOKEN),
    "a comment among several": Row(["# nothing\n", config()], TOKEN),
    "a missing file among several": Row([None, config()], TOKEN),
    "an empty current context among several": Row(
        [config(current="''"), B], Sent("b", ("Authorization: Bearer t",))
    ),
    "a null current context among several": Row(
        [config(current="null"), B], Sent("b", ("Authorization: Bearer t",))
    ),
    "a broken file among several": Row(
        [config(), "users: ["], None, "line 2 column 1: expected YAML: did not find"
    ),
    "a context by its name": Row(
        [config(), B], Sent("b", ("Authorization: Bearer t",)), context="b"
    ),
    "a context that does not exist": Row(
        [config()], None, "has no context 'aa': it has 'a'", context="aa"
    ),
    "only an empty file": Row([""], None, "has no contexts"),
    "only a missing file": Row([None], None, "no file of KUBECONFIG exists ("),
    "no current context": Row(
        [config(current="''")], None, "has no current context; choose one of 'a'"
    ),
    "a user that does not exist": Row(
        [config(context="cluster: a, user: absent")],
        None,
        "context 'a': there is no user 'absent', there is 'u'",
    ),
    "no user": Row([config(context="cluster: a")], None, "no credentials"),
    "a cluster that does not exist": Row(
        [config(context="cluster: none, user: u")],
        None,
        "context 'a': there is no cluster 'none', there is 'a'",
    ),
    "no cluster": Row([config(context="user: u")], None, "context 'a': 'cluster' is missing"),
}
TEXTS = {
    "UTF-16 with a byte order mark": Row([config().encode("utf-16")], TOKEN),
    "UTF-8 with a byte order mark": Row([config().encode("utf-8-sig")], TOKEN),
    "Latin-1": Row([config("{token: \xe9}").encode("latin-1")], None, "is not UTF-8"),
    "a text": Row(["hello"], None, "expected a map, found text"),
    "a list": Row(["[]\n---\n"], None, "expected a map, found a list"),
    "YAML that is broken after the first document": Row([config() + "---\n["], TOKEN),
    "a key twice, of which the last wins": Row([config("{token: x, token: t}")], TOKEN),
    "another kind": Row(
        [config().replace("kind: Config", "kind: Secret")], None, "expected 'kind: Config'"
    ),
    "another version": Row(
        [config().replace("apiVersion: v1", "apiVersion: v2")], None, "of 'apiVersion: v1'"
    ),
    "neither kind nor version": Row([config().partition("kind: Config")[2]], TOKEN),
    "an octal number as token": Row(
        [config("{token: 0o17}")], None, "'token': expected text, found a whole number"
    ),
    "an equals sign as token": Row([config("{token: =}")], Sent("a", ("Authorization: Bearer =",))),
    "a user twice": Row(
        [config() + "- name: u\n  user: {}\n"], None, "there are two of the user 'u'"
    ),
    "an unknown field": Row([config("{token: t, tokn: 1}")], TOKEN),
    "a null member": Row(
        [config("{token: t, as: null, exec: null, auth-provider: null, as-groups: null}")], TOKEN
    ),
    "a null cluster member": Row(
        [config(cluster="certificate-authority-data: null, certificate-authority: '{ca}'")], TOKEN
    ),
    "null lists": Row([config() + "extensions: null\npreferences: null\n"], TOKEN),
    "null users": Row([config().partition("users:")[0] + "users: null"], None, "no user 'u'"),
    "a null user": Row([config("null")], None, "user 'u': no credentials"),
    "a null token": Row([config("{token: null}")], None, "user 'u': no credentials"),
    "a number as password": Row(
        [config("{username: x, password: 12345}")],
        None,
        "user 'u': 'password': expected text, found a whole number",
    ),
    "a word for true as password": Row(
        [config("{username: x, password: y}")],
        None,
        "user 'u': 'password': expected text, found true or false",
    ),
    "a time as token": Row([config("{token: 12:30}")], Sent("a", ("Authorization: Bearer 12:30",))),
    "a number with an exponent as token": Row(
        [config("{token: 1e3}")], None, "'token': expected text, found a "
    ),
    "a date as token": Row(
        [config("{token: 2024-01-01}")], Sent("a", ("Authorization: Bearer 2024-01-01",))
    ),
    "a map of users": Row(
        [config().partition("users:")[0] + "users: {}"],
        None,
        "'users': expected a list, found a map",
    ),
    "a list as user": Row([config("[]")], None, "user 'u': expected a map, found a list"),
    "invalid base64": Row(
        [config("{client-certificate-data: '@@', client-key-data: YQ==}")],
        None,
        "user 'u': 'client-certificate-data': invalid base64 encoded string",
    ),
}
USERS = {
    "as": Row(
        [
            config(
                "{token: t, as: jane, as-groups: [g1, 'g 2'], as-uid: '7', "
                "as-user-extra: {'Scopes/x y%': [a, b], reason: null}}"
            )
        ],
        Sent(
            "a",
            (
                "Authorization: Bearer t",
                "Impersonate-Extra-Scopes%2Fx%20Y%25: a",
                "Impersonate-Extra-Scopes%2Fx%20Y%25: b",
                "Impersonate-Group: g 2",
                "Impersonate-Group: g1",
                "Impersonate-Uid: 7",
                "Impersonate-User: jane",
            ),
        ),
    ),
    "as-groups without as": Row(
        [config("{token: t, as-groups: [g1]}")], None, "'as-user-extra' need 'as'"
    ),
    "an empty as": Row([config("{token: t, as: ''}")], TOKEN),
    "a token with a line end": Row(
        [config('{token: "t\\n"}')], None, "user 'u': 'token': line ends and control characters"
    ),
    "a token with a control character": Row([config('{token: "a\\x01"}')], None, "'token': line"),
    "a token in UTF-8": Row([config("{token: \u65e5}")], Sent("a", ("Authorization: Bearer 日",))),
    "a token's file": Row([config("{tokenFile: token}")], TOKEN),
    "a token and its file, which wins": Row([config("{token: x, tokenFile: token}")], TOKEN),
    "a token and a missing file": Row([config("{token: t, tokenFile: none}")], TOKEN),
    "a token and an empty file": Row([config("{token: t, tokenFile: empty}")], TOKEN),
    "a missing token file": Row(
        [config("{tokenFile: none}")], None, "the file of 'tokenFile': no such file or directory"
    ),
    "an empty token file": Row([config("{tokenFile: empty}")], None, "'tokenFile' is empty"),
    "a token file of two lines": Row(
        [config("{tokenFile: two-lines}")], None, "the token of 'tokenFile': line ends"
    ),
    "a password": Row(
        [config("{username: x, password: 'y'}")], Sent("a", ("Authorization: Basic eDp5",))
    ),
    "a user without password": Row(
        [config("{username: x}")], Sent("a", ("Authorization: Basic eDo=",))
    ),
    "a password without user, and a token": Row(
        [config("{password: z, token: t}")], None, "exclude each other"
    ),
    "a relative path through a folder that does not exist": Row(
        [config("{tokenFile: none/../token}")], TOKEN
    ),
    "a key twice, without certificate": Row(
        [config("{client-key: client.key, client-key-data: YQ==, token: t}")], TOKEN
    ),
    "a password and a token": Row(
        [config("{username: x, password: z, token: t}")], None, "exclude each other"
    ),
    "a client certificate": Row(
        [config("{client-certificate: client.crt, client-key: client.key}")],
        Sent("a", ("Certificate: me",)),
    ),
    "a client certificate as data": Row(
        [config("{client-certificate-data: '{cert_data}', client-key-data: '{key_data}'}")],
        Sent("a", ("Certificate: me",)),
    ),
    "a client certificate and a token": Row(
        [config("{client-certificate: client.crt, client-key: client.key, token: t}")],
        Sent("a", ("Authorization: Bearer t", "Certificate: me")),
    ),
    "a certificate without key": Row(
        [config("{client-certificate: client.crt}")], None, "'client-key-data' is missing"
    ),
    "a key without certificate": Row(
        [config("{client-key: client.key}")], None, "user 'u': no credentials"
    ),
    "a certificate twice": Row(
        [
            config(
                "{client-certificate: client.crt, client-certificate-data: YQ==, "
                "client-key: client.key}"
            )
        ],
        None,
        "exclude each other",
    ),
    "a missing key": Row(
        [config("{client-certificate: client.crt, client-key: none}")],
        None,
        "the file of 'client-key': no such file or directory",
    ),
    "a certificate that is none": Row(
        [config("{client-certificate-data: YQ==, client-key: client.key}")],
        None,
        "expected a certificate and its key in PEM",
    ),
    "auth-provider gcp": Row(
        [config("{auth-provider: {name: gcp}}")], None, "use the exec plugin gke-gcloud-auth-plugin"
    ),
    "auth-provider azure": Row(
        [config("{auth-provider: {name: azure}}")], None, "use the exec plugin kubelogin"
    ),
    "auth-provider gcp and a token": Row(
        [config("{token: t, auth-provider: {name: gcp}}")], None, "gke-gcloud-auth-plugin"
    ),
    "an unknown auth-provider": Row(
        [config("{auth-provider: {name: x}}")], None, "'auth-provider' is not one of kubectl"
    ),
    "auth-provider oidc with a valid token": Row(
        [config("{auth-provider: {name: oidc, config: {oidc_valid}}}")],
        Sent("a", (f"Authorization: Bearer {ID_TOKEN}",)),
    ),
    "auth-provider oidc with an expired token": Row(
        [config("{auth-provider: {name: oidc, config: {oidc_expired}}}")],
        None,
        "no valid id-token and no refresh-token",
    ),
    "auth-provider oidc without a token": Row(
        [config("{auth-provider: {name: oidc, config: {oidc_empty}}}")], None, "no valid id-token"
    ),
}
PLUGINS = {
    "a token": Row([config(plugin(EXEC))], TOKEN, plugin={"token": "t"}),
    "a certificate": Row(
        [config(plugin())],
        Sent("a", ("Certificate: me",)),
        plugin=CERTIFICATE,
    ),
    "a path relative to the file": Row(
        [config(plugin(command="./plugin.sh"))], TOKEN, plugin={"token": "t"}
    ),
    "impersonation": Row(
        [config(plugin().replace("{exec", "{as: jane, exec"))],
        Sent("a", ("Authorization: Bearer t", "Impersonate-User: jane")),
        plugin={"token": "t"},
    ),
    "not run beside a token": Row([config(plugin().replace("{exec", "{token: t, exec"))], TOKEN),
    "an expired token, which is used once": Row(
        [config(plugin())],
        TOKEN,
        plugin={"token": "t", "expirationTimestamp": "2020-01-01T00:00:00Z"},
    ),
    "v1beta1 without interactiveMode": Row(
        [config(plugin(version=V1BETA1).replace("interactiveMode: Never, ", ""))],
        TOKEN,
        plugin=json.dumps(
            {"kind": "ExecCredential", "apiVersion": V1BETA1, "status": {"token": "t"}}
        ),
    ),
    "cluster information": Row(
        [
            config(
                plugin(INFO),
                cluster="certificate-authority: '{ca}', extensions: "
                "[{name: client.authentication.k8s.io/exec, extension: {audience: x}}]",
            )
        ],
        TOKEN,
        plugin={"token": "t"},
    ),
    "a failure": Row(
        [config(plugin("env: [{name: CODE, value: '3'}]"))],
        None,
        "plugin.sh' failed with exit code 3",
    ),
    "no program, with a hint": Row(
        [config(plugin("installHint: get it", command="no-such-plugin"))],
        None,
        "exec plugin 'no-such-plugin' is not installed: get it",
    ),
    "a file that is not executable": Row(
        [config(plugin(command="./token"))], None, "token': permission denied"
    ),
    "a terminal that is needed": Row(
        [config(plugin("interactiveMode: Always"))], None, "standard input is not a terminal"
    ),
    "not run beside a client certificate": Row(
        [
            config(
                plugin().replace(
                    "{exec", "{client-certificate: client.crt, client-key: client.key, exec"
                )
            )
        ],
        Sent("a", ("Certificate: me",)),
        plugin={"token": "t"},
    ),
    "a PATH for the plugin, which is not searched": Row(
        [
            config(
                plugin("env: [{name: PATH, value: '{folder}:/bin:/usr/bin'}]", command="plugin.sh")
            )
        ],
        None,
        "exec plugin 'plugin.sh' is not installed",
        plugin={"token": "t"},
    ),
    "a path through a folder that does not exist": Row(
        [config(plugin(command="{folder}/none/../plugin.sh"))], TOKEN, plugin={"token": "t"}
    ),
    "no status": Row([config(plugin())], None, "neither a token nor", plugin=None),
    "an empty token": Row([config(plugin())], None, "neither a token nor", plugin={"token": ""}),
    "a null token": Row([config(plugin())], None, "neither a token nor", plugin={"token": None}),
    "a number as token": Row(
        [config(plugin())], None, "'status.token': expected text", plugin={"token": 5}
    ),
    "a token with a line end": Row(
        [config(plugin())], None, "plugin's token: line ends", plugin={"token": "t\n"}
    ),
    "a certificate without key": Row(
        [config(plugin())], None, "only a certificate", plugin={"clientCertificateData": "x"}
    ),
    "a certificate that is none": Row(
        [config(plugin())],
        None,
        "expected a certificate and its key in PEM",
        plugin={"clientCertificateData": "x", "clientKeyData": "y"},
    ),
    "a time that is none": Row(
        [config(plugin())],
        None,
        "did not print an ExecCredential",
        plugin={"token": "t", "expirationTimestamp": "soon"},
    ),
    "YAML": Row(
        [config(plugin())],
        TOKEN,
        plugin=f"apiVersion: {V1}\nkind: ExecCredential\nstatus: {{token: t}}\n",
    ),
    "neither JSON nor YAML": Row(
        [config(plugin())], None, "but neither JSON nor YAML", plugin="secret: [x"
    ),
    "YAML that is nested too deeply": Row(
        [config(plugin())], None, "but neither JSON nor YAML", plugin="[" * 20_000
    ),
    "no output": Row([config(plugin())], None, "'the output': expected a map", plugin=""),
    "no kind": Row(
        [config(plugin())],
        TOKEN,
        plugin=json.dumps({"apiVersion": V1, "status": {"token": "t"}}),
    ),
    "a time without a zone": Row(
        [config(plugin())],
        None,
        "'status.expirationTimestamp': expected",
        plugin={"token": "t", "expirationTimestamp": "2099-01-01T00:00:00"},
    ),
    "another version": Row(
        [config(plugin())],
        None,
        "another kind or version",
        plugin=json.dumps(
            {"kind": "ExecCredential", "apiVersion": V1BETA1, "status": {"token": "t"}}
        ),
    ),
    "a version that does not exist": Row(
        [config(plugin(version=f"{V1}alpha1"))], None, "'exec.apiVersion': expected"
    ),
    "no interactiveMode": Row(
        [config(plugin().replace("interactiveMode: Never, ", ""))],
        None,
        "'exec.interactiveMode' is missing",
    ),
    "an unknown interactiveMode": Row(
        [config(plugin("interactiveMode: Maybe"))], None, "'exec.interactiveMode': expected"
    ),
    "no command": Row([config(plugin(command=""))], None, "'exec.command' is missing"),
    "a variable without name": Row(
        [config(plugin("env: [{value: x}]"))], None, "'exec.env': a variable has no name"
    ),
    "auth-provider beside it": Row(
        [config(plugin().replace("{exec", "{auth-provider: {name: oidc}, exec"))],
        None,
        "'auth-provider' and 'exec' exclude each other",
    ),
}
CLUSTERS = {
    "a CA as data": Row([config(cluster="certificate-authority-data: '{ca_data}'")], TOKEN),
    "a CA as data in several lines": Row(
        [config(cluster='certificate-authority-data: "{ca_data_lines}"')], TOKEN
    ),
    "a CA in a relative path": Row([config(cluster="certificate-authority: ca.crt")], TOKEN),
    "no CA": Row([config(cluster="")], None, "certificate verify failed"),
    "a missing CA": Row(
        [config(cluster="certificate-authority: none")],
        None,
        "cluster 'a': the file of 'certificate-authority': no such file or directory",
    ),
    "a CA that is none": Row(
        [config(cluster="certificate-authority-data: YQ==")], None, "expected certificates in PEM"
    ),
    "a CA twice": Row(
        [config(cluster="certificate-authority: ca.crt, certificate-authority-data: YQ==")],
        None,
        "exclude each other",
    ),
    "the server's own certificate as CA": Row(
        [config(cluster="certificate-authority: '{server_cert}'")], TOKEN
    ),
    "no verification": Row([config(cluster="insecure-skip-tls-verify: true")], TOKEN),
    "no verification and a CA": Row(
        [config(cluster="insecure-skip-tls-verify: true, certificate-authority: ca.crt")],
        None,
        "'insecure-skip-tls-verify' and a CA exclude each other",
    ),
    "a path of a CA that is none": Row(
        [config(cluster='certificate-authority: "a\\0b"')],
        None,
        "'certificate-authority' is not a path",
    ),
    "another name in the certificate": Row(
        [config(cluster="certificate-authority: ca.crt, tls-server-name: localhost")], TOKEN
    ),
    "a name with a NUL": Row(
        [config(cluster='certificate-authority: ca.crt, tls-server-name: "a\\0b"')],
        None,
        "'tls-server-name' is not a name",
    ),
    "a name that the certificate does not have": Row(
        [config(cluster="certificate-authority: ca.crt, tls-server-name: example.com")],
        None,
        "certificate is not valid for 'example.com'",
    ),
    "an address without scheme, and a CA": Row([config("{}", server="127.0.0.1:{c}")], Sent("c")),
    "an address without scheme": Row([config("{}", server="127.0.0.1:{c}", cluster="")], Sent("c")),
    "an address without scheme but with a path": Row(
        [config(server="127.0.0.1:{a}/path")], None, "cluster 'a': 'server': expected a URL"
    ),
    "an address with a path": Row(
        [config(server="https://127.0.0.1:{a}/x/y/")], TOKEN._replace(path="/x/y/version")
    ),
    "an address with upper-case scheme and a query": Row(
        [config(server="HTTPS://127.0.0.1:{a}?x=1")], TOKEN
    ),
    "an address with a password": Row(
        [config(server="https://x:y@127.0.0.1:{a}")], Sent("a", ("Authorization: Basic eDp5",))
    ),
    "an address of another kind": Row([config(server="ftp://127.0.0.1")], None, "expected a URL"),
    "an invalid port": Row(
        [config(server="https://127.0.0.1:port")], None, "'server': expected a URL"
    ),
    "no host": Row([config(server="https://")], None, "'server': expected a URL"),
    "http": Row([config("{}", server="http://127.0.0.1:{c}")], Sent("c")),
    "http on this machine, with as": Row(
        [config("{token: t, as: jane}", server="http://localhost:{c}")],
        Sent("c", ("Authorization: Bearer t", "Impersonate-User: jane")),
        unlike_kubectl="kubectl sends neither, and 'kubectl proxy' has more rights than jane",
    ),
}
REMOTE = {
    "server": "https://api.test.invalid:6443",
    "cluster": "certificate-authority: ca.crt, tls-server-name: localhost",
}
THROUGH = "CONNECT api.test.invalid:6443"
PROXY = "http://127.0.0.1:{proxy}"
NOT_RESOLVED = "cannot be resolved"


def proxied(environ: Mapping[str, str], *connected: str, **changes: str) -> Row:
    """Return a row with an API server that only a proxy can reach."""
    sent = TOKEN if connected else None
    message = "" if connected else NOT_RESOLVED
    return Row(
        [config(**{**REMOTE, **changes})], sent, message, environ=environ, connected=connected
    )


PROXIES = {
    "none": proxied({}),
    "HTTPS_PROXY": proxied({"HTTPS_PROXY": PROXY}, THROUGH),
    "https_proxy": proxied({"https_proxy": PROXY}, THROUGH),
    "HTTPS_PROXY without scheme": proxied({"HTTPS_PROXY": "127.0.0.1:{proxy}"}, THROUGH),
    "HTTPS_PROXY with a password": proxied(
        {"HTTPS_PROXY": "http://x:y%20z@127.0.0.1:{proxy}"}, f"{THROUGH} Basic eDp5IHo="
    ),
    "HTTPS_PROXY with a password beyond Latin-1": proxied(
        {"HTTPS_PROXY": "http://x:%E6%97%A5@127.0.0.1:{proxy}"}, f"{THROUGH} Basic eDrml6U="
    ),
    "HTTPS_PROXY with TLS, by a certificate of the cluster's CA": proxied(
        {"HTTPS_PROXY": "https://127.0.0.1:{tls_proxy}"}, THROUGH
    ),
    "HTTPS_PROXY with SOCKS": proxied(
        {"HTTPS_PROXY": "socks5://127.0.0.1:{proxy}"}, "SOCKS5 api.test.invalid:6443"
    ),
    "HTTPS_PROXY with SOCKS and a password": proxied(
        {"HTTPS_PROXY": "socks5://x:y@127.0.0.1:{proxy}"}, "SOCKS5 api.test.invalid:6443 x:y"
    ),
    "HTTP_PROXY, which is for http alone": proxied({"HTTP_PROXY": PROXY}),
    "ALL_PROXY, which kubectl does not know": proxied({"ALL_PROXY": PROXY, "all_proxy": PROXY}),
    "proxy-url": proxied({}, THROUGH, cluster=f"{REMOTE['cluster']}, proxy-url: '{PROXY}'"),
    "proxy-url with SOCKS": proxied(
        {},
        "SOCKS5 api.test.invalid:6443",
        cluster=f"{REMOTE['cluster']}, proxy-url: 'socks5://127.0.0.1:{{proxy}}'",
    ),
    "proxy-url whatever NO_PROXY says": proxied(
        {"NO_PROXY": "*"}, THROUGH, cluster=f"{REMOTE['cluster']}, proxy-url: '{PROXY}'"
    ),
    "proxy-url without scheme": Row(
        [config(cluster="certificate-authority: ca.crt, proxy-url: 'localhost:{proxy}'")],
        None,
        "cluster 'a': 'proxy-url': expected the URL of a proxy",
    ),
    "a loopback address": Row([config()], TOKEN, environ={"HTTPS_PROXY": PROXY}),
    "localhost": Row(
        [config(server="https://localhost:{a}")], TOKEN, environ={"HTTPS_PROXY": PROXY}
    ),
    "a domain in NO_PROXY that ends like the address": proxied(
        {"HTTPS_PROXY": PROXY, "NO_PROXY": "2.3, [10.1.2.3]"},
        "CONNECT 10.1.2.3:6443",
        server="https://10.1.2.3:6443",
    ),
    **{
        f"NO_PROXY={entries}": proxied(
            {"HTTPS_PROXY": PROXY, "NO_PROXY": entries}, *([] if excluded else [THROUGH])
        )
        for entries, excluded in {
            "*": True,
            "api.test.invalid": True,
            "API.Test.Invalid": True,
            "other, test.invalid": True,
            ".test.invalid": True,
            "*.test.invalid": True,
            "*.test.invalid:6443": True,
            "test.invalid:443": False,
            ".api.test.invalid": False,
            "st.invalid": False,
            ":6443": False,
            "10.0.0.0/8": False,
            "/,[,": False,
        }.items()
    },
}


def prepare(row: Row, recorder: Recorder, folder: Path) -> dict[str, str]:
    """Write the files of a row and return its environment."""
    fills = _fills(recorder, folder)
    (folder / "token").write_text("t\n")
    (folder / "empty").write_text(" \n")
    (folder / "two-lines").write_text("a\nb\n")
    for path in (recorder.ca, recorder.client_cert, recorder.client_key):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "plugin.sh").write_text(_fill(PLUGIN, fills))
    (folder / "plugin.sh").chmod(0o755)
    (folder / "printed.json").write_text(_printed(row.plugin, recorder))
    paths = [folder / f"config{number}" for number in range(len(row.files))]
    for path, content in zip(paths, row.files, strict=True):
        if isinstance(content, str):
            path.write_text(_fill(content, fills), encoding="utf-8")
        elif content is not None:
            encoding = "utf-16" if content.startswith(b"\xff\xfe") else "latin-1"
            path.write_bytes(_fill(content.decode(encoding), fills).encode(encoding))
    environ = {name: _fill(value, fills) for name, value in row.environ.items()}
    return {"KUBECONFIG": ":".join(map(str, paths))} | environ


def expected(row: Row) -> tuple[list[Sent], list[str]]:
    """Return the requests to the API servers and to the proxy."""
    return [row.sent] if row.sent else [], list(row.connected)


def _fill(text: str, fills: Mapping[str, str]) -> str:
    for name, value in fills.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _fills(recorder: Recorder, folder: Path) -> dict[str, str]:
    ca = base64.b64encode(recorder.ca.read_bytes()).decode()
    login = f"client-id: c, idp-issuer-url: 'https://127.0.0.1:{recorder.ports['c']}'"
    return {
        **{name: str(port) for name, port in recorder.ports.items()},
        "ca": str(recorder.ca),
        "server_cert": str(recorder.server_cert),
        "folder": str(folder),
        "ca_data": ca,
        "ca_data_lines": f"{ca[:76]}\\n{ca[76:]}\\n",
        "cert_data": base64.b64encode(recorder.client_cert.read_bytes()).decode(),
        "key_data": base64.b64encode(recorder.client_key.read_bytes()).decode(),
        "oidc_valid": f"{{{login}, id-token: {ID_TOKEN}}}",
        "oidc_expired": f"{{{login}, id-token: {_web_token(1)}}}",
        "oidc_empty": f"{{{login}}}",
    }


def _printed(status: object, recorder: Recorder) -> str:
    if status == CERTIFICATE:
        cert, key = recorder.client_cert.read_text(), recorder.client_key.read_text()
        status = {"clientCertificateData": cert, "clientKeyData": key}
    if isinstance(status, str):
        return status
    return json.dumps({"kind": "ExecCredential", "apiVersion": V1, "status": status})


ROWS = {
    f"{group}: {name}": row
    for group, rows in {
        "merging": MERGING,
        "texts": TEXTS,
        "users": USERS,
        "plugins": PLUGINS,
        "clusters": CLUSTERS,
        "proxies": PROXIES,
    }.items()
    for name, row in rows.items()
}
