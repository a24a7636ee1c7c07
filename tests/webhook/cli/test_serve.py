"""`convertor-webhook serve`: the configuration from its flags, and the errors of invalid ones."""

import json
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from tests.support.certificates import write_certificate
from webhook.cli.main import group, main
from webhook.cli.serve import serve
from webhook.model import Installation, Mode, OnError, Scope
from webhook.server.config import Address, Certificates, Config


@pytest.fixture
def configs(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """Collect the configurations that the server is started with, instead of starting it."""
    found: list[Config] = []

    async def record(config: Config, _count_dropped_log_lines: object) -> None:
        found.append(config)

    monkeypatch.setattr("webhook.server.run.serve", record)
    return found


def run(*args: object, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(group, ["serve", *map(str, args)])


def error_of(result: Result) -> str:
    """Return the message of a usage error, without the usage."""
    assert result.exit_code == 2
    return result.stderr.partition("Error: ")[2].strip()


def test_without_flags_the_configuration_is_that_of_a_cluster(configs: list[Config]) -> None:
    assert run().exit_code == 0
    assert configs == [
        Config(
            listen=Address("0.0.0.0", 8443),
            status_listen=Address("0.0.0.0", 8080),
            certificates=Certificates(names=("localhost", "127.0.0.1", "::1")),
        )
    ]


def test_every_flag_is_in_the_configuration(configs: list[Config], tmp_path: Path) -> None:
    defaults = tmp_path / "defaults.yaml"
    defaults.write_text("labels: {team: a}")
    flags = {
        "--listen": "127.0.0.1:1",
        "--status-listen": "127.0.0.1:2",
        "--defaults": defaults,
        "--mode": "audit",
        "--namespace-mode": "production=off",
        "--scope": "own",
        "--on-error": "deny",
        "--annotation-prefix": "example.com",
        "--max-concurrent": 7,
        "--plans": tmp_path,
        "--tls-name": "host.example",
        "--state-dir": tmp_path,
    }
    args = [part for pair in flags.items() for part in pair]
    assert run(*args, "--no-plan-modes", "--no-identity-labels").exit_code == 0
    assert configs == [
        Config(
            listen=Address("127.0.0.1", 1),
            status_listen=Address("127.0.0.1", 2),
            plans=tmp_path,
            certificates=Certificates(
                names=("localhost", "127.0.0.1", "::1", "host.example"), state_dir=tmp_path
            ),
            max_concurrent=7,
            installation=Installation(
                mode=Mode.AUDIT,
                namespace_modes={"production": Mode.OFF},
                plan_modes=False,
                scope=Scope.OWN,
                on_error=OnError.DENY,
                identity_labels=False,
                prefix="example.com",
                defaults={"labels": {"team": "a"}},
            ),
        )
    ]


def test_every_flag_has_an_environment_variable(configs: list[Config], tmp_path: Path) -> None:
    result = run(
        CONVERTOR_WEBHOOK_PLANS=str(tmp_path),
        CONVERTOR_WEBHOOK_MODE="audit",
        CONVERTOR_WEBHOOK_NAMESPACE_MODE="a=off b=enforce",
        CONVERTOR_WEBHOOK_PLAN_MODES="false",
        CONVERTOR_WEBHOOK_TLS_NAME="host.example",
    )
    assert result.exit_code == 0
    (config,) = configs
    assert config.plans == tmp_path
    assert config.installation == Installation(
        mode=Mode.AUDIT, namespace_modes={"a": Mode.OFF, "b": Mode.ENFORCE}, plan_modes=False
    )
    assert config.certificates.names[-1] == "host.example"


def test_a_misspelt_environment_variable_is_a_warning(configs: list[Config]) -> None:
    result = run(CONVERTOR_WEBHOOK_MODUS="audit")
    assert result.exit_code == 0
    assert (
        "unknown environment variable 'CONVERTOR_WEBHOOK_MODUS'; "
        "did you mean 'CONVERTOR_WEBHOOK_MODE'?"
    ) in result.stderr


def test_the_certificate_may_be_in_files(configs: list[Config], tmp_path: Path) -> None:
    files = write_certificate(tmp_path)
    for flags in (["--tls-dir", tmp_path], ["--tls-cert", files.cert, "--tls-key", files.key]):
        assert run(*flags, "--client-ca", files.ca).exit_code == 0
    expected = Certificates(files=(files.cert, files.key), client_ca=files.ca)
    assert [config.certificates for config in configs] == [expected, expected]


def test_the_certificate_may_be_in_a_secret(configs: list[Config]) -> None:
    flags = ["--certs-secret=ns/ca", "--certs-service=ns/hook", "--certs-webhook-config=hook"]
    assert run(*flags).exit_code == 0
    assert configs[0].certificates == Certificates(
        names=("hook.ns.svc", "hook.ns.svc.cluster.local", "hook.ns", "hook"),
        secret=("ns", "ca"),
        webhook_config="hook",
    )


def test_pods_may_be_watched_in_some_namespaces(configs: list[Config]) -> None:
    namespaces = ["b", "a", "b"]
    assert run(*(f"--watch-pods-namespace={name}" for name in namespaces)).exit_code == 0
    assert run(CONVERTOR_WEBHOOK_WATCH_PODS_NAMESPACE="b a").exit_code == 0
    assert [config.watch_pods_namespaces for config in configs] == [("b", "a"), ("b", "a")]


INVALID_FLAGS: list[tuple[list[str], str]] = [
    (["--lisen", "x"], "No such option '--lisen'. (Did you mean one of: "),
    (["--mode", "audti"], "Invalid value for '--mode': 'audti' is not one of "),
    (
        ["--listen", "8443"],
        (
            "Invalid value for '--listen': '8443': expected HOST:PORT with a port up to 65535, "
            "such as '0.0.0.0:8443'"
        ),
    ),
    (["--plans", ""], "Invalid value for '--plans': the path is empty"),
    (["--state-dir", ""], "Invalid value for '--state-dir': the path is empty"),
    (
        ["--plans", ".", "--kubeconfig", __file__],
        "expected --plans or a kubeconfig, found both",
    ),
    (
        ["--plans", ".", "--hub-kubeconfig", __file__],
        "expected --plans or a kubeconfig, found both",
    ),
    (
        ["--tls-dir", ".", "--tls-name", "host.example"],
        "--tls-name is for a certificate of the local CA: not for files, not for a Service",
    ),
    (
        ["--certs-service=ns/hook", "--tls-name", "host.example"],
        "--tls-name is for a certificate of the local CA: not for files, not for a Service",
    ),
    (["--plans", "no/such"], "Invalid value for '--plans': 'no/such': no such directory"),
    (["--tls-cert", "no.crt"], "Invalid value for '--tls-cert': 'no.crt': no such file"),
    (
        ["--annotation-prefix", "Ex_ample"],
        (
            "Invalid value for '--annotation-prefix': 'Ex_ample': expected a DNS name such as "
            "'convertor.forklift.konveyor.io'; "
        ),
    ),
    (
        ["--max-concurrent", "0"],
        "Invalid value for '--max-concurrent': 0 is not in the range x>=1.",
    ),
    (
        ["--watch-pods-namespace=A_b"],
        "Invalid value for '--watch-pods-namespace': namespace 'A_b' must consist of lower case ",
    ),
    (
        ["--watch-pods-namespace=", "--no-watch-pods"],
        "Invalid value for '--watch-pods-namespace': namespace '' must not be empty",
    ),
    (
        ["--watch-pods-namespace=a", "--no-watch-pods"],
        "expected --no-watch-pods or --watch-pods-namespace, found both",
    ),
    (
        ["--watch-pods-namespace=a", "--plans=."],
        "--plans is without a cluster, --watch-pods-namespace needs one",
    ),
    (
        [f"--watch-pods-namespace=n{number}" for number in range(51)],
        "--watch-pods-namespace: expected at most 50 namespaces, found 51; without it all ",
    ),
    (
        ["--certs-secret=ns/ca"],
        "--certs-service is missing: the name that API servers call",
    ),
    (
        ["--plans", ".", "--certs-service=ns/hook"],
        "--plans is without a cluster, --certs-secret and --certs-service need one",
    ),
    (
        ["--tls-dir", ".", "--certs-secret=ns/ca", "--certs-service=ns/hook"],
        "expected --certs-secret or a certificate in files, found both",
    ),
]


@pytest.mark.parametrize(
    ("flags", "message"), INVALID_FLAGS, ids=[flags[0] for flags, _ in INVALID_FLAGS]
)
def test_an_invalid_flag_is_a_usage_error(flags: list[str], message: str) -> None:
    assert error_of(run(*flags)).startswith(message)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["tls-cert"], "expected --tls-cert and --tls-key together, --tls-key is missing"),
        (["tls-key"], "expected --tls-cert and --tls-key together, --tls-cert is missing"),
        (["tls-cert", "tls-dir"], "expected --tls-dir or --tls-cert with --tls-key, found both"),
    ],
)
def test_contradictory_certificate_flags_are_a_usage_error(
    flags: list[str], message: str, tmp_path: Path
) -> None:
    files = write_certificate(tmp_path)
    values = {"tls-cert": files.cert, "tls-key": files.key, "tls-dir": tmp_path}
    assert error_of(run(*(f"--{flag}={values[flag]}" for flag in flags))) == message


