"""`convertor-webhook serve`: what its flags become, and what a wrong one says. Exit code 2."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from tests.support.certificates import write
from webhook.cli.main import main
from webhook.cli.serve import serve
from webhook.model import Installation, Mode, OnError, Scope
from webhook.server.config import Address, Certificates, Config


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """Collect the configurations that the server is started with, instead of starting it."""
    found: list[Config] = []

    async def remember(config: Config) -> None:
        found.append(config)

    monkeypatch.setattr("webhook.server.run.serve", remember)
    return found


def run(*args: object, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, ["serve", *map(str, args)])


def fault(result: Result) -> str:
    """Return what is said besides how the command is used."""
    assert result.exit_code == 2
    return result.stderr.partition("Error: ")[2].strip()


def test_without_flags_it_is_what_a_cluster_needs(served: list[Config]) -> None:
    assert run().exit_code == 0
    assert served == [
        Config(
            listen=Address("0.0.0.0", 8443),
            status_listen=Address("0.0.0.0", 8080),
            certificates=Certificates(names=("localhost", "127.0.0.1", "::1")),
        )
    ]


def test_every_flag_counts(served: list[Config], tmp_path: Path) -> None:
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
    given = [part for pair in flags.items() for part in pair]
    assert run(*given, "--no-plan-modes", "--no-identity-labels").exit_code == 0
    assert served == [
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


def test_every_flag_is_a_variable_too(served: list[Config], tmp_path: Path) -> None:
    result = run(
        CONVERTOR_WEBHOOK_PLANS=str(tmp_path),
        CONVERTOR_WEBHOOK_MODE="audit",
        CONVERTOR_WEBHOOK_NAMESPACE_MODE="a=off b=enforce",
        CONVERTOR_WEBHOOK_PLAN_MODES="false",
        CONVERTOR_WEBHOOK_TLS_NAME="host.example",
    )
    assert result.exit_code == 0
    (config,) = served
    assert config.plans == tmp_path
    assert config.installation == Installation(
        mode=Mode.AUDIT, namespace_modes={"a": Mode.OFF, "b": Mode.ENFORCE}, plan_modes=False
    )
    assert config.certificates.names[-1] == "host.example"


def test_a_misspelt_variable_is_told(served: list[Config]) -> None:
    result = run(CONVERTOR_WEBHOOK_MODUS="audit")
    assert result.exit_code == 0
    assert (
        "unknown environment variable 'CONVERTOR_WEBHOOK_MODUS'; "
        "did you mean 'CONVERTOR_WEBHOOK_MODE'?"
    ) in result.stderr


def test_a_certificate_in_files(served: list[Config], tmp_path: Path) -> None:
    made = write(tmp_path)
    for flags in (["--tls-dir", tmp_path], ["--tls-cert", made.cert, "--tls-key", made.key]):
        assert run(*flags, "--client-ca", made.ca).exit_code == 0
    expected = Certificates(files=(made.cert, made.key), client_ca=made.ca)
    assert [config.certificates for config in served] == [expected, expected]


def test_a_certificate_of_the_cluster(served: list[Config]) -> None:
    flags = ["--certs-secret=ns/ca", "--certs-service=ns/hook", "--certs-webhook-config=hook"]
    assert run(*flags).exit_code == 0
    assert served[0].certificates == Certificates(
        names=("hook.ns.svc", "hook.ns.svc.cluster.local", "hook.ns", "hook"),
        secret=("ns", "ca"),
        webhook_config="hook",
    )


WRONG: list[tuple[list[str], str]] = [
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
        "expected --plans or a cluster by kubeconfig, found both",
    ),
    (
        ["--plans", ".", "--hub-kubeconfig", __file__],
        "expected --plans or a cluster by kubeconfig, found both",
    ),
    (
        ["--tls-dir", ".", "--tls-name", "host.example"],
        "--tls-name is for a certificate that we make: not in files, not of a Service",
    ),
    (
        ["--certs-service=ns/hook", "--tls-name", "host.example"],
        "--tls-name is for a certificate that we make: not in files, not of a Service",
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
        ["--certs-secret=ns/ca"],
        "--certs-service is missing: the name that API servers call",
    ),
    (
        ["--plans", ".", "--certs-service=ns/hook"],
        "--plans does without a cluster, --certs-secret and --certs-service need one",
    ),
    (
        ["--tls-dir", ".", "--certs-secret=ns/ca", "--certs-service=ns/hook"],
        "expected --certs-secret or a certificate in files, found both",
    ),
]


@pytest.mark.parametrize(("flags", "said"), WRONG, ids=[flags[0] for flags, _ in WRONG])
def test_a_wrong_flag_is_an_error_that_says_what_to_try(flags: list[str], said: str) -> None:
    assert fault(run(*flags)).startswith(said)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["tls-cert"], "expected --tls-cert and --tls-key together, --tls-key is missing"),
        (["tls-key"], "expected --tls-cert and --tls-key together, --tls-cert is missing"),
        (["tls-cert", "tls-dir"], "expected --tls-dir or --tls-cert with --tls-key, found both"),
    ],
)
def test_half_a_certificate_is_an_error(flags: list[str], said: str, tmp_path: Path) -> None:
    made = write(tmp_path)
    values = {"tls-cert": made.cert, "tls-key": made.key, "tls-dir": tmp_path}
    assert fault(run(*(f"--{flag}={values[flag]}" for flag in flags))) == said


def test_defaults_with_a_mistake_are_an_error_with_a_caret(tmp_path: Path) -> None:
    path = tmp_path / "defaults.yaml"
    path.write_text("affinity: REQUIRE pods(app=x) on nodes")
    assert fault(run("--defaults", path)) == (
        f"'{path}' affinity line 1 column 24: unknown topology 'nodes': expected node, zone, "
        "region, rack or a label key; did you mean 'node'?\n"
        "  REQUIRE pods(app=x) on nodes\n"
        "                         ^^^^^"
    )


@pytest.mark.parametrize(
    "part", ["server.run.serve", "server.config.load_defaults"], ids=["later", "at once"]
)
def test_what_nobody_foresaw_ends_with_one_line_and_its_trace_in_the_log(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(f"webhook.{part}", fail)
    result = run("--defaults", __file__) if part == "server.config.load_defaults" else run()
    assert result.exit_code == 70
    *_, event, line = result.stderr.splitlines()
    assert line == "Error: unexpected KeyError: 'x'"
    told = json.loads(event)
    assert (told["level"], told["message"]) == ("error", "unexpected error")
    assert told["exception"].endswith("KeyError: 'x'")
    assert not result.stdout


def test_every_flag_is_explained() -> None:
    for parameter in serve.params:
        assert isinstance(parameter, click.Option)
        assert parameter.help, parameter.name
