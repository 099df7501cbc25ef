"""What the operator makes of its flags and of the place it runs in."""

import subprocess
import sys

import pytest

from command_line import ROOT, run_grokwarden
from grokwarden.edge.addresses import Address
from grokwarden.errors import SettingsError
from grokwarden_operator.reconcile.hosts import rule_of
from grokwarden_operator.settings import OperatorSettings, operator_settings


@pytest.fixture
def kubeconfig(tmp_path):
    path = tmp_path / "config"
    path.write_text("{}")
    return path


@pytest.fixture
def account(tmp_path):
    """Where a pod's service account is mounted."""
    directory = tmp_path / "serviceaccount"
    directory.mkdir()
    (directory / "namespace").write_text("governance\n")
    (directory / "token").write_text("x")
    return directory


@pytest.fixture
def settings(tmp_path, kubeconfig):
    """Settings of flags, outside a pod unless said otherwise."""

    def make(**flags) -> OperatorSettings:
        place = {"environ": {}, "service_account_dir": tmp_path / "none", "kubeconfig": kubeconfig}
        return operator_settings(**{**place, **flags})

    return make


def test_the_defaults_are_those_of_the_chart(settings, kubeconfig):
    """Whoever reads the chart's manifests must not have to look for flags that aren't there."""
    found = settings()

    assert found == OperatorSettings(
        namespace="grokwarden-system",
        kubeconfig=kubeconfig,
        listen_config=Address(host="0.0.0.0", port=9444),
        listen_http=Address(host="0.0.0.0", port=9090),
        dns_names=(
            "grokwarden-operator.grokwarden-system.svc",
            "grokwarden-operator.grokwarden-system.svc.cluster.local",
        ),
        secret_namespaces=("grokwarden-system",),
    )


def test_in_a_pod_its_namespace_and_its_account_are_used(account):
    """A manifest that names the namespace a second time can name another one."""
    found = operator_settings(environ={"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, service_account_dir=account)

    assert (found.namespace, found.kubeconfig) == ("governance", None)
    assert found.dns_names[0] == "grokwarden-operator.governance.svc"
    assert found.secret_namespaces == ("governance",)


def test_the_kubeconfig_is_the_flags_then_the_pods_then_kubectls(account, tmp_path, kubeconfig):
    """A developer's own kubeconfig must never win over the account of the pod that the process runs in."""
    pod = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBECONFIG": str(kubeconfig)}
    home = tmp_path / ".kube"
    home.mkdir()
    (home / "config").write_text("{}")
    nowhere = tmp_path / "none"

    assert operator_settings(kubeconfig=kubeconfig, environ=pod, service_account_dir=account).kubeconfig == kubeconfig
    assert operator_settings(environ=pod, service_account_dir=account).kubeconfig is None
    assert operator_settings(environ=pod, service_account_dir=nowhere).kubeconfig == kubeconfig
    found = operator_settings(environ={"HOME": str(tmp_path)}, service_account_dir=nowhere)
    assert found.kubeconfig == home / "config"


def test_lists_are_taken_as_they_are_meant(settings):
    """Names are compared in lower case, and twice the same is once."""
    found = settings(
        dns_names=["Operator.Example", "10.0.0.7"],
        secret_namespaces=["shop", "bank", "shop"],
        egress_hosts=["API.x.ai", "api.x.ai", "*.example.com:443", "[2001:db8::1]:8443"],
    )

    assert found.dns_names == ("operator.example", "10.0.0.7")
    assert found.secret_namespaces == ("shop", "bank")
    assert found.egress_hosts == (rule_of("api.x.ai"), rule_of("*.example.com:443"), rule_of("[2001:db8::1]:8443"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"namespace": "Shop"}, r"--namespace: 'Shop' is not a namespace"),
        ({"secret_namespaces": ["*"]}, r"--secret-namespace: '\*' is not a namespace; .* no pattern"),
        ({"listen_config": "9444"}, r"--listen-config: '9444' is not an address; expected HOST:PORT"),
        ({"listen_http": "localhost:99999"}, r"--listen-http: 'localhost:99999' is not an address"),
        ({"dns_names": ["https://operator"]}, r"--dns-name: 'https://operator' is neither a DNS name nor an IP"),
        ({"dns_names": ["*.svc"]}, r"--dns-name: '\*.svc' is neither"),
        ({"egress_hosts": ["https://api.x.ai/v1"]}, r"--egress-host: 'https://api.x.ai/v1' is not a host"),
        ({"egress_hosts": ["*"]}, r"--egress-host: '\*' is not a host"),
    ],
)
def test_a_flag_that_cannot_be_used_is_named(settings, flags, message):
    """The message is all that a person sees in the log of a pod that does not start."""
    with pytest.raises(SettingsError, match=message):
        settings(**flags)


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path):
    """Else the first thing that fails is a connection, with nothing said about why."""
    missing, nowhere = tmp_path / "missing", tmp_path / "none"
    with pytest.raises(SettingsError, match=r"--kubeconfig .*missing: can't be read \(No such file"):
        operator_settings(kubeconfig=missing, environ={}, service_account_dir=nowhere)
    with pytest.raises(SettingsError, match=r"KUBECONFIG .*missing: can't be read"):
        operator_settings(environ={"KUBECONFIG": str(missing)}, service_account_dir=nowhere)
    with pytest.raises(SettingsError, match=r"--kubeconfig: not given, .* name a kubeconfig file"):
        operator_settings(environ={"HOME": str(tmp_path)}, service_account_dir=nowhere)


def test_an_ipv6_address_is_written_as_it_is_read():
    """The message about a port that is taken must name it so that it can be found."""
    assert str(Address.parse("[::1]:9090", flag="--listen-http")) == "[::1]:9090"


def test_bad_usage_ends_with_2_and_says_what_to_do():
    """A pod that restarts for ever with a traceback tells nobody anything."""
    done = run_grokwarden("operator", "--secret-namespace", "*")

    assert done.returncode == 2
    assert done.stdout == ""
    assert "--secret-namespace: '*' is not a namespace" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_loads_no_kubernetes_client():
    """Help answers at once."""
    code = (
        "import sys; sys.argv = ['grokwarden', 'operator', '--help']\n"
        "from grokwarden.edge.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('loaded:', *({'kopf', 'kubernetes', 'aiohttp', 'fastapi', 'uvicorn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT, check=True
    )

    assert "--egress-host" in done.stdout
    assert done.stdout.endswith("loaded:\n")


def test_without_its_extra_the_command_says_what_to_install():
    """The name of a module does not tell a user what to do."""
    code = (
        "import sys; sys.modules['kopf'] = None; sys.argv = ['grokwarden', 'operator']\n"
        "from grokwarden.edge.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert "pip install 'grokwarden[operator]'" in done.stderr
