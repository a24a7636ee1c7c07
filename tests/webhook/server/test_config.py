"""Errors in flags, variables and files, with the whole message."""

from collections.abc import Callable
from pathlib import Path

import pytest

from webhook.model import Installation, Mode
from webhook.server import config
from webhook.server.config import Address, ConfigError


@pytest.mark.parametrize(
    ("text", "address", "in_full"),
    [
        ("0.0.0.0:8443", Address("0.0.0.0", 8443), "0.0.0.0:8443"),
        (":8443", Address("0.0.0.0", 8443), "0.0.0.0:8443"),
        ("localhost:0", Address("localhost", 0), "localhost:0"),
        ("[::]:8443", Address("::", 8443), "[::]:8443"),
        ("[::1]:443", Address("::1", 443), "[::1]:443"),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: Address, in_full: str) -> None:
    assert config.parse_address(text) == address
    assert str(address) == in_full


@pytest.mark.parametrize("text", ["", "8443", "localhost", "localhost:", "a:b", "a:65536", "a:-1"])
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.parse_address(text)
    assert str(error.value) == (
        f"{text!r}: expected HOST:PORT with a port up to 65535, such as '0.0.0.0:8443'"
    )


def test_an_ipv6_address_needs_brackets() -> None:
    with pytest.raises(ConfigError) as error:
        config.parse_address("::1:8443")
    assert str(error.value) == "'::1:8443': an IPv6 address needs brackets; try '[::1]:8443'"


def test_a_namespace_has_a_mode() -> None:
    assert config.parse_namespace_mode("production=audit") == ("production", Mode.AUDIT)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("production", "'production': expected NAMESPACE=MODE, such as 'production=audit'"),
        ("=audit", "'=audit': expected NAMESPACE=MODE, such as 'production=audit'"),
        (
            "Prod_1=audit",
            (
                "'Prod_1=audit': namespace 'Prod_1' must consist of lower case alphanumeric "
                "characters or '-', and must start and end with an alphanumeric character"
            ),
        ),
        (
            "production=adit",
            (
                "'production=adit': unknown mode 'adit', expected enforce, audit, off; "
                "did you mean 'audit'?"
            ),
        ),
    ],
)
def test_a_namespace_without_one_is_an_error(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.parse_namespace_mode(text)
    assert str(error.value) == message


def test_an_object_has_a_namespace_and_a_name() -> None:
    assert config.parse_object_name("ns/name") == ("ns", "name")


@pytest.mark.parametrize("text", ["", "name", "/name", "ns/", "a/b/c"])
def test_anything_else_is_no_object(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.parse_object_name(text)
    assert str(error.value) == f"{text!r}: expected NAMESPACE/NAME"


def test_a_path_that_is_not_there_may_be_misspelt(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "defaults.yaml").touch()
    with pytest.raises(ConfigError) as error:
        config.find_directory(f"{tmp_path}/plnas")
    assert str(error.value) == (
        f"'{tmp_path}/plnas': no such directory; did you mean '{tmp_path}/plans'?"
    )
    with pytest.raises(ConfigError) as error:
        config.find_file(f"{tmp_path}/default.yaml")
    assert str(error.value) == (
        f"'{tmp_path}/default.yaml': no such file; did you mean '{tmp_path}/defaults.yaml'?"
    )
    with pytest.raises(ConfigError) as error:
        config.find_file(f"{tmp_path}/elsewhere/default.yaml")
    assert str(error.value) == f"'{tmp_path}/elsewhere/default.yaml': no such file"


@pytest.mark.parametrize(
    "read", [config.parse_path, config.find_path, config.find_directory, config.find_file]
)
def test_an_empty_path_is_not_the_directory_that_we_are_in(read: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigError, match=r"^the path is empty$"):
        read("")


def test_of_long_paths_the_names_are_compared(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    (folder / "plans").touch()
    with pytest.raises(ConfigError) as error:
        config.find_file(str(folder / "defaults.yaml"))
    assert str(error.value) == f"'{folder}/defaults.yaml': no such file"
    with pytest.raises(ConfigError) as error:
        config.find_path(str(folder / "plan"))
    assert str(error.value) == (
        f"'{folder}/plan': no such file or directory; did you mean '{folder}/plans'?"
    )


def test_a_path_that_cannot_be_looked_at_is_an_error_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for path, reason in (
        (tmp_path / "loop", "too many levels of symbolic links"),
        (tmp_path / ("x" * 300), "file name too long"),
    ):
        for check in (config.find_path, config.find_directory, config.find_file):
            with pytest.raises(ConfigError) as error:
                check(str(path))
            assert str(error.value) == f"'{path}': {reason}"


def test_a_file_is_no_directory_and_a_directory_no_file(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.touch()
    assert config.find_directory(str(tmp_path)) == tmp_path
    assert config.find_file(str(file)) == file
    with pytest.raises(ConfigError) as error:
        config.find_directory(str(file))
    assert str(error.value) == f"'{file}': expected a directory, found a file; try '{tmp_path}'"
    with pytest.raises(ConfigError) as error:
        config.find_file(str(tmp_path))
    assert str(error.value) == f"'{tmp_path}': expected a file, found a directory"


def test_defaults_are_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "defaults.yaml"
    path.write_text("labels: {team: migration}\n")
    assert config.load_defaults(path, Installation()) == {"labels": {"team": "migration"}}
    for nothing in ("", "# nothing\n", "---\n---\n"):
        path.write_text(nothing)
        assert config.load_defaults(path, Installation()) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels: {", "'{path}': line 2 column 1: expected YAML: "),
        ("labels: {}\nlabels: {a: b}", "'{path}': line 2 column 1: duplicate key 'labels'"),
        (
            "labels: {}\n---\nlabels: {a: b}",
            "'{path}': line 3: expected one document, found another",
        ),
        ("labels: {team: 'a b'}", "labels"),
        ("labls: {}", "labls"),
        ("affinity: REQUIRE pods(app=x) on nodes", "'{path}'"),
        ("- labels", "'{path}'"),
    ],
)
def test_defaults_with_a_mistake_are_an_error_that_names_the_place(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "defaults.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        config.load_defaults(path, Installation())
    assert message.format(path=path) in str(error.value)


def test_an_installation_is_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("\ufeffmode: off\ndefaults: {labels: {team: migration}}\n")
    assert config.load_installation(path) == Installation(
        mode=Mode.OFF, defaults={"labels": {"team": "migration"}}
    )
    path.write_text("# nothing\n")
    assert config.load_installation(path) == Installation()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mode: [", "'{path}': line 2 column 1: expected YAML: "),
        ("mode: off\nmode: audit", "'{path}': line 2 column 1: duplicate key 'mode'"),
        ("mode: off\n---\nmode: audit", "'{path}': line 3: expected one document, found another"),
        ("namespaceModes: {on: off}", "'{path}': line 1 column 18: expected a text as key, "),
        (
            "mode: later\nenforce: {}\ndefaults: {affinity: REQUIRE pods(app=x) on nodes}",
            (
                "'{path}' enforce: unknown key: expected annotationPrefix, convertor, defaults, "
                "enforced, identityLabels, limits, mode, namespaceModes, onError, planModes or "
                "scope; did you mean 'enforced'?\n"
                "'{path}' mode: expected mode enforce, audit or off, found 'later'\n"
                "'{path}' defaults.affinity line 1 column 24: unknown topology 'nodes': expected "
                "node, zone, region, rack or a label key; did you mean 'node'?\n"
                "  REQUIRE pods(app=x) on nodes\n"
                "                         ^^^^^"
            ),
        ),
    ],
)
def test_an_installation_with_mistakes_is_an_error_with_all_of_them(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        config.load_installation(path)
    assert str(error.value).startswith(message.format(path=path))


def test_defaults_that_are_no_text_are_an_error_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "defaults.yaml"
    path.write_bytes("é: {}".encode("latin-1"))
    with pytest.raises(ConfigError) as error:
        config.load_defaults(path, Installation())
    assert str(error.value) == f"'{path}': byte 0 is not UTF-8"


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        config.load_defaults(tmp_path / "gone.yaml", Installation())
    assert str(error.value) == f"'{tmp_path}/gone.yaml': no such file or directory"


def test_variables_that_look_like_ours_and_are_none_are_told() -> None:
    environment = {
        "PATH": "/bin",
        "CONVERTOR_WEBHOOK_MODE": "audit",
        "CONVERTOR_WEBHOOK_PLAN": "x",
        "CONVERTOR_WEBHOOK_SERVICE_HOST": "10.0.0.1",
        "CONVERTOR_WEBHOOK_PORT_443_TCP": "tcp://10.0.0.1:443",
    }
    known = ["CONVERTOR_WEBHOOK_MODE", "CONVERTOR_WEBHOOK_PLANS"]
    assert config.find_unknown_variables(environment, known) == [
        (
            "unknown environment variable 'CONVERTOR_WEBHOOK_PLAN'; "
            "did you mean 'CONVERTOR_WEBHOOK_PLANS'?"
        )
    ]
