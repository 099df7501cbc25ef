"""Where an address leads, and which entries of a list of hosts allow it."""

import pytest

from grokwarden_operator.reconcile.hosts import host_of, is_allowed, rule_of, rules_of

NO_ENTRIES = (
    *("", "*", "*.com", "*.", "a.*.com", "*api.x.ai", "https://api.x.ai", "api.x.ai/v1", "api.x.ai:", "api.x.ai:*"),
    *("user@api.x.ai", "*.0.0.1", "*.[::1]", "api x.ai", "[fe80::1%eth0]", "fe80::1%eth0", "аpi.x.ai", "127.1"),
)
OWN_HOSTS = (
    *("localhost", "LOCALHOST.", "api.localhost", "127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "[::1]"),
    *("[::]", "[fe80::1]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
    "[::127.0.0.1]",
)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.x.ai/v1", "api.x.ai:443"),
        ("http://api.x.ai/v1", "api.x.ai:80"),
        ("https://API.X.AI:8443", "api.x.ai:8443"),
        ("https://api.x.ai./v1", "api.x.ai:443"),
        ("https://api.x.ai:/v1", None),
        ("https://[2001:DB8:0::1]/v1", "[2001:db8::1]:443"),
        ("https://[::1]:8443", "[::1]:8443"),
        ("http://10.0.0.7:8080", "10.0.0.7:8080"),
        ("https://svc_1.shop.svc", "svc_1.shop.svc:443"),
    ],
)
def test_an_address_leads_to_one_host_in_one_spelling(url, host):
    """Two spellings of a host must not be two hosts."""
    found = host_of(url)
    assert (None if found is None else str(found)) == host


@pytest.mark.parametrize(
    "url",
    [
        "https://api.x.ai@evil.example/v1",
        "https://api.x.ai:443@evil.example/v1",
        "https://user:word@api.x.ai/v1",
        "https://evil.example\\@api.x.ai/v1",
        "https://evil.example\\.api.x.ai/v1",
        "https://api.x.ai%2eevil.example/v1",
        "https://api.x.ai%00.evil.example",
        "https://аpi.x.ai/v1",
        "https://api。x.ai/v1",
        "https://api.x.ai\t.evil.example",
        "https://api.x.ai evil.example",
        "https://api..x.ai",
        "https://api.x.ai..",
        "https://-api.x.ai",
        "https://*.x.ai",
        "https://api.x.ai:0",
        "https://api.x.ai:65536",
        "https://api.x.ai:４43",
        "https://[fe80::1%25eth0]/",
        "https://[api.x.ai]/",
        "https://[::1",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://1.2.3.4.5/",
        "ftp://api.x.ai/",
        "//api.x.ai/",
        "https:///v1",
        "",
    ],
)
def test_an_address_that_could_be_read_in_two_ways_leads_nowhere(url):
    """Where two programs read an address differently, one of them sends the key to the wrong one."""
    assert host_of(url) is None


@pytest.mark.parametrize(
    ("entry", "allowed", "refused"),
    [
        ("api.x.ai", ["https://api.x.ai", "http://api.x.ai", "https://API.x.ai.:8443"], ["https://x.ai"]),
        ("API.X.AI.", ["https://api.x.ai"], ["https://api.x.ai.evil.example", "https://xapi.x.ai"]),
        ("api.x.ai:8443", ["https://api.x.ai:8443"], ["https://api.x.ai", "https://api.x.ai:443"]),
        ("api.x.ai:443", ["https://api.x.ai"], ["http://api.x.ai", "https://api.x.ai:8443"]),
        ("*.example.com", ["https://a.example.com"], ["https://example.com", "https://a.b.example.com"]),
        ("*.example.com", ["https://a.example.com:1"], ["https://aexample.com", "https://a.example.com.evil.org"]),
        ("*.example.com:443", ["https://a.example.com"], ["https://a.example.com:8443"]),
        ("[2001:db8::1]", ["https://[2001:db8:0:0::1]:9"], ["https://[2001:db8::2]"]),
        ("2001:db8::1", ["https://[2001:db8::1]"], ["https://[2001:db8::2]"]),
        ("[2001:db8::1]:443", ["https://[2001:db8::1]"], ["https://[2001:db8::1]:8443"]),
        ("10.0.0.7", ["http://10.0.0.7:8080"], ["http://10.0.0.70"]),
    ],
)
def test_an_entry_allows_what_it_names_and_nothing_near_it(entry, allowed, refused):
    """The Secret's owner must be able to rely on what they wrote."""
    rules = rules_of([entry])
    for url in allowed:
        assert is_allowed(host_of(url), rules), url
    for url in refused:
        assert not is_allowed(host_of(url), rules), url


@pytest.mark.parametrize(
    "entry",
    NO_ENTRIES,
)
def test_an_entry_that_is_no_host_allows_nothing(entry):
    """A typo may cost a key that does not arrive, never one that arrives elsewhere."""
    assert rule_of(entry) is None


@pytest.mark.parametrize(
    "host",
    OWN_HOSTS,
)
def test_a_host_that_is_this_machine_is_known_as_such(host):
    """The metadata service of a cloud has one IPv4 address, and many spellings in IPv6."""
    assert host_of(f"http://{host}/").is_own


@pytest.mark.parametrize(
    "host", ["api.x.ai", "localhost.example.com", "128.0.0.1", "10.0.0.1", "[2001:db8::1]", "[::ffff:10.0.0.1]"]
)
def test_near_miss_other_hosts_are_not_this_machine(host):
    """A provider inside of the network is an ordinary one."""
    assert not host_of(f"http://{host}/").is_own