def test_invalid_defaults_are_a_usage_error_with_a_caret(tmp_path: Path) -> None:
    path = tmp_path / "defaults.yaml"
    path.write_text("affinity: REQUIRE pods(app=x) on nodes")
    assert error_of(run("--defaults", path)) == (
        f"'{path}' affinity line 1 column 24: unknown topology 'nodes': expected node, zone, "
        "region, rack or a label key; did you mean 'node'?\n"
        "  REQUIRE pods(app=x) on nodes\n"
        "                         ^^^^^"
    )


@pytest.mark.parametrize(
    "part", ["server.run.serve", "server.config.load_defaults"], ids=["server", "flags"]
)
def test_an_unexpected_error_is_one_line_with_the_stack_trace_in_the_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], part: str
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(f"webhook.{part}", fail)
    flags = ["--defaults", __file__] if part == "server.config.load_defaults" else []
    monkeypatch.setattr(sys, "argv", ["convertor-webhook", "serve", *flags])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 70
    printed = capsys.readouterr()
    *_, event, line = printed.err.splitlines()
    assert line == "Error: unexpected KeyError: 'x'"
    logged = json.loads(event)
    assert (logged["level"], logged["message"]) == ("error", "unexpected error")
    assert logged["exception"].endswith("KeyError: 'x'")
    assert not printed.out


def test_every_flag_has_a_help_text() -> None:
    for parameter in serve.params:
        assert isinstance(parameter, click.Option)
        assert parameter.help, parameter.name
